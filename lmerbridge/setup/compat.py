"""Which releases of R, lme4 and rpy2 fit together, what each lme4 can do, and what is known to be wrong with one.

The standard library is all this module needs, so that `make setup` can run it as a file before anything is
installed: ``python3 -I lmerbridge/setup/compat.py 4.2.2`` prints what pip is to install for that R.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass


def parse_version(text: str) -> tuple[int, ...]:
    """Return a version of R, of an R package or of a Python package in a form that compares.

    Raises
    ------
    ValueError
        The text does not begin with a number.

    Examples
    --------
    >>> parse_version("1.1-8") < parse_version("1.1-31") < parse_version("2.0-1")
    True
    >>> parse_version("3.6.9.dev0")
    (3, 6, 9)
    """
    number = re.match(r"\d+(?:[.-]\d+)*", text)
    if number is None:
        raise ValueError(f"{text!r} is not a version; numbers joined by '.' or '-' are expected, as in '1.1-31'.")
    return tuple(int(part) for part in re.split(r"[.-]", number[0]))


@dataclass(frozen=True)
class Range:
    """The versions from `first` on and before `below`, or all later ones without `below`.

    Examples
    --------
    >>> "1.1-32" in Range("1.1-8", "1.1-33")
    True
    >>> print(Range("3.6", "3.6.6"))
    >=3.6,<3.6.6
    """

    first: str
    below: str | None = None

    def __contains__(self, version: str) -> bool:
        found = parse_version(version)
        return parse_version(self.first) <= found and (self.below is None or found < parse_version(self.below))

    def __str__(self) -> str:
        return f">={self.first}" + (f",<{self.below}" if self.below else "")


@dataclass(frozen=True)
class Defect:
    """A known error of some versions of a package.

    Attributes
    ----------
    name : str
        What our code calls it.
    package : str
    versions : Range
        Those that have it; `versions.below` is the first one that is free of it.
    effect : str
        What a user gets.
    worked_around : bool
        Whether lmerbridge gives the right value all the same.
    """

    name: str
    package: str
    versions: Range
    effect: str
    worked_around: bool = False


SUPPORTED = {"R": Range("4.0"), "lme4": Range("1.1-23")}

# R: the releases of rpy2-rinterface that load into it. 3.6.6 needs R_getVar and R_ParentEnv, new in R 4.5;
# those before it want STDVEC_DATAPTR, which later R lacks, and fall back to ABI mode.
RINTERFACE = {
    Range("4.0", "4.5"): Range("3.6", "3.6.6"),
    Range("4.5"): Range("3.6.6"),
}

DEFECTS = (  # lme4's NEWS; the first measured too
    Defect(
        "refit_reml",
        "lme4",
        Range("1.1-8", "1.1-33"),
        "refit() of a REML fit counts one fixed effect only, and R's bootMer() inherits it; lmerbridge's verbs do not",
        worked_around=True,
    ),
    Defect(
        "structured_npar",
        "lme4",
        Range("2.0-1", "2.0-6"),
        "a model with a diag(), cs() or ar1() term reports a wrong number of parameters, so a wrong AIC",
    ),
)


@dataclass(frozen=True)
class Gate:
    """Something that lme4 can do from one version on.

    Attributes
    ----------
    since : str
        The first version that has it.
    what : str
        In R's words.
    """

    since: str
    what: str


GATES = {  # lme4's NEWS
    "qqmath_data": Gate("1.1-32", "qqmath(data =)"),
    "refit_newweights": Gate("1.1-33", "refit(newweights =)"),
    "all_fit_alone": Gate("1.1-33", "allFit() without the packages optimx and dfoptim"),
    "plot_level": Gate("1.1-33", "dotplot(level =) and qqmath(level =)"),
    "predict_se_fit": Gate("1.1-35", "predict(se.fit = TRUE)"),
    "vcov_full": Gate("1.1-36", "vcov(full = TRUE)"),
    "simulate_cluster_rand": Gate("1.1-37", "simulate(cluster.rand =)"),
    "confint_signames": Gate("1.1-38", "confint(signames =)"),
    "all_fit_start_from_mle": Gate("1.1-38", "allFit(start_from_mle =)"),
    "autoscale": Gate("1.1-38", "lmerControl(autoscale = TRUE)"),
    "conv_check_limits": Gate("1.1-38", "lmerControl(check.conv.nobsmax =, check.conv.nparmax =)"),
    "structured_covariance": Gate("2.0-1", "us(), diag(), cs() and ar1() in a formula"),
    "start_par": Gate("2.0-1", "start = list(par =)"),
    "double_vert_default": Gate("2.0-1", 'options(lme4.doublevert.default = "diag_special")'),
    "get_me_par": Gate("2.0-1", 'getME(name = "par")'),
    "var_corr_classes": Gate("2.0-1", "a class for each structure in VarCorr()"),
    "weights_type": Gate("2.0-1", 'weights(type = "working")'),
    "na_action_method": Gate("2.0-1", "na.action() of a fit"),
    "simulate_newparams_par": Gate("2.0-1", "simulate(newparams = list(par =))"),
    "influence_parallel": Gate("2.0-1", "influence(parallel =)"),
    "covariance_accessors": Gate("2.0-6", "getReCovs() and its kin"),
    "parallel_future": Gate("2.0-6", 'parallel = "future"'),
}


def rinterface_requirement(r_version: str) -> str:
    """Return what pip is to install so that rpy2 runs the R of this version.

    Raises
    ------
    ValueError
        The R is older than any release of rpy2-rinterface in the table can run.

    Examples
    --------
    >>> rinterface_requirement("4.2.2")
    'rpy2-rinterface>=3.6,<3.6.6'
    >>> rinterface_requirement("4.6.2")
    'rpy2-rinterface>=3.6.6'
    """
    for r, rinterface in RINTERFACE.items():
        if r_version in r:
            return f"rpy2-rinterface{rinterface}"
    raise ValueError(f"R {r_version} was found; R {SUPPORTED['R']} is expected: install a newer R.")


def fits(r_version: str, rinterface_version: str) -> bool:
    """Return whether this release of rpy2-rinterface runs this R.

    Examples
    --------
    >>> fits("4.2.2", "3.6.5"), fits("4.2.2", "3.6.7")
    (True, False)
    """
    return any(r_version in r and rinterface_version in rinterface for r, rinterface in RINTERFACE.items())


def defects(package: str, version: str) -> tuple[Defect, ...]:
    """Return the known errors of this version of an R package.

    Examples
    --------
    >>> [defect.name for defect in defects("lme4", "1.1-31")]
    ['refit_reml']
    """
    return tuple(defect for defect in DEFECTS if defect.package == package and version in defect.versions)


def has(feature: str, version: str) -> bool:
    """Return whether this version of lme4 has a feature of `GATES`.

    Examples
    --------
    >>> has("predict_se_fit", "1.1-31"), has("predict_se_fit", "2.1-0")
    (False, True)
    """
    return version in Range(GATES[feature].since)


if __name__ == "__main__":
    try:
        print(rinterface_requirement(*sys.argv[1:]))
    except ValueError as error:
        sys.exit(str(error))
