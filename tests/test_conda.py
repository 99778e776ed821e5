"""The conda recipe and environment have an answer: rattler, the solver of pixi, is asked of a small channel.

No channel is fetched. The one here has what the recipe names as conda-forge builds it: rpy2 once for each R and Python,
which it pins, R's packages once for each R, and an older release of each, which is not to be taken.
"""

import asyncio
import json

import pytest
import rattler
from rattler.exceptions import SolverError

from tests.test_packaging import ENVIRONMENT, EXTRAS, PROJECT, R_PACKAGES, RECIPE, named, specs

RUN, ENV = RECIPE["requirements"]["run"], ENVIRONMENT["dependencies"]
RS, PYTHONS = ("4.4", "4.5"), ("3.10", "3.11", "3.13")
OLD = "0.0.1"


def record(name, version, depends=(), build="0"):
    """A package as a channel lists it."""
    told = {"name": name, "version": version, "build": build, "build_number": 0, "depends": list(depends)}
    return f"{name}-{version}-{build}.conda", told | {"subdir": "linux-64"}


def below(version):
    """A pin to a minor release, as conda-forge's `run_exports` has it."""
    major, minor = map(int, version.split("."))
    return f">={version},<{major}.{minor + 1}.0a0"


def of_r(name, version, build=""):
    """Builds of a package, one per R."""
    return [record(name, version, [f"r-base {below(r)}"], f"r{r.replace('.', '')}{build}") for r in RS]


def packages(rpy2_for=RS):
    """Everything in the channel, where rpy2 was built for some R."""
    python = [record("python", f"{version}.2") for version in PYTHONS]
    r = [record("r-base", f"{version}.1") for version in RS]
    rpy2 = [
        record("rpy2", version, [f"python {below(p)}", f"r-base {below(r)}"], f"py{p}r{r}".replace(".", ""))
        for version, its_rs in (("3.6.1", RS), ("3.6.6", rpy2_for))
        for r in its_rs
        for p in PYTHONS
    ]
    lme4 = [each for version in ("1.1_21", "1.1_37", "2.0_1") for each in of_r("r-lme4", version)]
    others = [each for name in R_PACKAGES if name != "r-lme4" for each in of_r(name, "3.1_3")]
    wanted = named([*PROJECT["dependencies"], *EXTRAS["cli"], *EXTRAS["plot"]])
    pure = [record(name, v) for name, version in wanted.items() for v in (OLD, version.strip(">="))]
    return dict(
        [*python, *r, *rpy2, *lme4, *others, *pure, record("pip", "25.0"), record("libblas", "3.9", (), "1_openblas")]
    )


def solve(wanted, folder, channel):
    """Name and version of all that is to be installed."""
    for subdir, found in (("linux-64", channel), ("noarch", {})):
        (folder / subdir).mkdir()
        text = json.dumps({"info": {"subdir": subdir}, "packages": {}, "packages.conda": found})
        (folder / subdir / "repodata.json").write_text(text)
    found = rattler.solve([folder.as_uri()], [str(spec) for spec in wanted], platforms=["linux-64", "noarch"])
    return {each.name.normalized: (str(each.version), str(each.build)) for each in asyncio.run(found)}


@pytest.mark.parametrize(("wanted", "r"), [(RUN, "4.5.1"), (ENV, "4.5.1")], ids=["recipe", "environment"])
def test_the_solver_takes_new_releases_and_the_rpy2_of_that_r(wanted, r, tmp_path):
    found = solve(wanted, tmp_path, packages())
    assert set(specs(wanted)) <= set(found)
    assert (found["r-base"][0], found["python"][0]) == (r, "3.13.2")
    assert found["rpy2"] == ("3.6.6", "py313r45")
    assert found["r-lme4"] == ("2.0_1", "r45")
    assert OLD not in {version for version, _ in found.values()}


@pytest.mark.parametrize("wanted", [RUN, ENV], ids=["recipe", "environment"])
def test_there_is_no_answer_where_no_rpy2_was_built_for_that_r(wanted, tmp_path):
    with pytest.raises(SolverError, match="rpy2"):
        solve(wanted, tmp_path, packages(rpy2_for=("4.4",)))
