"""The R half is a real package: it installs, exports what Python calls, and declares the packages it uses."""

import ast
import re
import subprocess
import tomllib
from itertools import chain
from pathlib import Path

import pytest

from lmerbridge.setup.compat import SUPPORTED
from lmerbridge.setup.environment import environment
from lmerbridge.setup.installation import find_rscript

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "r" / "R").glob("*.R"))
TOP_LEVEL = re.compile(r"^([\w.]+) <- ", re.MULTILINE)
FUNCTION = re.compile(r"^([\w.]+) <- function\(", re.MULTILINE)
CALLERS = {"call", "call_on", "ask", "keep", "keep_model"}  # what takes the name of an R function
NO_CALL = {  # exported, though no call of this shape names it
    "call_named": "call_packed() does its work by it",
    "call_packed": "the worker hands each call to it",
    "crossproduct": "lme4 finds its optimizers by name",
    "release": "call_named() does it before a call",
    "installed_facts": "the text of a script calls it",
    "load_errors": "the text of a script calls it",
    "print_facts": "the text of a script calls it",
    "formula_functions": "a test asks it which functions a formula may call",
}
ALWAYS_THERE = {"base", "package"}  # `package::function` is how a comment writes the name of any
INTERNALS = re.compile(r":::|asNamespace|getNamespace\(|getFromNamespace|getS3method|environment\(\w+\)")
SOURCED = """
functions <- new.env(parent = globalenv())
for (file in commandArgs(TRUE)) sys.source(file, functions)
invisible(eapply(functions, force, all.names = TRUE))
cat(ls(functions, all.names = TRUE), sep = "\\n")
"""
INSTALLED = """
library(lmerbridge, lib.loc = commandArgs(TRUE))
found <- fit_lmer("m", "Reaction ~ Days + (Days | Subject)", lme4::sleepstudy)
dropped <- drop1_of("m")$table.values.1
cat(format(c(found$criterion, found$theta, length(dropped), release("m")$kept), digits = 17), sep = "\\n")
"""


def text(path):
    return path.read_text("utf-8")


def r_functions():
    return set(chain.from_iterable(FUNCTION.findall(text(path)) for path in SOURCES))


def exports():
    return set(re.findall(r"^export\(([\w.]+)\)$", text(ROOT / "r" / "NAMESPACE"), re.MULTILINE))


def description():
    """Fields of DESCRIPTION by name."""
    return dict(re.findall(r"^([\w@]+): ((?:.|\n )*)$", text(ROOT / "r" / "DESCRIPTION"), re.MULTILINE))


def names_in_calls(source):
    """Names of R functions in a Python source; a name made of parts is each one that its strings can make."""
    tree = ast.parse(source)
    strings = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        callee = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        for argument in call.args if callee in CALLERS else ():
            match argument:
                case ast.Constant(value=str(name)):
                    yield name
                case ast.JoinedStr(values=parts):
                    made = {"".join(p.value if isinstance(p, ast.Constant) else s for p in parts) for s in strings}
                    yield from sorted(made & r_functions())
    # a field of a frozen value may hold the name of the function that fits, which is then no argument of a call
    yield from (string for string in strings & r_functions() if string.startswith("fit_"))


def called():
    return {name for path in (ROOT / "lmerbridge").rglob("*.py") for name in names_in_calls(text(path))}


@pytest.mark.parametrize(
    ("source", "found"),
    [
        ('host.call("dataset", name=name)', {"dataset"}),
        ('ask(self, "drop1_of", timeout=None)', {"drop1_of"}),
        ('model.worker.call("fit_lmer", snapshot, handle=h)', {"fit_lmer"}),
        ('host.keep("fit_lmlist", **given)', {"fit_lmlist"}),
        ('keep_model(spec, "refit_model_ml", of=h)', {"refit_model_ml"}),
        ('name = "nlme"\nself.call(f"fit_{name}")', {"fit_nlme"}),
        ('LMM = Kind(fit="fit_lmer", title="a model")', {"fit_lmer"}),
        ('fit.call("no_such_function")', {"no_such_function"}),
        ('getattr(frame, "collect")\nfound.get("restriction")', set()),
    ],
)
def test_a_call_from_python_is_found_by_the_name_it_gives(source, found):
    assert set(names_in_calls(source)) == found


def test_what_python_calls_is_a_function_of_the_package():
    assert called() - r_functions() == set()


def test_the_package_exports_what_python_calls_and_no_more():
    assert exports() == called() | set(NO_CALL)


def test_every_package_that_is_used_is_declared():
    packages = set(chain.from_iterable(re.findall(r"\b([A-Za-z][\w.]*[^\W_])::", text(path)) for path in SOURCES))
    fields = description()
    declared = set(
        re.findall(r"[A-Za-z][\w.]+", re.sub(r"\([^)]*\)", "", f"{fields['Imports']}, {fields['Suggests']}"))
    )
    assert packages - ALWAYS_THERE - declared == set()
    assert declared - {"testthat"} - packages == {"MASS"}  # a home of data sets, whose name is text


def test_the_description_says_what_the_python_package_says():
    project = tomllib.loads(text(ROOT / "pyproject.toml"))["project"]
    fields = description()
    assert fields["Version"] == project["version"]
    assert fields["License"].split()[0] == project["license"]
    assert fields["Depends"] == f"R (>= {SUPPORTED['R'].first})"
    assert f"lme4 (>= {SUPPORTED['lme4'].first})" in fields["Imports"]
    assert re.search(r"Copyright \(c\) (\d+) (.*)", text(ROOT / "LICENSE")).groups() == tuple(
        re.findall(r": (.*)", text(ROOT / "r" / "LICENSE"))
    )


def test_one_file_alone_reaches_into_another_package():
    reaching = [path.name for path in SOURCES if INTERNALS.search(text(path))]
    assert reaching == ["internals.R"]


def run(program, *arguments):
    """Run one of the programs of R and return what it prints, word by word."""
    command = [Path(find_rscript()).with_name(program), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False, env=environment())
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_sourcing_leaves_the_names_that_the_files_assign_and_no_other():
    assigned = set(chain.from_iterable(TOP_LEVEL.findall(text(path)) for path in SOURCES))
    assert set(run("Rscript", "--vanilla", "-e", SOURCED, *SOURCES)) == assigned


def test_it_installs_into_a_library_and_fits(tmp_path, fits):
    before = sorted((ROOT / "r").rglob("*"))
    run("R", "CMD", "INSTALL", f"--library={tmp_path}", ROOT / "r")
    assert sorted((ROOT / "r").rglob("*")) == before
    criterion, *theta, terms, left = map(float, run("Rscript", "--vanilla", "-e", INSTALLED, tmp_path))
    fit = fits("Reaction ~ Days + (Days | Subject)", "sleepstudy")
    # the same numbers, but for the rounding of a permutation that may differ between two processes
    assert [criterion, *theta] == pytest.approx([fit.criterion, *fit.theta], rel=1e-12)
    assert (terms, left) == (2, 0)
