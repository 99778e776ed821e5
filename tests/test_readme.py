"""README is true today: its Python runs, and shows what is written under it."""

import pytest

from lmerbridge.bridge.session import lme4_version
from tests.readme import README, outputs

WRITTEN_WITH = "1.1-31"  # what another lme4 says and counts is its own


def same(written, found):
    """Whether two words are the same, or numbers close to it: optimizers stop elsewhere on another processor."""
    if written == found:
        return True
    try:
        return float(written.strip(",;()[]")) == pytest.approx(float(found.strip(",;()[]")), rel=1e-3, abs=1e-5)
    except ValueError:
        return False


@pytest.mark.slow
def test_the_code_runs_and_shows_what_is_written_under_it():
    for block, written, found in outputs(README.read_text()):
        if written is None or lme4_version() != WRITTEN_WITH:
            continue
        words = written.split(), found.split()
        assert len(words[0]) == len(words[1]), (block[1], found)
        assert all(map(same, *words)), (block[1], found)
