"""The referee on designs that nobody chose: ``python -m tests.trials --slopes 1000 --kinds 30``.

Small random slopes, and ten other kinds of model, are fitted by several engines and judged against ``lme4[bobyqa]``.
Plain R then finds the lowest criterion of each from many starts, and knows nothing of the referee. A table says how
often a gap is not that to R's optimum, a verdict leaves a difference unexplained, or is an alarm for nothing.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import pandas as pd

from lmerbridge import Verdict
from lmerbridge.engines import find
from lmerbridge.errors import LmerBridgeError
from lmerbridge.inputs import Spec
from lmerbridge.parity import Comparison
from lmerbridge.parity.compare import judge_candidate
from tests import simulated

REFERENCE = "lme4[bobyqa]"
ENGINES = ("statsmodels", "nlme", "mixedlm", "lme4")
SOUND = ("nlme", "mixedlm", "lme4")  # by all that is known of them, so that any other finding is an alarm for nothing
SCRIPT = Path(__file__).parent / "cases" / "optimum.R"
SHORT = 1e-2  # deviance units, the referee's own limit
TOLD = (Verdict.UNEXPLAINED, Verdict.OTHER_OBJECTIVE)  # to be looked into
RIGHT = (1e-3, 1e-2)  # absolute and relative: how near the gap must be to R's


@dataclass(frozen=True, eq=False)
class Judgement:
    """One engine's verdict on one design, beside R's optimum."""

    design: str
    engine: str
    result: Comparison
    optimum: float

    @property
    def true_gap(self):
        return self.result.candidate_fit.criterion - self.optimum

    @property
    def compared(self):
        """Whether there is a gap, and the criterion that the engine reports is the common one."""
        return bool(self.result.gap) and self.result.verdict is not Verdict.OTHER_OBJECTIVE

    @property
    def gap_error(self):
        return abs(self.result.gap[self.engine] - self.true_gap)

    @property
    def gap_wrong(self):
        return self.compared and not self.gap_error <= RIGHT[0] + RIGHT[1] * abs(self.true_gap)

    @property
    def false_alarm(self):
        """Whether a sound engine is blamed for what is not so."""
        short = self.result.verdict in (Verdict.OTHER_OPTIMUM, Verdict.BOTH_SHORT)
        excused = self.result.verdict.agrees or not self.result.verdict.compared or self.result.worse == REFERENCE
        return self.engine in SOUND and not excused and not (short and self.true_gap > SHORT / 2)

    @property
    def missed(self):
        """Whether it passes above the optimum."""
        return self.result.verdict.agrees and self.compared and self.true_gap > 2 * SHORT

    @property
    def wrong(self):
        return self.gap_wrong or self.false_alarm or self.missed

    def __str__(self):
        gap = f"said {self.result.gap[self.engine]:.3g}, R {self.true_gap:.3g}" if self.compared else "no gap"
        return f"{self.design}, {self.engine}: {gap}. {self.result.explain()}"


def designs(slopes, kinds, first):
    """Random slopes, and so many of each kind, from a seed on."""
    for seed in range(first, first + slopes):
        yield f"slopes {seed}", Spec(formula=simulated.FORMULA, data=simulated.uneven(seed))
    for kind in simulated.KINDS:
        yield from ((f"{kind} {seed}", simulated.of_kind(kind, seed)) for seed in range(first, first + kinds))


def optima(specs):
    """The lowest criterion of each, by plain R."""
    with tempfile.TemporaryDirectory() as folder:
        table = [
            (f"{i}.csv", s.formula, str(s.reml).upper(), str(s.weights == "w").upper()) for i, s in enumerate(specs)
        ]
        for (file, *_), spec in zip(table, specs, strict=True):
            spec.data.to_csv(Path(folder, file), index=False)
        columns = ["file", "formula", "reml", "weighted"]
        pd.DataFrame(table, columns=columns).to_csv(Path(folder, "models.csv"), index=False)
        subprocess.run(["Rscript", "--vanilla", str(SCRIPT), folder], check=True)
        return pd.read_csv(Path(folder, "optima.csv"))["optimum"].tolist()


def judgements(slopes, kinds, first, engines):
    """Judge every engine on every design that the reference fits."""
    fitted = {}
    for name, spec in designs(slopes, kinds, first):
        try:
            fitted[name] = spec, find(REFERENCE).fit(spec)
        except LmerBridgeError as error:
            print(f"{name} is skipped: {error}", flush=True)
    for (name, (spec, fit)), optimum in zip(fitted.items(), optima([spec for spec, _ in fitted.values()]), strict=True):
        for engine in engines:
            yield Judgement(name, engine, judge_candidate(spec, REFERENCE, fit, find(engine)), optimum)


def table(found, engines):
    """Rates by engine, a row each."""
    rows = {}
    for engine in engines:
        mine = [j for j in found if j.engine == engine]
        gaps = [j.gap_error for j in mine if j.compared]
        counts = {name: sum(getattr(j, name) for j in mine) for name in ("gap_wrong", "false_alarm", "missed")}
        verdicts = Counter(str(j.result.verdict) for j in mine)
        unexplained = f"{100 * verdicts['unexplained'] / max(len(mine), 1):.1f} %"
        rows[engine] = {"designs": len(mine), "gaps": len(gaps), "largest_error": f"{max(gaps, default=0):.1e}"}
        rows[engine] |= counts | {"unexplained_rate": unexplained} | verdicts
    return pd.DataFrame(rows).T.fillna(0).T


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.trials", description=__doc__)
    parser.add_argument("--slopes", type=int, default=1000, help="how many small random slopes")
    parser.add_argument("--kinds", type=int, default=30, help="how many of each of ten other kinds")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--engine", action="append", help="may be repeated")
    given = parser.parse_args()
    engines, found = tuple(given.engine or ENGINES), []
    with suppress(KeyboardInterrupt):  # the table is then of what was judged
        for judgement in judgements(given.slopes, given.kinds, given.first, engines):
            found.append(judgement)
            if judgement.wrong or judgement.result.verdict in TOLD:
                print(judgement, "\n", flush=True)
    rates = table(found, engines)
    print(rates.to_string())
    unexplained = Counter(j.engine for j in found if j.result.verdict is Verdict.UNEXPLAINED)
    most = max(unexplained.values(), default=0)  # of one engine
    sys.exit(any(j.wrong for j in found) or most > len(found) / len(engines) / 100)


if __name__ == "__main__":
    main()
