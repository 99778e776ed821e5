"""The referee on designs that nobody chose: ``python -m tests.trials --slopes 1000 --kinds 30 --glmm 100``.

Small random slopes, and ten other kinds of linear model, are fitted by several engines and judged against
``lme4[bobyqa]``, generalized models of eight kinds against ``lme4[tight]``. Plain R then finds the lowest criterion of
each from many starts, and knows nothing of the referee. A table says how often a gap is not that to R's optimum, a
verdict leaves a difference unexplained, or is an alarm for nothing.
"""

import argparse
import subprocess
import sys
import tempfile
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
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
SOUND = ("nlme", "mixedlm", "lme4", "glmmTMB")  # by all that is known: any other finding is an alarm for nothing
TIGHT = "lme4[tight]"  # the reference of generalized models
ENGINES_GLMM = ("glmmTMB", "mixedlm", "lme4")
SCRIPTS = Path(__file__).parent / "cases"
SHORT = 1e-2  # deviance units, the referee's own limit
TOLD = (Verdict.UNEXPLAINED, Verdict.OTHER_OBJECTIVE)  # to be looked into
RIGHT = {False: (1e-3, 1e-2), True: (1e-5, 1e-2)}  # absolute and relative: how near the gap must be to R's


@dataclass(frozen=True, eq=False)
class Judgement:
    """One engine's verdict on one design, beside R's optimum."""

    design: str
    engine: str
    result: Comparison
    optimum: float

    @property
    def early(self):
        """Whether lme4's criterion is what its inner iterations leave, as it must be by default."""
        return str(self.result.cause.figures.get("constant", "")).startswith("pirls_tolerance")

    @property
    def true_gap(self):
        return self.result.candidate_fit.criterion - self.optimum

    @property
    def compared(self):
        """Whether there is a gap, and the criterion that the engine reports is the common one."""
        early = self.result.family and self.engine == "lme4"  # whose criterion may be that of another point
        return bool(self.result.gap) and self.result.verdict is not Verdict.OTHER_OBJECTIVE and not early

    @property
    def gap_error(self):
        return abs(self.result.gap[self.engine] - self.true_gap)

    @property
    def gap_wrong(self):
        absolute, relative = RIGHT[bool(self.result.family)]
        return self.compared and not self.gap_error <= absolute + relative * abs(self.true_gap)

    @property
    def false_alarm(self):
        """Whether a sound engine is blamed for what is not so."""
        short = self.result.verdict in (Verdict.OTHER_OPTIMUM, Verdict.BOTH_SHORT)
        excused = self.result.verdict.agrees or not self.result.verdict.compared
        excused |= self.result.worse == self.result.reference or self.early
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


def generalized_designs(count, first):
    """So many generalized models, of each kind in turn."""
    kinds = list(simulated.GENERALIZED)
    for i in range(count):
        kind, seed = kinds[i % len(kinds)], first + i // len(kinds)
        yield f"{kind} {seed}", simulated.generalized(kind, seed)


def optima(specs, script="optimum.R"):
    """The lowest criterion of each, by plain R."""
    with tempfile.TemporaryDirectory() as folder:
        table = [
            {"file": f"{i}.csv", "formula": s.formula, "reml": str(s.reml).upper(), "family": s.kind.family}
            | {"weighted": str(s.weights == "w").upper()}
            for i, s in enumerate(specs)
        ]
        for row, spec in zip(table, specs, strict=True):
            spec.data.to_csv(Path(folder, row["file"]), index=False)
        pd.DataFrame(table).to_csv(Path(folder, "models.csv"), index=False)
        subprocess.run(["Rscript", "--vanilla", str(SCRIPTS / script), folder], check=True)
        return pd.read_csv(Path(folder, "optima.csv"))["optimum"].tolist()


def judgements(models, reference, engines, script="optimum.R"):
    """Judge every engine on every design that the reference fits."""
    fitted = {}
    for name, spec in models:
        try:
            fitted[name] = spec, find(reference).fit(spec)
        except LmerBridgeError as error:
            print(f"{name} is skipped: {error}", flush=True)
    lowest = optima([spec for spec, _ in fitted.values()], script) if fitted else []
    for (name, (spec, fit)), optimum in zip(fitted.items(), lowest, strict=True):
        shared = {}
        for engine in engines:
            yield Judgement(name, engine, judge_candidate(spec, reference, fit, find(engine), None, shared), optimum)


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
    parser.add_argument("--glmm", type=int, default=0, help="how many generalized models, of eight kinds")
    parser.add_argument("--first", type=int, default=1000, help="the first seed")
    parser.add_argument("--engine", action="append", help="may be repeated")
    given = parser.parse_args()
    linear = judgements(designs(given.slopes, given.kinds, given.first), REFERENCE, tuple(given.engine or ENGINES))
    models = generalized_designs(given.glmm, given.first)
    others = judgements(models, TIGHT, tuple(given.engine or ENGINES_GLMM), "optimum_glmm.R")
    found = []
    with suppress(KeyboardInterrupt):  # the table is then of what was judged
        for judgement in chain(linear, others):
            found.append(judgement)
            if judgement.wrong or (judgement.result.verdict in TOLD and not judgement.early):
                print(judgement, "\n", flush=True)
    engines = tuple(dict.fromkeys(judgement.engine for judgement in found))
    rates = table(found, engines)
    print(rates.to_string())
    unexplained = Counter(j.engine for j in found if j.result.verdict is Verdict.UNEXPLAINED)
    most = max(unexplained.values(), default=0)  # of one engine
    sys.exit(any(j.wrong for j in found) or most > len(found) / max(len(engines), 1) / 100)


if __name__ == "__main__":
    main()
