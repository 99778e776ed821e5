"""The words of the referee: a code for each thing that a stage may find, and its sentence.

Evidence is a code with figures. Whatever prints it, `Comparison.explain` or a report, takes the sentence from here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import Any, Self, TypeAlias

from lmerbridge.parity.definitions import definitions

Figures: TypeAlias = Mapping[str, Any]  # numbers, texts, and tables of them, as JSON has them
TERMS = {  # what of a fit is compared, by its field
    "y": "the response",
    "weights": "weights",
    "offset": "offset",
    "beta": "fixed effects",
    "sigma": "sigma",
    "se": "standard errors",
    "vcov": "correlations of the estimates",
    "residuals": "residuals",
    "varcorr": "variances or correlations",
    "fitted": "fitted values",
    "ranef": "random effects",
    "logLik": "the log-likelihood",
    "df": "the number of parameters or rows",
}
CONSTANTS = {  # by which two objectives may differ
    "p1_log_2pi": "(p - 1) log 2 pi",
    "log_det_t": "2 log |T|, the fixed effects in another coding or unit",
    "log_det_xx": "log det X'X",
    "p_log_2pi": "p log 2 pi",
    "n_log_2pi": "n log 2 pi",
    "sum_log_weights": "the sum of log weights",
    "saturated": "twice the log-likelihood of the saturated model",
    "binomial_coefficients": "twice the sum of log binomial coefficients, as of single trials",
    "log_factorials": "twice the sum of log factorials of the counts",
    "q_log_2pi": "q log 2 pi, of the q random effects",
}

AT_LIMIT = "at a limit"  # the mark of a verdict that another processor may turn


class Code(StrEnum):
    """What a stage found.

    Attributes
    ----------
    stage : str
        ``reference``, ``rows``, ``model_space``, ``objective``, ``optimum``, ``pinned``, ``quantities`` or
        ``flags``; ``fit`` where the stages were not reached.
    agrees : bool
        Whether the engines agree at that stage.
    """

    stage: str
    agrees: bool

    def __new__(cls, name: str, stage: str, agrees: bool) -> Self:
        """Make a code of its name, its stage, and whether it is an agreement."""
        code = str.__new__(cls, name)
        code._value_, code.stage, code.agrees = name, stage, agrees
        return code

    NO_FIT = "no_fit", "fit", False
    NOT_RECORDED = "not_recorded", "fit", False
    NOT_JUDGED = "not_judged", "fit", False
    STRUCTURED = "structured", "fit", False
    SOUND_REFERENCE = "sound_reference", "reference", True
    REFERENCE_CRITERION = "reference_criterion", "reference", False
    REFERENCE_REPORT = "reference_report", "reference", False
    SAME_DATA = "same_data", "rows", True
    OTHER_DATA = "other_data", "rows", False
    SAME_SPACE = "same_space", "model_space", True
    OTHER_SPACE = "other_space", "model_space", False
    NO_THETA = "no_theta", "objective", False
    NO_ESTIMATE = "no_estimate", "objective", False
    NO_CRITERION = "no_criterion", "objective", False
    NO_VALUE = "no_value", "objective", False
    SAME_OBJECTIVE = "same_objective", "objective", True
    OTHER_OBJECTIVE = "other_objective", "objective", False
    SAME_OPTIMUM = "same_optimum", "optimum", True
    STOPPED_ABOVE = "stopped_above", "optimum", False
    SAME_REPORT = "same_report", "pinned", True
    DEFINED_WITHIN = "defined_within", "pinned", True
    DEFINED_BEYOND = "defined_beyond", "pinned", False
    INDEFINITE = "indefinite", "pinned", False
    OTHER_REPORT = "other_report", "pinned", False
    ALL_WITHIN = "all_within", "quantities", True
    SOME_BEYOND = "some_beyond", "quantities", False
    SOME_MISSING = "some_missing", "quantities", False
    SAME_FLAGS = "same_flags", "flags", True
    FLAGS_DIFFER = "flags_differ", "flags", False


def sentence(code: Code, figures: Figures) -> str:
    """Return the sentence for what was found, with the figures in it."""
    return SENTENCES[code](figures)


def _same_data(f: Figures) -> str:
    dropped = f", {f['dropped']} left out for a missing value" if f["dropped"] else ""
    return f"Both used the same {f['rows']} rows{dropped}."


def _other_data(f: Figures) -> str:
    return f"Not the same data: {'; '.join(_data_clauses(f))}."


def _data_clauses(f: Figures) -> Iterator[str]:
    first, second = f["reference"], f["candidate"]
    if "reference_family" in f:
        yield f"{first} fitted by {f['reference_family']}, {second} by {f['candidate_family']}"
    if "reference_method" in f:
        yield f"{first} fitted by {f['reference_method']}, {second} by {f['candidate_method']}"
    if "only_reference" in f:
        yield f"{f['only_reference']} rows only {first} used and {f['only_candidate']} only {second} did"
    for what, rows in f["rows_differing"].items():
        yield f"{rows} rows differ in {TERMS[what]}"
    if "dropped" in f:
        yield "{0} rows left out by {2}, {1} by {3}".format(*f["dropped"], first, second)
    if "labels" in f:
        yield f"{second} has other row labels, or the same in another order"


def _same_space(f: Figures) -> str:
    coded = "in the same columns" if f["same_columns"] else "in another coding, carried over"
    dropped = f", {', '.join(f['dropped'])} left out" if f["dropped"] else ""
    effects = f"{f['columns']} fixed effect{'s' * (f['columns'] != 1)}"
    return f"Same model space: {effects} {coded}{dropped}, and {' and '.join(f['random'])}."


def _other_space(f: Figures) -> str:
    return f"Not the same model: {'; '.join(_space_clauses(f))}."


def _space_clauses(f: Figures) -> Iterator[str]:
    first, second = f["reference"], f["candidate"]
    if "reference_columns" in f:
        yield f"{first} has {f['reference_columns']} fixed effects, {second} {f['candidate_columns']}"
    if "names_differing" in f:
        yield f"{second} has other names for the columns of {', '.join(f['names_differing'])}"
    if "unknown_groups" in f:
        yield f"{second} has random effects of {', '.join(f['unknown_groups'])}, which the model has not, or twice"
    if "distance" in f:
        yield f"the column spaces of X are {f['distance']:.2g} apart"
    if "reference_random" in f:
        ours, its = (" and ".join(f[side]) for side in ("reference_random", "candidate_random"))
        yield f"{first} has {ours}, {second} {its}"
    for term in f["terms_differing"]:
        if term["in"] == "levels":
            yield f"{term['group']} has other levels in {second}"
        else:
            yield f"rows belong to other levels of {term['group']}, or its columns differ"


def _other_objective(f: Figures) -> str:
    if f["constant"] == "n_agq 0":
        return f"{f['candidate']} does not maximize the likelihood: {APPROXIMATIONS['n_agq 0']}."
    return (
        f"{f['candidate']} reports a criterion of {f['reported']:.6f}; the common objective at its estimates is "
        f"{f['common']:.6f}, and the difference is {_constant(f)}."
    )


OTHER_MODELS = {  # whose objective it is
    "weights_ignored": "the weights are ignored",
    "weights_squared": "the weights are squared",
    "weights_inverse": "the weights are taken for variances",
    "weights_rescaled": "the weights are rescaled to a mean of 1",
    "offset_ignored": "the offset is ignored",
    "offset_twice": "the offset counts twice",
    "swapped": "successes and failures are swapped",
    "link": "the link is {0}",
    "family": "the family is {0}",
    "centred": "the covariates are centred",
    "standardized": "the covariates are standardized",
}


APPROXIMATIONS = {  # of a generalized model's likelihood
    "n_agq 0": "its fixed effects are those of n_agq = 0, which maximize the penalized likelihood at its theta",
    "n_agq 1": "that of Laplace's approximation",
    "n_agq": "that of adaptive quadrature with {0} nodes",
    "laplace_weights": "that of Laplace's approximation with {0} weights in its determinant",
    "other_mode": "that of other modes of the random effects, of which the density has several here",
    "pirls_tolerance": "what lme4 leaves by inner iterations that stop at a relative change of {0}",
}


def _constant(f: Figures) -> str:
    return ", and ".join(_one_cause(f, name) for name in f["constant"].split(", "))


def _one_cause(f: Figures, cause: str) -> str:
    word, _, detail = cause.partition(" ")
    if told := APPROXIMATIONS.get(cause) or APPROXIMATIONS.get(word):
        return told.format(detail)
    sign, name = "-" * cause.startswith("-"), cause.removeprefix("-")
    model, _, covariate = name.partition(" ")
    if model in OTHER_MODELS:
        told = OTHER_MODELS[model]
        what = told.format(covariate) if "{" in told else f"{covariate} is {model}" if covariate else told
        return f"that of a model in which {what}"
    if name == "other_method":
        return f"that of {'ML' if f['method'] == 'REML' else 'REML'} to {f['method']}"
    if name == "lost_digits":
        return f"{f['difference']:.6g}, digits that sums of squares about zero lose"
    return sign + CONSTANTS[name] if name else f"{f['difference']:.6g}, without a name"


def _same_optimum(f: Figures) -> str:
    reach, minimum = f["reach"], f["minimum"]
    if "own" in f:
        ends = f"{minimum:.6f} and {f['own']:.6f}{_in_brackets(f['marks'])}"
        return f"Each lies within {reach:.1e} deviance units of the lowest value of its own objective: {ends}."
    return f"Same optimum: both lie within {reach:.1e} deviance units of {minimum:.6f}{_in_brackets(f['marks'])}."


def _stopped_above(f: Figures) -> str:
    claim = "says that it converged" if f["converged"] else "says that it did not converge"
    return (
        f"{f['worse']} stopped {f['gap']:.3g} deviance units above the best optimum known{_of_what(f)}, "
        f"and {claim}; {f['better']} lies {f['better_gap']:.1e} above it{_in_brackets(f['marks'])}."
    )


def _of_what(f: Figures) -> str:
    if "own" not in f:
        return f", {f['minimum']:.6f}"
    return f", each of its own objective: {f['minimum']:.6f} and {f['own']:.6f}"


def _remarks(f: Figures) -> Iterator[str]:
    engine, remarks = f["candidate"], f["remarks"]
    if "converged" in remarks:
        claim = "converged" if remarks["converged"] else "did not converge"
        yield f"{engine} says that it {claim}, {f['gap']:.1e} above the best optimum known"
    if "singular" in remarks:
        boundary = "is on the boundary" if remarks["singular"] else "is not on the boundary"
        yield f"{engine} says that its answer {boundary}, and its variances say otherwise"
    if "single" in remarks:
        yield f"{engine} reports in single precision"
    if "untold" in remarks:
        yield f"{engine} has no number for {' and '.join(TERMS[what] for what in remarks['untold'])}"


def _in_brackets(marks: Sequence[str]) -> str:
    return f" ({', '.join(marks)})" if marks else ""


def _sizes(f: Figures, engine: str) -> str:
    sizes = ", ".join(f"{TERMS[what]} by {size:.1e}" for what, size in f["differences"].items())
    return f"At the same theta {engine} differs in {sizes}"


def _because(f: Figures) -> str:
    return f", {_constant(f)}" if f.get("constant") else ""


def _definition(f: Figures) -> str:
    texts = {entry.name: entry.text for entry in definitions()}
    told = " ".join(dict.fromkeys(texts[name] for name in f["definitions"]))
    return f"{_sizes(f, f['candidate'])}, by definition: {told}"


SENTENCES: dict[Code, Callable[[Figures], str]] = {
    Code.NO_FIT: "{message}".format_map,
    Code.NOT_RECORDED: "not recorded: {message}".format_map,
    Code.NOT_JUDGED: "the answers cannot be judged: {message}".format_map,
    Code.STRUCTURED: lambda _: (
        "the referee moves every Cholesky factor freely, which diag(), cs() and ar1() do not; it cannot judge them."
    ),
    Code.SOUND_REFERENCE: "Held at its own theta, {reference} reports what the common code gives.".format_map,
    Code.REFERENCE_CRITERION: lambda f: (
        f"The reference is at fault: the criterion of {f['reference']} lies {f['difference']:.3g} from the common "
        f"objective at its own theta{_because(f)}."
    ),
    Code.REFERENCE_REPORT: lambda f: f"The reference is at fault. {_sizes(f, f['reference'])}.",
    Code.SAME_DATA: _same_data,
    Code.OTHER_DATA: _other_data,
    Code.SAME_SPACE: _same_space,
    Code.OTHER_SPACE: _other_space,
    Code.NO_THETA: "{candidate} returned a variance that is not a number.".format_map,
    Code.NO_ESTIMATE: "{candidate} returned a fixed effect or a shape that is not a number.".format_map,
    Code.NO_CRITERION: "{candidate} returned a criterion that is not a number.".format_map,
    Code.NO_VALUE: "The common objective has no value at the answer of {candidate}.".format_map,
    Code.SAME_OBJECTIVE: (
        "Same objective: at the estimates of {candidate} the two criteria differ by {difference:.1e}.".format_map
    ),
    Code.OTHER_OBJECTIVE: _other_objective,
    Code.SAME_OPTIMUM: _same_optimum,
    Code.STOPPED_ABOVE: _stopped_above,
    Code.SAME_REPORT: "Held at the theta of {candidate}, the common code gives every number it reports.".format_map,
    Code.DEFINED_WITHIN: lambda f: f"{_definition(f)} It stays within tolerance here.",
    Code.DEFINED_BEYOND: _definition,
    Code.INDEFINITE: lambda f: (
        f"{_sizes(f, f['candidate'])}: it inverts an information matrix that is not positive definite at its "
        "estimates, and what comes out is no standard error."
    ),
    Code.OTHER_REPORT: lambda f: f"{_sizes(f, f['candidate'])}, and no known definition accounts for it.",
    Code.SAME_FLAGS: "What {candidate} says of its convergence and of its boundary is so.".format_map,
    Code.FLAGS_DIFFER: lambda f: f"A remark: {'; '.join(_remarks(f))}.",
    Code.ALL_WITHIN: lambda _: "Every quantity agrees within its tolerance.",
    Code.SOME_BEYOND: lambda f: f"Beyond tolerance: {', '.join(f['quantities'])}.",
    Code.SOME_MISSING: lambda f: f"There is no number to compare for {', '.join(f['quantities'])}.",
}


def optimizer_sentence(gaps: Mapping[str, float]) -> str:
    """Return how far above the best optimum known lme4's own optimizers end."""
    ends = ", ".join(f"{name} {gap:.1e}" for name, gap in sorted(gaps.items()))
    return f"lme4's own optimizers end above the best optimum known by: {ends}."


def definition_sentence(quantity: str, engines: tuple[str, str], numbers: tuple[float, float, float]) -> str:
    """Return a number by two definitions: the candidate's own, its own by the reference's, and the reference's."""
    (reference, candidate), (native, corrected, ours) = engines, numbers
    return (
        f"{quantity}: {candidate} prints {native:.6g}; by the definition of {reference} "
        f"its fit gives {corrected:.6g}, and {reference} {ours:.6g}."
    )
