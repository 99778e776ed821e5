"""How often an engine is right, wrong with a warning, wrong in silence, or gives no answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from lmerbridge.parity.evidence import Evidence
from lmerbridge.parity.tolerances import default
from lmerbridge.parity.verdict import Comparison, Verdict
from lmerbridge.results import Fit

Outcome: TypeAlias = Literal[
    "unjudged", "right", "otherwise", "refuses", "fails", "warned", "silent"
]  # for its user, the worst last
OUTCOMES: tuple[Outcome, ...] = get_args(Outcome)
APPROXIMATIONS = ("laplace_weights",)  # of a likelihood, each as good as the reference's
NO_ANSWER: dict[Verdict, Outcome] = {
    Verdict.NOT_EXPRESSIBLE: "refuses",
    Verdict.TOO_LARGE: "refuses",
    Verdict.ENGINE_FAILED: "fails",
}


@dataclass(frozen=True)
class Tally:
    """The fits of one engine, each counted once.

    Attributes
    ----------
    right : int
        At the optimum, or a little above it, and every number holds; whatever the other engine did.
    otherwise : int
        At the optimum of another approximation of the likelihood, as good as the reference's.
    warned, silent : int
        Wrong: ``silent`` where the engine says that it converged and warns of nothing.
    fails : int
        It raised an error, or gave nothing usable.
    refuses : int
        It says that it has no form for the model, or that the data are too large.
    unjudged : int
        There was nothing sound to judge it by.
    """

    right: int = 0
    otherwise: int = 0
    warned: int = 0
    silent: int = 0
    fails: int = 0
    refuses: int = 0
    unjudged: int = 0

    @property
    def judged(self) -> int:
        """How many fits the others count."""
        return self.right + self.otherwise + self.wrong + self.fails + self.refuses

    @property
    def wrong(self) -> int:
        """How many answers are wrong, with a warning or without."""
        return self.warned + self.silent

    @property
    def reproduces(self) -> bool:
        """Whether every answer is right, and there is one."""
        return bool(self.right) and not self.wrong and not self.fails and not self.otherwise

    @property
    def unfit(self) -> bool:
        """Whether every fit was refused."""
        return bool(self.refuses) and self.refuses == self.judged + self.unjudged

    @property
    def rank(self) -> tuple[bool, int, int, int]:
        """A sort key that puts the best first."""
        return not self.right, self.wrong + self.fails, self.silent, self.otherwise + self.refuses

    def told(self, model: str = "") -> str:
        """Tell the counts, after the kind of model that they are of, where it is named."""
        counts = [("wrong with a warning", self.warned), ("wrong in silence", self.silent), ("refuses", self.refuses)]
        rare = [("by another approximation", self.otherwise), ("fails", self.fails), ("not judged", self.unjudged)]
        told = [f"{words} {number}" for words, number in [*counts, *((w, n) for w, n in rare if n)]]
        return "; ".join([f"right on {self.right} of {self.judged} {model}".strip(), *told])

    def __str__(self) -> str:
        return self.told()


def tally(outcomes: Iterable[Outcome]) -> Tally:
    """Count outcomes."""
    return Tally(**Counter[str](outcomes))


def reference_at_fault(comparison: Comparison) -> bool:
    """Whether it is the reference that failed or stopped short."""
    blamed = comparison.verdict in (Verdict.OTHER_OPTIMUM, Verdict.ENGINE_FAILED)
    return blamed and comparison.worse == comparison.reference


def candidate_outcome(comparison: Comparison) -> Outcome:
    """Return what a comparison says of the engine under test.

    A stop short of the reference alone is not the engine's.
    """
    verdict = comparison.verdict
    if verdict is Verdict.REFERENCE_FAULTY or comparison.cause.code == "structured":
        return "unjudged"
    if reference_at_fault(comparison):
        return "right" if verdict.compared else "unjudged"
    if verdict in NO_ANSWER:
        return NO_ANSWER[verdict]
    if _approximates(comparison):
        return "otherwise"
    return "right" if verdict.agrees else _wrong(comparison.candidate_fit)


def _approximates(comparison: Comparison) -> bool:
    """Whether nothing is amiss but that the likelihood is approximated in another way, which is named.

    The numbers of the two engines then differ as their optima do, and are not looked at.
    """
    causes = str(comparison.cause.figures.get("constant", "")).split(", ")
    named = all(cause.startswith(APPROXIMATIONS) for cause in causes)
    others = (e for e in comparison.evidence if e != comparison.cause and e.stage not in ("flags", "quantities"))
    return comparison.verdict is Verdict.OTHER_OBJECTIVE and named and all(map(_harmless, others))


def _harmless(evidence: Evidence) -> bool:
    near = evidence.code == "stopped_above" and evidence.figures["gap"] <= default().loose
    return evidence.agrees or near or evidence.code == "defined_beyond"


def reference_outcome(comparison: Comparison) -> Outcome:
    """Return what a comparison says of the reference, as `candidate_outcome` does of the other."""
    if comparison.cause.code == "not_recorded":
        return "unjudged"
    short = comparison.verdict is Verdict.BOTH_SHORT or reference_at_fault(comparison)
    if comparison.reference_fit is None:
        return "fails"
    if short or comparison.verdict is Verdict.REFERENCE_FAULTY:
        return _wrong(comparison.reference_fit)
    return "right" if comparison.verdict.compared else "unjudged"


def reference_tally(comparisons: Iterable[tuple[str, Comparison]]) -> Tally:
    """Count the cases of a reference, each by the worst that the comparisons say of it, given with the case's name."""
    worst: dict[str, Outcome] = {}
    for case, comparison in comparisons:
        worst[case] = max(reference_outcome(comparison), worst.get(case, "unjudged"), key=OUTCOMES.index)
    return tally(worst.values())


def _wrong(fit: Fit | None) -> Outcome:
    return "silent" if fit and is_silent(fit) else "warned"


def is_silent(fit: Fit) -> bool:
    """Whether a fit claims to have converged and warns of nothing."""
    return fit.converged and all(condition.kind == "message" for condition in fit.conditions)
