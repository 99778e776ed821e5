"""Each extra in an environment of its own: ``python -m tests.extras [EXTRA ...]``, where - is none.

pip installs lmerbridge with one extra, and the rpy2 that fits R. What the extra is for then works. What another is for
works too, as a package came along, or is an error of ours that has the line for pip. It needs R with lme4, a compiler
and a registry, and takes about a minute per extra.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

import pandas as pd

from lmerbridge.setup.compat import rinterface_requirement
from lmerbridge.setup.installation import ask_r

ROOT = Path(__file__).parents[1]
EXTRAS: dict[str, list[str]] = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
PROBES = {  # extra: what it is for
    "plot": ["fit.plot_ranef()", "fit.check().plot()", "lmerbridge.report.check_formats(['html'])"],
    "cli": ["door('parity', '--help')", "fit.bootstrap(nsim=2, seed=1, progress=True)"],
    "arrow": [
        "lmerbridge.lmer(fit.formula, Table())",
        "fit.bootstrap(nsim=2, seed=1, store='store')",
        "lmerbridge.inputs.read_table(pathlib.Path('data.parquet'))",
    ],
    "dask": ["lmerbridge.parallel.backend('dask://nowhere').__enter__()"],
    "marginaleffects": ["lmerbridge.to_marginaleffects(fit)"],
    "sklearn": ["lmerbridge.LmerRegressor(fit.formula)"],
    "tables": [f"lmerbridge.model_table(fit).to_{form}" for form in ("html()", "latex()", "docx('table.docx')")],
    "shap": ["fit.contributions().explanation()"],
    "mixedlm": ["compare('mixedlm')"],
    "interlace": ["compare('interlace')"],
    "engines": ["compare('glmm')", "compare('mixedlm-rs')", "compare('lme-python')", "compare('gpboost')"],
}
SCRIPT = """
import json, pathlib, sys, warnings
import lmerbridge, lmerbridge.inputs, lmerbridge.parallel, lmerbridge.report
from lmerbridge.errors import LmerBridgeError, SetupError

warnings.simplefilter("ignore")
sleepstudy = lmerbridge.load_dataset("sleepstudy")
fit = lmerbridge.lmer("Reaction ~ Days + (Days | Subject)", sleepstudy)
assert round(fit.criterion, 4) == 1743.6283, fit.criterion

class Table:  # what polars, duckdb and others hand over
    def __arrow_c_stream__(self, schema=None):
        import pyarrow
        return pyarrow.Table.from_pandas(sleepstudy).__arrow_c_stream__(schema)

def door(*words):
    from lmerbridge.__main__ import enter
    sys.argv = ["lmerbridge", *words]
    try:
        enter()
    except SystemExit as end:
        if end.code:
            raise SetupError(end.code)

def compare(engine):
    result = lmerbridge.compare("Reaction ~ Days + (1 | Subject)", sleepstudy, candidate=engine, reml=False)
    if result.verdict == "engine_failed":
        raise SetupError(result.reason)

def outcome(probe):
    try:
        eval(probe)
    except LmerBridgeError as error:
        return str(error)
    except Exception as error:
        return f"{FOREIGN}{type(error).__name__}: {error}"

probes, FOREIGN = json.loads(sys.argv[1]), sys.argv[2]
print(json.dumps({probe: outcome(probe) for probe in probes}))
"""
FOREIGN = "not ours: "


def closure(extra: str) -> set[str]:
    """Return an extra with those that it takes with it."""
    taken = [part.partition("[")[2].rstrip("]") for part in EXTRAS.get(extra, []) if part.startswith("lmerbridge[")]
    return {extra}.union(*(closure(name) for each in taken for name in each.split(",")))


def fault(extra: str, told: str | None, *, meant: bool) -> bool:
    """Return whether what a probe told is not as it should be."""
    if told is None or "cannot be reached" in told:  # as the cluster of dask that is asked for
        return False
    return meant or told.startswith(FOREIGN) or ("installed" in told and "pip install 'lmerbridge[" not in told)


def install(extra: str, folder: Path, rpy2: str) -> Path:
    """Return the Python of a new environment that has lmerbridge with one extra."""
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    named = f"{ROOT}[{extra}]" if extra else str(ROOT)
    pip = [python, "-m", "pip", "install", "-q", named, *([] if extra == "r" else [rpy2])]
    subprocess.run(pip, check=True, env=os.environ | {"RPY2_CFFI_MODE": "API"})
    return python


def outcomes(python: Path | str, folder: Path, before: str = "") -> dict[str, str | None]:
    """Return what each probe told, None where it worked, after some code was run."""
    pd.DataFrame({"x": [1.0]}).to_parquet(folder / "data.parquet")
    probes = json.dumps([probe for each in PROBES.values() for probe in each])
    done = subprocess.run(
        [python, "-c", before + SCRIPT, probes, FOREIGN], text=True, capture_output=True, cwd=folder, check=False
    )
    if done.returncode:
        raise SystemExit(done.stderr)
    told: dict[str, str | None] = json.loads(done.stdout.splitlines()[-1])
    return told


def trial(extra: str, folder: Path, rpy2: str) -> int:
    """Return how many probes fail with an extra, and print what each told."""
    told, meant, faults = outcomes(install(extra, folder / "venv", rpy2), folder), closure(extra), 0
    for name, probes in PROBES.items():
        for probe in probes:
            wrong = fault(extra, told[probe], meant=name in meant)
            faults += wrong
            print(f"{'✗' if wrong else '✓'} [{extra}] {probe}: {told[probe] or 'works'}", flush=True)
    return faults


def main(asked: list[str]) -> int:
    """Try the extras that are asked for, or all but `r`, which is for newer R, where R is older."""
    rpy2, faults = rinterface_requirement(ask_r([])["R"]), 0
    for extra in asked or ["-", *(extra for extra in EXTRAS if extra != "r" or "<" not in rpy2)]:
        with tempfile.TemporaryDirectory() as folder:
            faults += trial(extra.strip("-"), Path(folder), rpy2)
    print(f"{faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
