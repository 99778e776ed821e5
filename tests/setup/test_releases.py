"""What each lme4 can do: our table against lme4 itself."""

import subprocess
from functools import cache
from pathlib import Path

import pytest

from lmerbridge.bridge import session
from lmerbridge.errors import NeedsNewer, SetupError
from lmerbridge.setup.compat import GATES, SUPPORTED, has
from lmerbridge.setup.installation import find_rscript

PROBES = Path(__file__).parents[1] / "cases" / "gates.R"
UNPROBED = {"all_fit_alone", "parallel_future"}  # they show only where other packages are missing or there


@cache
def probed():
    """What lme4 answers when it is asked for each feature."""
    answer = subprocess.run([find_rscript(), "--vanilla", PROBES], capture_output=True, text=True, check=True)
    return {name: value == "TRUE" for name, value in map(str.split, answer.stdout.splitlines())}


@pytest.mark.slow
def test_every_gate_is_probed_or_says_why_not():
    assert set(probed()) == set(GATES) - UNPROBED


@pytest.mark.slow
@pytest.mark.parametrize("feature", sorted(set(GATES) - UNPROBED))
def test_the_table_says_of_this_lme4_what_lme4_says_of_itself(feature):
    assert session.lme4_has(feature) is probed()[feature]


def test_a_feature_that_is_missing_is_an_error_that_names_the_version_and_how_to_get_it(monkeypatch):
    monkeypatch.setattr(session, "lme4_version", lambda: "1.1-34")
    expected = (
        r"^predict\(se\.fit = TRUE\) needs lme4 1\.1-35 or later; 1\.1-34 is installed\. "
        r"This installs a newer one:\n.*install\.packages\(c\(\"lme4\"\)"
    )
    with pytest.raises(NeedsNewer, match=expected) as raised:
        session.need("predict_se_fit")
    assert isinstance(raised.value, SetupError)


def test_a_feature_that_is_there_is_no_error(monkeypatch):
    monkeypatch.setattr(session, "lme4_version", lambda: "1.1-35")
    session.need("predict_se_fit")


def test_a_feature_nobody_knows_is_an_error():
    with pytest.raises(KeyError):
        session.lme4_has("time_travel")


@pytest.mark.parametrize("feature", GATES)
def test_the_oldest_lme4_lacks_every_gated_feature_and_a_later_one_has_it(feature):
    assert not has(feature, SUPPORTED["lme4"].first)
    assert has(feature, GATES[feature].since)
