"""The extra `engines` brings all that its engines need: other packages, which a machine may have, are hidden here."""

import re
import subprocess
import sys
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, packages_distributions, requires

from packaging.requirements import Requirement

ENGINES = ("statsmodels", "mixedlm", "interlace", "glmm", "mixedlm-rs", "lme-python", "gpboost", "gpboost[cholesky]")
GENERALIZED = ("mixedlm", "interlace", "glmm", "lme-python", "gpboost", "gpboost[cholesky]")
FIT = """
from importlib.machinery import PathFinder

find = PathFinder.find_spec
PathFinder.find_spec = lambda name, *where: None if name.partition(".")[0] in HIDDEN else find(name, *where)

from lmerbridge import engines, load_dataset
from lmerbridge.inputs import GlmerSpec, Spec

MODELS = {
    "linear": Spec(formula="Reaction ~ Days + (1 | Subject)", data=load_dataset("sleepstudy"), reml=False),
    "generalized": GlmerSpec(formula="TICKS ~ YEAR + (1 | BROOD)", data=load_dataset("grouseticks"), family="poisson"),
}
for engine in NAMES:
    adapter = engines.find(engine)
    for kind, spec in MODELS.items():
        if kind == "linear" or "glmm" in adapter.capabilities:
            print("fitted", engine, kind, list(adapter.fit(spec).beta))
"""


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def closure(requirement: Requirement, extra: str = "", seen: set[tuple[str, str]] | None = None) -> Iterator[str]:
    """Names of what a requirement installs, itself among them."""
    seen = set() if seen is None else seen
    for part in ("", *requirement.extras):
        if (key := (plain(requirement.name), part)) in seen:
            continue
        seen.add(key)
        yield key[0]
        try:
            needed = map(Requirement, requires(requirement.name) or ())
        except PackageNotFoundError:
            continue
        for need in needed:
            if need.marker is None or need.marker.evaluate({"extra": part}):
                yield from closure(need, part, seen)


def hidden_modules() -> set[str]:
    """Modules that are here, and that a machine with the extra alone does not have."""
    kept = {*closure(Requirement("lmerbridge[cli,plot,engines]")), "rpy2-rinterface", "setuptools"}
    return {name for name, owners in packages_distributions().items() if not kept & set(map(plain, owners))}


def test_every_engine_fits_with_nothing_but_what_the_extra_installs():
    hidden = hidden_modules()
    assert "sphinx" in hidden or "pytest" in hidden
    script = f"HIDDEN = {hidden!r}\nNAMES = {ENGINES!r}\n{FIT}"
    ran = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False, timeout=300)
    assert ran.returncode == 0, ran.stderr
    fitted = [line.split()[1:3] for line in ran.stdout.splitlines() if line.startswith("fitted ")]
    assert [engine for engine, kind in fitted if kind == "linear"] == list(ENGINES)
    assert [engine for engine, kind in fitted if kind == "generalized"] == [*GENERALIZED]
