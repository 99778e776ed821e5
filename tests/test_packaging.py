"""What others build lmerbridge from: metadata, the conda recipe, the Dockerfile, the dev container, the release."""

import json
import re
import tomllib
from email.parser import Parser
from importlib.metadata import metadata

import pytest
import yaml

from lmerbridge.setup.compat import SUPPORTED, fits, parse_version
from lmerbridge.setup.packages import package_names
from tests.pages import ROOT

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = PROJECT["optional-dependencies"]
PACKAGING = ROOT / ".github" / "packaging"
RECIPE = yaml.safe_load((PACKAGING / "conda" / "recipe.yaml").read_text())
ENVIRONMENT = yaml.safe_load((PACKAGING / "conda" / "environment.yml").read_text())
DOCKERFILE = (PACKAGING / "Dockerfile").read_text()
TRIAL = (ROOT / ".ci" / "docker").read_text()  # which runs its steps
FRESH = (ROOT / ".ci" / "fresh").read_text()
R_PACKAGES = package_names("conda", ["lme4", "lmerTest", "pbkrtest", "emmeans"])
CONDA = {"matplotlib": "matplotlib-base"}  # what conda calls otherwise
SPEC = re.compile(r"[a-z0-9_-]+( [<>=]*[\d._*]+(,[<>=]+[\d.]+)*)?|libblas \* \*openblas")


def named(requirements):
    """Requirements of Python, by name, with their versions."""
    split = (re.match(r"([\w-]+)(.*)", requirement).groups() for requirement in requirements)
    return {CONDA.get(name, name): version for name, version in split}


def specs(of_conda):
    return {name: version for name, _, version in (str(spec).partition(" ") for spec in of_conda)}


def test_the_metadata_tells_who_for_what_and_invents_no_address():
    assert PROJECT["authors"] == [{"name": "lmerbridge developers"}]
    assert "urls" not in PROJECT
    told = [text.partition(" :: ")[0] for text in PROJECT["classifiers"]]
    assert {"Development Status", "Operating System", "Programming Language", "Typing"} <= set(told)


def test_the_page_of_pypi_has_no_link_that_leads_nowhere_there():
    told = metadata("lmerbridge")
    text = told["Description"] or Parser().parsestr(str(told)).get_payload()
    assert "# lmerbridge" in text
    links = re.findall(r"\]\(([^)]*)\)", text)
    assert links
    assert [link for link in links if not link.startswith("https://")] == []


@pytest.mark.parametrize(
    "of_conda", [RECIPE["requirements"]["run"], ENVIRONMENT["dependencies"]], ids=["recipe", "env"]
)
def test_conda_takes_the_versions_that_pip_does_and_rpy2_by_its_r(of_conda):
    found = specs(of_conda)
    assert [spec for spec in of_conda if not SPEC.fullmatch(spec)] == []
    wanted = named([*PROJECT["dependencies"], *EXTRAS["cli"]])
    assert {name: found.get(name) for name in wanted} == wanted
    assert found["python"] == PROJECT["requires-python"]
    assert set(R_PACKAGES) <= set(found)
    r, rpy2 = (found[name].strip(">=.*") for name in ("r-base", "rpy2"))
    assert fits(f"{r}.0", rpy2)
    assert found["r-lme4"] == f">={SUPPORTED['lme4'].first.replace('-', '_')}"


def test_the_recipe_is_of_this_version_and_this_door():
    assert RECIPE["context"]["version"] == PROJECT["version"]
    (door,) = RECIPE["build"]["python"]["entry_points"]
    assert door == f"lmerbridge = {PROJECT['scripts']['lmerbridge']}"
    assert set(RECIPE) <= {
        *("schema_version", "context", "package", "source", "build", "requirements", "tests", "about", "extra")
    }
    host = {spec.partition(" ")[0] for spec in RECIPE["requirements"]["host"]}
    assert set(named(tomllib.loads((ROOT / "pyproject.toml").read_text())["build-system"]["requires"])) <= host


def test_the_dockerfile_installs_by_setup_and_knows_only_steps_that_are_tried():
    steps = set(re.findall(r"^([A-Z]+) ", DOCKERFILE, re.MULTILINE))
    known = set(re.findall(r"[A-Z]{2,}", " ".join(re.findall(r"^ {8}([A-Z |]+)\)", TRIAL, re.MULTILINE))))
    assert {"RUN", "COPY"} <= steps <= known
    assert "lmerbridge setup --yes" in DOCKERFILE
    (extras,) = re.findall(r"/src\[([a-z,]+)\]", DOCKERFILE)
    assert set(extras.split(",")) <= set(EXTRAS)


def test_the_dev_container_begins_with_what_a_fresh_root_has():
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
    (contents,) = re.findall(r"^contents=(\S+)", FRESH, re.MULTILINE)
    assert set(contents.split(",")) <= set(container["onCreateCommand"].split())
    assert container["postCreateCommand"] == "make setup-dev"


def test_the_changelog_has_a_dated_section_of_this_version_before_those_of_older_ones():
    told = re.findall(r"^## (\d[\d.]*) - (\d{4}-\d\d-\d\d)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert told[0][0] == PROJECT["version"]
    assert told == sorted(told, key=lambda section: parse_version(section[0]), reverse=True)
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (str(citation["date-released"]), citation["authors"]) == (told[0][1], [PROJECT["authors"][0]])


def test_only_a_tag_publishes_and_pypi_trusts_the_workflow():
    release = yaml.safe_load((ROOT / ".github" / "workflows" / "release.yml").read_text())
    assert release[True] == {"push": {"tags": ["v*"]}}  # YAML 1.1 reads `on` as true
    publish = release["jobs"]["publish"]
    assert publish["permissions"] == {"id-token": "write"}
    assert set(publish["needs"]) == set(release["jobs"]) - {"publish"}
    assert "password" not in json.dumps(publish)


def test_pre_releases_of_what_numbers_come_from_are_tried_each_week():
    weekly = yaml.safe_load((ROOT / ".github" / "workflows" / "weekly.yml").read_text())
    assert weekly[True]["schedule"]
    (job,) = weekly["jobs"].values()
    (install,) = (step["run"] for step in job["steps"] if "--pre" in step.get("run", ""))
    assert {"numpy", "pandas", "statsmodels"} <= set(install.split())
    assert "compat.py" in install  # the rpy2 that loads into this R
