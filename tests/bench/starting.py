"""What it costs to start: an import, and the first fit of a process."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from lmerbridge import load_dataset
from lmerbridge.parity.study.cpu import cpu_seconds
from tests.bench.cpu import ratio
from tests.bench.row import Row

IMPORT = "import numpy, pandas, time; t = time.process_time(); {}; print(time.process_time() - t)"
STARTED = """
import sys
seen = []
sys.addaudithook(lambda event, _: event in ("subprocess.Popen", "os.fork", "os.exec") and seen.append(event))
import lmerbridge
print(len(seen) + ("rpy2" in sys.modules))
"""
FIRST = """
import pandas
from lmerbridge import lmer
print(lmer("Reaction ~ Days + (Days | Subject)", pandas.read_csv({!r})).criterion)
"""
IN_R = "print(lme4::lmer(Reaction ~ Days + (Days | Subject), utils::read.csv({!r})))"


def python(script: str) -> str:
    """Run a script in a fresh Python, which has bytecode as after an installation, and return what it prints."""
    env = {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, env=env)
    return done.stdout


def rows() -> Iterator[Row]:
    started = int(python(STARTED))
    beyond = min(float(python(IMPORT.format("import lmerbridge"))) for _ in range(5))
    with_lmer = min(float(python(IMPORT.format("from lmerbridge import lmer"))) for _ in range(5))
    detail = f"with `lmer`: {with_lmer:.3f} s; processes started: {started}"
    yield Row("`import lmerbridge` beyond numpy and pandas", 0.10, beyond, "s", detail=detail)
    with tempfile.TemporaryDirectory() as folder:
        csv = str(Path(folder, "sleepstudy.csv"))
        load_dataset("sleepstudy").to_csv(csv, index=False)
        rscript = ["Rscript", "--vanilla", "-e", IN_R.format(csv)]
        first = ratio(
            7,
            lambda: cpu_seconds(lambda: python(FIRST.format(csv))),
            lambda: cpu_seconds(lambda: subprocess.run(rscript, capture_output=True, check=True)),
        )
    yield Row.of("first fit of a fresh process / `Rscript --vanilla -e 'lme4::lmer(...)'`", 1.5, first)
