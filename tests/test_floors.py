"""Imports go down only: the floors of the house, and who alone may import what."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

from tests.processes import run

PACKAGE = Path(__file__).parents[1] / "lmerbridge"
FLOORS = (  # from the ground up: a package or a module imports from its own floor and from those below it
    "errors",
    "files formula results setup parallel text",
    "inputs drawing",
    "bridge",
    "models datasets prepare translate",
    "engines doctor",
    "parity",
    "report",
    "__init__ __main__ cli plugin",
)
FLOOR = {room: floor for floor, rooms in enumerate(FLOORS) for room in rooms.split()}
SOLE_IMPORTERS = {
    "rpy2": {"bridge.boot", "bridge.worker"},
    "statsmodels": {"engines.statsmodels"},
    "mixedlm": {"engines.mixedlm"},
    "interlace": {"engines.interlace"},
    "glmm": {"engines.glmm"},
    "mixedlm_rs": {"engines.mixedlm_rs"},
    "lme_python": {"engines.lme_python"},
    "gpboost": {"engines.gpboost"},
    "marginaleffects": {"models.adapters.marginal"},
    "polars": {"models.adapters.marginal"},
    "sklearn": {"models.adapters.sklearn"},
}
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(PACKAGE.rglob("*.py"))
}


def imports(source, package=None):
    """Full names of the modules that a source imports; relative imports are for the stub of a package."""
    found = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert package or not node.level, "imports are absolute here"
            module = f"{package}.{node.module}" if node.level else node.module
            inner = {f"{module}.{alias.name}" for alias in node.names}
            modules = {name for name in inner if name.removeprefix("lmerbridge.") in MODULES}
            found |= modules | ({module} if inner - modules else set())
    return found


def ours(name):
    """Modules of our own that a module imports, at once or, as its stub says, when a name is first used."""
    found = imports(MODULES[name].read_text())
    stub = MODULES[name].with_suffix(".pyi")
    if stub.exists():
        found |= imports(stub.read_text(), ".".join(("lmerbridge", *stub.relative_to(PACKAGE).parts[:-1])))
    return {module.removeprefix("lmerbridge.") for module in found if module.startswith("lmerbridge.")}


def floor(name):
    return FLOOR[name.partition(".")[0]]


@pytest.mark.parametrize("name", MODULES)
def test_a_module_has_a_floor_and_imports_from_no_higher_one(name):
    assert name.partition(".")[0] in FLOOR, f"give {name} a floor in this table"
    assert {other for other in ours(name) if floor(other) > floor(name)} == set()


def test_no_imports_run_in_a_circle():
    assert len(list(TopologicalSorter({name: ours(name) for name in MODULES}).static_order())) >= len(MODULES)


def test_no_engine_knows_another():
    engines = {name for name in MODULES if name.startswith("engines.")}
    assert engines
    assert {(name, other) for name in engines for other in ours(name) & engines} == set()


@pytest.mark.parametrize("library", SOLE_IMPORTERS)
def test_a_foreign_engine_is_imported_in_one_place(library):
    found = {
        name
        for name, path in MODULES.items()
        if any(module.partition(".")[0] == library for module in imports(path.read_text()))
    }
    assert found == SOLE_IMPORTERS[library]


SOURCES = {
    "import lmerbridge.parity.suite as s": {"lmerbridge.parity.suite"},
    "from lmerbridge.bridge import host": {"lmerbridge.bridge.host"},
    "from lmerbridge.results.fit import Fit": {"lmerbridge.results.fit"},
    "from lmerbridge import datasets, lmer": {"lmerbridge", "lmerbridge.datasets"},
    "def f():\n    import rpy2.rinterface": {"rpy2.rinterface"},
    "try:\n    import rpy2\nexcept ImportError:\n    pass": {"rpy2"},
    "if TYPE_CHECKING:\n    import rpy2": {"rpy2"},
}


@pytest.mark.parametrize("source", SOURCES)
def test_an_import_is_found_wherever_it_stands(source):
    assert imports(source) == SOURCES[source]


HEAVY = {"dask", "jinja2", "joblib", "matplotlib", "patsy", "rich", "rpy2", "scipy", "statsmodels", "typer"}


def test_to_fit_a_model_loads_nothing_heavy():
    loaded = run("import sys; from lmerbridge import lmer; print(*sys.modules)").split()
    assert HEAVY & {name.partition(".")[0] for name in loaded} == set()
