"""What the pages and the files of .github say holds: links, paths, make targets, the Pythons that are tested."""

import re
import tomllib

import pytest
import yaml
from hatchling.builders.sdist import SdistBuilder
from hypothesis import settings

from tests.pages import DOCS, PAGES, ROOT, entries

GITHUB = ROOT / ".github"
DOCUMENTS = (*PAGES, *sorted(GITHUB.glob("*.md")))
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
FORMS = [path for path in sorted((GITHUB / "ISSUE_TEMPLATE").glob("*.yml")) if path.stem != "config"]
FENCE = re.compile(r"^```([\w{}-]*)(?: \S+)?\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SPAN = re.compile(r"`([^`]+)`")
LINK = re.compile(r"\]\(([^)\s]+)\)")
PATH = re.compile(r"(?:lmerbridge|tests|r|docs|reports|\.github|\.ci)/[\w./-]*")
MAKE = re.compile(r"\bmake ([a-z][a-z-]*)")
TARGETS = set(re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
INPUTS = {"input", "textarea", "dropdown", "checkboxes"}


def name_of(path):
    return path.relative_to(ROOT).as_posix()


def prose(text):
    """A page without its blocks of code."""
    return FENCE.sub("", text)


def links(text):
    """Where a page's links inside the project lead."""
    return [
        link
        for link in LINK.findall(SPAN.sub("", prose(text).replace("[`", "[").replace("`]", "]")))
        if "://" not in link
    ]


def anchors(text):
    """What GitHub makes of a page's headings, for links."""
    headings = re.findall(r"^#+ (.*)$", prose(text), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


def leads_somewhere(link, page):
    """Whether there is a file behind a link, and in it the heading."""
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    return target.exists() and target.is_relative_to(ROOT) and (not anchor or anchor in anchors(target.read_text()))


def paths(text):
    """The paths that a page names in its prose."""
    return {span for span in SPAN.findall(prose(text)) if PATH.fullmatch(span)}


def targets(text):
    """The make targets that a page names, in its prose and on command lines."""
    lines = [code for language, code in FENCE.findall(text) if language in ("console", "yaml")]
    return {target for code in [*lines, *SPAN.findall(prose(text))] for target in MAKE.findall(code)}


def workflow(path):
    """A workflow; YAML 1.1 reads its key `on` as true."""
    return {("on" if key is True else key): value for key, value in yaml.safe_load(path.read_text()).items()}


def faults(workflow):
    """What GitHub or a reader would not take in a workflow."""
    jobs = workflow["jobs"]
    found = [name for name in ("name", "on", "permissions") if name not in workflow]
    for name, job in jobs.items():
        found += [f"{name}: {key}" for key in ("runs-on", "timeout-minutes", "steps") if key not in job]
        needs = job.get("needs", [])
        found += [
            f"{name} needs {other}" for other in ([needs] if isinstance(needs, str) else needs) if other not in jobs
        ]
        found += [f"{name}: {step}" for step in job.get("steps", []) if ("uses" in step) == ("run" in step)]
        used = [step["uses"] for step in job.get("steps", []) if "uses" in step]
        found += [f"{name}: {action}" for action in used if not re.fullmatch(r"[\w-]+/[\w-]+@(release/)?v\d+", action)]
    return found


def matrices(workflow):
    return [job["strategy"]["matrix"]["python"] for job in workflow["jobs"].values() if "strategy" in job]


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_every_link_of_a_page_leads_to_a_file_and_a_heading(page):
    assert [link for link in links(page.read_text()) if not leads_somewhere(link, page)] == []


@pytest.mark.parametrize("page", DOCUMENTS, ids=name_of)
def test_every_path_that_a_page_names_is_there(page):
    assert {path for path in paths(page.read_text()) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", [*DOCUMENTS, *WORKFLOWS], ids=name_of)
def test_every_make_target_that_is_named_is_one(page):
    text = page.read_text()
    assert (targets(text) if page.suffix == ".md" else set(MAKE.findall(text))) - TARGETS == set()


def test_contributing_tells_of_every_make_target():
    assert TARGETS - {"help"} <= targets((GITHUB / "CONTRIBUTING.md").read_text())


def test_a_false_link_path_and_target_are_noticed():
    page = ROOT / "docs" / "small.md"
    text = "# A\n\n[x](nowhere.md) [`y`](decisions.md#nothing) [z](#a) `tests/nothing.py` `make nothing`\n"
    assert [leads_somewhere(link, page) for link in links(text)[:2]] == [False, False]
    assert links(text)[2] == "#a"
    assert anchors(text) == {"a"}
    assert paths(text) == {"tests/nothing.py"}
    assert targets(text) == {"nothing"}
    assert targets("```console\n$ make nowhere\n```\n") == {"nowhere"}


def next_pages(page):
    """The pages that a page leads to, by its links and by its list of pages."""
    linked = [(page.parent / link.partition("#")[0]).resolve() for link in links(page.read_text())]
    return {*linked, *(entries(page) if page.is_relative_to(DOCS) else ())} & {*PAGES}


def test_readme_is_short_and_leads_to_every_page():
    assert (ROOT / "README.md").read_text().count("\n") < 200
    reached, found = set(), {ROOT / "README.md"}
    while found:
        reached |= found
        found = set().union(*map(next_pages, found)) - reached
    assert reached == {*PAGES} - {DOCS / "index.md"}  # the site's own first page


def test_a_decision_takes_three_lines():
    decisions = re.split(r"^- ", (ROOT / "docs" / "decisions.md").read_text(), flags=re.MULTILINE)[1:]
    assert len(decisions) > 20
    assert [text for text in decisions if text.partition("\n\n")[0].strip().count("\n") >= 3] == []


def test_the_source_archive_carries_the_pages():
    carried = {file.distribution_path for file in SdistBuilder(str(ROOT)).recurse_included_files()}
    assert {*map(name_of, PAGES), "tests/pages.py", "CITATION.cff"} <= carried


@pytest.mark.parametrize("path", WORKFLOWS, ids=name_of)
def test_a_workflow_is_one_that_github_takes(path):
    assert faults(workflow(path)) == []
    assert workflow(path)["permissions"] == {"contents": "read"}


def test_a_broken_workflow_is_noticed():
    steps = [{"uses": "actions/checkout@main"}, {"uses": "actions/checkout@v4", "run": "ls"}]
    broken = {"name": "x", "jobs": {"a": {"runs-on": "ubuntu-latest", "needs": "b", "steps": steps}}}
    assert len(faults(broken)) == 6


def test_the_tests_run_on_every_python_that_the_package_is_for():
    oldest = int(PROJECT["requires-python"].removeprefix(">=3."))
    told = [text.rpartition(" ")[2] for text in PROJECT["classifiers"] if ":: Python :: 3." in text]
    assert told == [f"3.{oldest + i}" for i in range(len(told))]
    assert [matrix for path in WORKFLOWS for matrix in matrices(workflow(path))] == [told]


def test_the_nightly_profile_of_hypothesis_is_registered():
    jobs = workflow(GITHUB / "workflows" / "nightly.yml")["jobs"].values()
    for job in jobs:
        assert settings.get_profile(job["env"]["HYPOTHESIS_PROFILE"]) is not None


@pytest.mark.parametrize("path", FORMS, ids=name_of)
def test_a_form_of_an_issue_asks_by_fields_that_have_names(path):
    form = yaml.safe_load(path.read_text())
    assert {"name", "description", "labels", "body"} <= set(form)
    asked = [field for field in form["body"] if field["type"] != "markdown"]
    assert {field["type"] for field in asked} <= INPUTS
    assert len({field["id"] for field in asked}) == len(asked)
    assert all(field["attributes"]["label"] for field in asked)


def test_a_commit_is_held_to_the_commands_of_make_test():
    (repo,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repo["repo"] == "local"
    makefile = (ROOT / "Makefile").read_text()
    assert all(hook["entry"].removesuffix(" --force-exclude") in makefile for hook in repo["hooks"])


def test_the_citation_is_of_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (citation["title"], citation["version"]) == (PROJECT["name"], PROJECT["version"])
    assert citation["license"] == PROJECT["license"]
