"""Other ways to fit a linear model beside R's lmer: ``python -m tests.bench.peers`` writes README's table.

CPU time of each with all that it starts, by one thread, in turns with R. A package that is not installed or does not
run is told with its reason. What its numbers are worth is read from ``reports/parity.json`` of the last report.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import median

import pandas as pd

from lmerbridge import load_dataset
from lmerbridge.parity.study.cpu import SETTLES, below, of_process, with_its_ended
from lmerbridge.setup.environment import environment
from tests.bench.fits import LARGE, SLEEPSTUDY, large
from tests.bench.rscript import Rscript

ROOT = Path(__file__).parents[2]
README, REPORT = ROOT / "README.md", ROOT / "reports" / "parity.json"
BEGIN, END = "<!-- peers: python -m tests.bench.peers writes this -->\n", "<!-- end of peers -->\n"
PEERS = {"lmerbridge": "lmerbridge", "mixedlm": "mixedlm", "lme-python": "lme_python", "pymer4": "pymer4"}
PENICILLIN = "diameter ~ 1 + (1 | plate) + (1 | sample)"
MODELS: dict[str, tuple[str, Callable[[], pd.DataFrame], int, int]] = {  # formula, data, pairs, fits in each
    "sleepstudy, 180 rows": (SLEEPSTUDY, lambda: load_dataset("sleepstudy"), 9, 4),
    "Penicillin, 144 rows": (PENICILLIN, lambda: load_dataset("Penicillin"), 9, 4),
    "30,000 rows, `(x \\| g)`": (LARGE, large, 5, 1),
}
IN_R = "{{ m <- lmer({}, d); list(fixef(m), vcov(m), as.data.frame(VarCorr(m)), sigma(m), logLik(m)) }}"


class Peer:
    """A process that fits one model in one way.

    Attributes
    ----------
    reason : str
        Why it cannot, "" where it can.
    """

    def __init__(self, name: str, csv: Path, formula: str) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.bench.peer", name, str(csv), formula],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            cwd=ROOT,
            env=environment() | {"RAYON_NUM_THREADS": "1"},
        )
        said = self._process.stdout.readline().strip()
        self.reason = "" if said == "ready" else said or "its process ends"

    def seconds(self, times: int) -> float:
        """CPU seconds of a fit, the mean of some."""
        before = self._used()
        self._process.stdin.write(f"{times}\n")
        self._process.stdin.flush()
        self._process.stdout.readline()
        return (self._used() - before) / times

    def _used(self) -> float:
        time.sleep(SETTLES)
        pid = self._process.pid
        return of_process(pid) + sum(map(with_its_ended, below(pid)))

    def end(self) -> None:
        self._process.communicate()


def compared(model: str) -> dict[str, str]:
    """What each way takes over R's lmer on a model, median of pairs, or why there is none; R's own milliseconds too."""
    formula, data, pairs, times = MODELS[model]
    with tempfile.TemporaryDirectory() as folder, Rscript(d=data()) as r:
        data().to_csv(csv := Path(folder, "data.csv"), index=False)
        peers = {name: Peer(module, csv, formula) for name, module in PEERS.items()}
        code, found = IN_R.format(formula), {name: list[float]() for name in peers}
        own = list[float]()
        r.seconds(code, 2)  # R compiles what it has met twice
        for _ in range(pairs):
            own.append(r.seconds(code, times))
            for name in (name for name, peer in peers.items() if not peer.reason):
                found[name].append(peers[name].seconds(times) / own[-1])
        for peer in peers.values():
            peer.end()
    told = {name: f"{median(each):.2f}" if each else peers[name].reason for name, each in found.items()}
    return {"R's lmer": f"{1e3 * median(own):.3g} ms"} | told


def worth(name: str) -> str:
    """What a way's numbers are worth: on how many linear fits of the suite they are right."""
    report = json.loads(REPORT.read_text())
    given = [*report["engines"], *report["references"]]
    own = [each for each in given if each["engine"].split()[0] == name and each.get("model", "linear") == "linear"]
    return "; ".join(f"right on {tally['right']} of {sum(tally.values())}" for tally in (each["tally"] for each in own))


def lines() -> Iterator[str]:
    """Yield the table, and a sentence on each way that could not be measured."""
    columns = {model: compared(model) for model in MODELS}
    yield "| | " + " | ".join(columns) + " | its linear fits, by the referee |"
    yield "|---|" + "--:|" * len(columns) + "---|"
    reasons = {}
    for name in ("R's lmer", *PEERS):
        cells = [column[name] for column in columns.values()]
        if not any(re.fullmatch(r"[\d.]+( ms)?", cell) for cell in cells):
            reasons[name] = cells[0]
            continue
        by = {"R's lmer": worth("lme4"), "lmerbridge": "R's own, to the last bit"}.get(name) or worth(name)
        yield f"| {_titled(name)} | " + " | ".join(cells) + f" | {by} |"
    for name, reason in reasons.items():
        yield f"\n{name} is not in it: `{reason}`."


def _titled(name: str) -> str:
    try:
        return f"{name} {version(name)}"
    except PackageNotFoundError:
        return name


def main() -> None:
    table = "\n".join(lines())
    print(table)
    before, _, rest = README.read_text().partition(BEGIN)
    after = rest.partition(END)[2]
    README.write_text(f"{before}{BEGIN}\n{table}\n\n{END}{after}")


if __name__ == "__main__":
    os.chdir(ROOT)
    main()
