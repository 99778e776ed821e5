"""Faults planted on purpose: a referee that does not notice one of them is no referee.

Each fault is planted in lme4's own fit of a model, or made by fitting the wrong model, and judged as any engine's
answer is. It is caught where the verdict is the one it deserves, with its own words in the reason.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain, islice
from operator import attrgetter

from joblib import Parallel, delayed

from lmerbridge.parity import misfits, misreports
from lmerbridge.parity import misfits_glmm as own
from lmerbridge.parity.cases import Case, generalized, suite
from lmerbridge.parity.ground import ENGINE, Ground
from lmerbridge.parity.judge import judge
from lmerbridge.parity.pair import Trial
from lmerbridge.parity.tolerances import ToleranceProfile
from lmerbridge.parity.verdict import Comparison, Verdict
from lmerbridge.results import Fit

MODELS = 5
SMALL = (  # generalized models that are fitted in no time, various ones first
    *("cbpp", "bacteria", "epil", "insurance", "grouseticks_brood", "epil_uncorrelated", "cbpp_rows", "ome"),
    *("insectsprays", "mmmec", "respiratory", "infert", "salamanders", "schizophrenia", "owls", "epil_rows"),
    *("binary_slopes_1", "binary_slopes_2", "binary_slopes_3", "mathachieve_high", "owls_nb", "ome_slopes"),
    *("mmmec_slopes", "epil_nb", "contraception_slopes"),
)


@dataclass(frozen=True)
class Fault:
    """Something an engine may do wrong.

    Attributes
    ----------
    name : str
    plant : callable
        Ground -> the fit that has the fault, or None where the model has no place for it.
    verdict : Verdict
        What it deserves.
    words : str
        What the reason must say, or beside a verdict that it agrees any sentence: a remark.
    on : callable
        Ground -> the variant of it in which the fault is planted, or None.
    among : {"linear", "generalized"}
        The models that it is planted in.
    """

    name: str
    plant: Callable[[Ground], Fit | None]
    verdict: Verdict
    words: str
    on: Callable[[Ground], Ground | None] = lambda ground: ground
    among: str = "linear"


@dataclass(frozen=True, eq=False)
class Planting:
    """A fault, planted in one model and judged."""

    fault: Fault
    case: Case
    comparison: Comparison

    @property
    def caught(self) -> bool:
        """Whether the referee found it under its own name."""
        found = self.comparison
        blamed = found.worse == ENGINE if self.fault.verdict is Verdict.OTHER_OPTIMUM else True
        text = found.explain() if found.verdict.agrees else found.reason
        return found.verdict is self.fault.verdict and self.fault.words in text and blamed


def plantings(profile: ToleranceProfile, models: int = MODELS, jobs: int = 1) -> Iterator[Planting]:
    """Plant every fault in the first models of the suite that have a place for it, each on a data set of its own.

    Parameters
    ----------
    profile : ToleranceProfile
    models : int
        How many for each fault.
    jobs : int
        Processes: more than one plant the faults of linear and of generalized models side by side.

    Yields
    ------
    Planting
        Those in linear models first.
    """
    kinds = [found for among in GROUNDS if (found := [fault for fault in FAULTS if fault.among == among])]
    if jobs == 1:
        yield from chain.from_iterable(_planted(faults, profile, models) for faults in kinds)
        return
    calls = [delayed(_all_planted)(faults, profile, models) for faults in kinds]
    yield from chain.from_iterable(Parallel(n_jobs=jobs, return_as="generator")(calls))


def _planted(faults: Sequence[Fault], profile: ToleranceProfile, models: int) -> Iterator[Planting]:
    """Plant faults of one kind of model, whose fits they share."""
    grounds = [Ground(case) for case in GROUNDS[faults[0].among]()]
    for fault in faults:
        found = (p for ground in grounds if (p := plant(fault, ground, profile)))
        yield from islice(found, models)


def _all_planted(faults: Sequence[Fault], profile: ToleranceProfile, models: int) -> list[Planting]:
    return list(_planted(faults, profile, models))


def _small() -> Iterator[Case]:
    cases = {case.name: case for case in generalized()}
    return (cases[f"{name}/Laplace"] for name in SMALL)


def _one_a_model(cases: Sequence[Case]) -> Iterator[Case]:
    """Take each model once, by REML and by ML in turn."""
    once = {(case.dataset, case.formula): i for i, case in reversed(list(enumerate(cases[::2])))}
    for i in sorted(once.values()):
        yield cases[2 * i + i % 2]


GROUNDS: dict[str, Callable[[], Iterator[Case]]] = {"linear": lambda: _one_a_model(suite()), "generalized": _small}


def plant(fault: Fault, ground: Ground, profile: ToleranceProfile) -> Planting | None:
    """Plant a fault in a model and judge it.

    The result is None where the model has no place for the fault.
    """
    variant = fault.on(ground)
    fit = None if variant is None else fault.plant(variant)
    if variant is None or fit is None:
        return None
    names = ground.case.reference, ENGINE
    return Planting(fault, ground.case, judge(Trial(variant.fit, fit, names, profile, variant.shared)))


WEIGHTED, REML = attrgetter("weighted"), attrgetter("by_reml")
LINEAR = (
    Fault("REML for ML, or ML for REML", misfits.other_criterion, Verdict.OTHER_OBJECTIVE, "difference is that of"),
    Fault("one row dropped", misfits.row_dropped, Verdict.SPEC_MISMATCH, "1 rows only lme4"),
    Fault("every row twice", misfits.rows_doubled, Verdict.SPEC_MISMATCH, "only planted did"),
    Fault("a reference level moved", misfits.level_moved, Verdict.UNEXPLAINED, "fixed effects"),
    Fault("other contrasts", misfits.sum_contrasts, Verdict.OTHER_OBJECTIVE, "2 log |T|", REML),
    Fault("group labels permuted", misfits.labels_permuted, Verdict.SPEC_MISMATCH, "rows belong to other levels"),
    Fault("the response times 1000", misfits.other_unit, Verdict.SPEC_MISMATCH, "rows differ in the response"),
    Fault("a fit of an older response", misfits.older_response, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
    Fault("a covariate centred", misfits.covariate_centred, Verdict.OTHER_OBJECTIVE, "is centred"),
    Fault("the intercept left out", misfits.intercept_dropped, Verdict.SPEC_MISMATCH, "fixed effects, planted"),
    Fault("nested read as crossed", misfits.nested_as_crossed, Verdict.SPEC_MISMATCH, "Not the same model"),
    Fault("weights ignored", misfits.weights_ignored, Verdict.OTHER_OBJECTIVE, "weights are ignored", WEIGHTED),
    Fault("weights squared", misfits.weights_squared, Verdict.OTHER_OBJECTIVE, "weights are squared", WEIGHTED),
    Fault("weights rescaled", misfits.weights_rescaled, Verdict.OTHER_OBJECTIVE, "to a mean of 1", WEIGHTED),
    Fault("an offset ignored", misfits.offset_ignored, Verdict.OTHER_OBJECTIVE, "offset is ignored", WEIGHTED),
    Fault("theta at a saddle", misfits.saddle, Verdict.OTHER_OPTIMUM, "planted stopped"),
    Fault("correlations held at zero", misfits.correlation_fixed, Verdict.OTHER_OPTIMUM, "planted stopped"),
    Fault("theta 0.3 % past the optimum", misfits.short_stop, Verdict.LOOSE_STOP, "planted stopped"),
    Fault("theta times 1.1", misreports.theta_longer, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
    Fault("theta one place off", misreports.theta_shifted, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
    Fault("a constant left out", misreports.constant_left_out, Verdict.OTHER_OBJECTIVE, "-(p - 1) log 2 pi"),
    Fault("a parameter not counted", misreports.df_one_less, Verdict.UNEXPLAINED, "the number of parameters or rows"),
    Fault("n - p rows for n", misreports.nobs_less_fixed, Verdict.UNEXPLAINED, "the number of parameters or rows"),
    Fault("sigma over n for n - p", misreports.sigma_of_other_df, Verdict.UNEXPLAINED, "sigma"),
    Fault("standard errors over n for n - p", misreports.errors_of_other_df, Verdict.UNEXPLAINED, "standard errors"),
    Fault("standard errors times 1.01", misreports.errors_too_wide, Verdict.UNEXPLAINED, "standard errors"),
    Fault("covariances of estimates turned", misreports.errors_correlated, Verdict.UNEXPLAINED, "of the estimates"),
    Fault("a NaN in vcov", misreports.errors_partly_missing, Verdict.UNEXPLAINED, "correlations of the estimates"),
    Fault("an SD reported as a variance", misreports.sd_as_variance, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("a correlation's sign flipped", misreports.sign_flipped, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("an SD of slopes per ten units", misreports.slope_per_ten, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("variances of two groups swapped", misreports.groups_swapped, Verdict.UNEXPLAINED, "variances or correl"),
    Fault("another residual SD", misreports.residual_sd_longer, Verdict.UNEXPLAINED, "variances or correlations"),
    Fault("random effects swapped", misreports.modes_swapped, Verdict.UNEXPLAINED, "random effects"),
    Fault("random effects shrunk", misreports.modes_shrunk, Verdict.UNEXPLAINED, "random effects"),
    Fault("a NaN in random effects", misreports.mode_missing, Verdict.UNEXPLAINED, "random effects"),
    Fault("random effects of no group", misreports.group_invented, Verdict.SPEC_MISMATCH, "random effects of another"),
    Fault("fitted values without groups", misreports.fitted_marginal, Verdict.UNEXPLAINED, "fitted values"),
    Fault("noise in fitted values", misreports.fitted_noisy, Verdict.UNEXPLAINED, "fitted values"),
    Fault("single precision", misreports.fitted_single, Verdict.SAME_OPTIMUM, "in single precision"),
    Fault("residuals of the other sign", misreports.residuals_negative, Verdict.UNEXPLAINED, "residuals"),
    Fault("residuals over sigma", misreports.residuals_scaled, Verdict.UNEXPLAINED, "residuals"),
    Fault("a NaN in residuals", misreports.residual_missing, Verdict.UNEXPLAINED, "residuals"),
    Fault("fixed effects renamed", misreports.terms_reversed, Verdict.SPEC_MISMATCH, "other names for the columns"),
    Fault("a fixed effect's name twice", misreports.terms_repeated, Verdict.SPEC_MISMATCH, "other names for the col"),
    Fault("row labels reversed", misreports.index_reversed, Verdict.SPEC_MISMATCH, "other row labels"),
    Fault("rows said to be left out", misreports.rows_dropped_more, Verdict.SPEC_MISMATCH, "rows left out by"),
    Fault("convergence denied", misreports.converged_inverted, Verdict.SAME_OPTIMUM, "says that it did not converge"),
    Fault("a boundary denied, or invented", misreports.singular_inverted, Verdict.SAME_OPTIMUM, "variances say other"),
    Fault("another AIC in print", misreports.native_aic, Verdict.SAME_OPTIMUM, "AIC: planted prints"),
    Fault("other errors in print", misreports.native_errors, Verdict.SAME_OPTIMUM, "]: planted prints"),
    Fault("numbers rounded to three digits", misreports.rounded, Verdict.UNEXPLAINED, "fixed effects"),
    Fault("a NaN", misreports.not_a_number, Verdict.UNEXPLAINED, "fixed effects"),
)


def _of_generalized(fault: Fault) -> Fault:
    return replace(fault, name=f"{fault.name}, generalized", among="generalized")


MOVED, COUNTED, PROBIT = attrgetter("moved"), attrgetter("counted"), attrgetter("by_probit")
ALIKE = (  # what is the same fault of an engine of either kind
    *("one row dropped", "every row twice", "group labels permuted"),
    *("theta times 1.1", "a parameter not counted", "n - p rows for n"),
    *("standard errors times 1.01", "covariances of estimates turned", "a NaN in vcov", "an SD reported as a variance"),
    *("a correlation's sign flipped", "an SD of slopes per ten units", "random effects swapped"),
    *("random effects shrunk", "a NaN in random effects", "random effects of no group", "noise in fitted values"),
    *("single precision", "residuals of the other sign", "a NaN in residuals", "fixed effects renamed"),
    *("a fixed effect's name twice", "row labels reversed", "rows said to be left out", "convergence denied"),
    *("a boundary denied, or invented", "another AIC in print", "other errors in print"),
)
GENERALIZED = (
    *map(_of_generalized, (fault for fault in LINEAR if fault.name in ALIKE)),
    *(
        replace(fault, among="generalized")
        for fault in (
            Fault("a wrong link", own.other_link, Verdict.OTHER_OBJECTIVE, "the link is"),
            Fault("cbind swapped", own.successes_swapped, Verdict.OTHER_OBJECTIVE, "failures are swapped"),
            Fault("weights forgotten", misfits.weights_ignored, Verdict.OTHER_OBJECTIVE, "are ignored", COUNTED),
            Fault("weights twice", misfits.weights_squared, Verdict.OTHER_OBJECTIVE, "are squared", COUNTED),
            Fault("an offset dropped", misfits.offset_ignored, Verdict.OTHER_OBJECTIVE, "offset is ignored", MOVED),
            Fault("a level moved", misfits.level_moved, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
            Fault("sum contrasts", misfits.sum_contrasts, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
            Fault("observed for expected", own.other_weights, Verdict.OTHER_OBJECTIVE, "with observed", PROBIT),
            Fault("n_agq 0 sold as 1", own.no_nodes, Verdict.OTHER_OBJECTIVE, "those of n_agq = 0"),
            Fault("a saturated term", own.saturated_left_out, Verdict.OTHER_OBJECTIVE, "of the saturated model"),
            Fault("constants of counts", own.coefficients_left_out, Verdict.OTHER_OBJECTIVE, "twice the sum of"),
            Fault("errors by another Hessian", own.errors_given_theta, Verdict.OTHER_DEFINITION, "given the var"),
            Fault("linear predictors as means", own.means_on_link, Verdict.UNEXPLAINED, "fitted values"),
            Fault("means without groups", own.means_marginal, Verdict.UNEXPLAINED, "fitted values"),
            Fault("residuals y - mean", own.residuals_of_response, Verdict.UNEXPLAINED, "residuals"),
            Fault("a saddle, generalized", own.effect_left_out, Verdict.OTHER_OPTIMUM, "planted stopped"),
            Fault("correlations at zero", own.correlations_left_out, Verdict.OTHER_OPTIMUM, "planted stopped"),
            Fault("theta 1 % past the optimum", own.early_stop, Verdict.LOOSE_STOP, "planted stopped"),
            Fault("three digits", misreports.rounded, Verdict.OTHER_OBJECTIVE, "reports a criterion of"),
            Fault("an estimate that is NaN", misreports.not_a_number, Verdict.ENGINE_FAILED, "that is not a number"),
        )
    ),
)
FAULTS = (*LINEAR, *GENERALIZED)
