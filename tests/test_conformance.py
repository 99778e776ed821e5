"""The table of lme4's surface is complete, and says what the package does on the lme4 that is installed."""

import inspect
import re
from dataclasses import dataclass
from functools import cache
from importlib import import_module

import pytest

import lmerbridge
from lmerbridge import GlmerFit, LmerControl, LmerFit, NlmerFit, lmer, load_dataset
from lmerbridge.bridge.session import lme4_version
from lmerbridge.errors import NeedsNewer
from lmerbridge.setup.compat import Range
from tests.oracle import fitted
from tests.pages import ROOT
from tests.processes import in_r

TABLE = (ROOT / "docs" / "surface.md").read_text().partition("<!-- surface -->")[2].partition("<!-- /surface -->")[0]
CODE = re.compile(r"`([^`]+)`")
SURFACE = """
methods <- sub("-method$", "", sub(",.*", "", as.character(utils::methods(class = "merMod"))))
exports <- grep("^[.]__", getNamespaceExports("lme4"), value = TRUE, invert = TRUE)
unique(sub("[.]merMod$", "", c(methods, exports)))
"""
CALLS = {  # a call of what some lme4 lacks
    "lmerControl(autoscale =)": lambda: refitted(control=LmerControl(autoscale=True)),
    "lmerControl(check.conv.nobsmax =)": lambda: refitted(control=LmerControl(check_conv_nobsmax=1e5)),
    "lmer(start = list(par =))": lambda: refitted(start={"par": [1.0, 1.0]}),
    "refit(newweights =)": lambda: plain().refit(plain().simulate(seed=1)["sim_1"], newweights=[1.0] * 180),
    "simulate(cluster.rand =)": lambda: plain().simulate(cluster_rand="stats::rnorm"),
    "weights(type =)": lambda: plain().weights(type="working"),
    'getME("par")': lambda: plain().get_me("par"),
    r"us(f \| g)": lambda: lmer("Reaction ~ Days + diag(Days | Subject)", load_dataset("sleepstudy")),
    "getDoublevertDefault": lambda: refitted(double_bar="diag_special"),
}


def plain():
    return fitted("sleepstudy")


def refitted(**changes):
    return lmer("Reaction ~ Days + (Days || Subject)", load_dataset("sleepstudy"), **changes)


@dataclass(frozen=True)
class Row:
    """One line of the table: names of lme4's, what they are here, and the state."""

    names: tuple[str, ...]
    here: tuple[str, ...]
    state: str

    @property
    def functions(self):
        """The names of functions, without those of arguments and syntax."""
        return [name for name in self.names if "(" not in name]

    @property
    def since(self):
        """The first lme4 that has it; None where every one has."""
        found = re.match(r"from ([0-9.-]+)", self.state)
        return found and found[1]


ROWS = [
    Row(tuple(CODE.findall(names)), tuple(CODE.findall(here)), state)
    for names, here, state in (
        [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:4]]
        for line in TABLE.splitlines()
        if line.startswith("| `")
    )
]


@cache
def surface():
    """Every method of merMod and every export of the lme4 that is installed."""
    return set(in_r(SURFACE))


def found(name):
    """What a name of the column `here` stands for: `fit.x` is of a fit, `module.x` of lmerbridge."""
    path = name.partition("(")[0]
    module, _, attribute = path.rpartition(".")
    if module == "fit":
        fields = LmerFit.__dataclass_fields__
        return fields[attribute] if attribute in fields else inspect.getattr_static(LmerFit, attribute)
    return getattr(import_module(f"lmerbridge.{module}") if module else lmerbridge, attribute)


def test_every_method_and_export_of_lme4_is_in_the_table_once():
    told = [name for row in ROWS for name in row.functions]
    assert sorted(told) == sorted(set(told))
    assert surface() - set(told) == set()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.names[0])
def test_a_row_has_one_of_three_states_and_what_it_names_is_there(row):
    if row.state.startswith("not wrapped: "):
        assert not row.here
        assert len(row.state) > len("not wrapped: ") + 10
    else:
        assert row.since or re.match("there($|[;:,] )", row.state), row.state
        assert row.here
        assert all(found(name) is not None for name in row.here)


@pytest.mark.parametrize("row", [row for row in ROWS if row.since], ids=lambda row: row.names[0])
def test_what_needs_a_newer_lme4_says_so_below_it_and_works_from_it_on(row):
    call = next(CALLS[name] for name in row.names if name in CALLS)
    if lme4_version() in Range(row.since):
        assert call() is not None
    else:
        with pytest.raises(NeedsNewer, match=f"needs lme4 {re.escape(row.since)} or later"):
            call()


@pytest.mark.parametrize("kind", [GlmerFit, NlmerFit])
def test_what_a_generalized_or_nonlinear_fit_lacks_of_the_table_has_its_own_reason(kind):
    names = {
        name.partition("(")[0].removeprefix("fit.") for row in ROWS for name in row.here if name.startswith("fit.")
    }
    verbs = {name for name in vars(LmerFit) if not name.startswith("_")}
    there = {*dir(kind), *kind.__dataclass_fields__}
    assert len(names) > 60
    assert {name for name in names | verbs if name not in there and name not in kind._hints} == set()


def test_every_call_is_of_a_row():
    assert set(CALLS) <= {name for row in ROWS if row.since for name in row.names}


def test_a_name_that_is_not_there_is_noticed():
    with pytest.raises(AttributeError):
        found("fit.nothing")
    with pytest.raises(AttributeError):
        found("nothing")
