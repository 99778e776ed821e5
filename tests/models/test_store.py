"""A bootstrap that is kept on disk: it goes on where its process was killed, and is of one fit and one call."""

import os
import pickle
import signal
import subprocess
import sys
import time

import numpy as np
import pandas as pd
import pytest

from lmerbridge import glmer, lmer, load_dataset
from lmerbridge.errors import InvalidArgument, SetupError
from lmerbridge.models.resample import refits
from lmerbridge.models.resample.refits import Refits
from tests.models.test_bootstrap import arrays
from tests.oracle import fitted

SEED, NSIM = 20, 30


def fresh(name="pastes"):
    return pickle.loads(pickle.dumps(fitted(name)))


def broken_after(count, monkeypatch):
    """Have the computer die after so many chunks are kept."""
    keep, left = Refits._keep, iter(range(count))

    def kept(self, chunk):
        keep(self, chunk)
        if next(left, None) is None:
            raise ConnectionAbortedError("the computer died")

    monkeypatch.setattr(Refits, "_keep", kept)


@pytest.mark.filterwarnings("ignore:.*tasks:UserWarning")  # joblib's, of what it computed in vain
@pytest.mark.parametrize("rng", ["bootMer", "streams"])
@pytest.mark.parametrize("jobs", [1, 2])
def test_the_same_call_goes_on_from_a_store_and_gives_the_same_bytes(rng, jobs, tmp_path, monkeypatch):
    call = {"nsim": NSIM, "seed": SEED, "rng": rng, "jobs": jobs, "backend": "threading"}
    whole = arrays(fresh().bootstrap(**call))
    monkeypatch.setattr(refits, "WORK", (1e-4, 1e-4))
    with monkeypatch.context() as patched:
        broken_after(3, patched)
        with pytest.raises(ConnectionAbortedError):
            fresh().bootstrap(**call, store=tmp_path)
    kept = pd.read_parquet(tmp_path)
    assert 8 < len(kept) < NSIM
    refitted, count = refits.refit_batch, []
    monkeypatch.setattr(refits, "refit_batch", lambda *given: count.append(len(given[1][0])) or refitted(*given))
    assert arrays(fresh().bootstrap(**call, store=str(tmp_path))) == whole
    assert sum(count) == NSIM - len(kept)
    assert arrays(fresh().bootstrap(**call, store=tmp_path)) == whole
    assert sum(count) == NSIM - len(kept)  # nothing was left to do


def test_a_store_is_a_table_of_all_refits(tmp_path):
    fit = fresh("sleepstudy")
    boot = fit.bootstrap(nsim=9, seed=SEED, store=tmp_path / "new" / "folder")
    table = pd.read_parquet(tmp_path / "new" / "folder").sort_values("replicate", ignore_index=True)
    assert table["replicate"].tolist() == list(range(9))
    assert (table["error"] == "").all()
    for name in ("criterion", "sigma"):
        assert np.array_equal(table[name], getattr(boot.replicates, name))
    assert np.array_equal(table[["theta_1", "theta_2", "theta_3"]], boot.replicates.theta)
    assert np.array_equal(table[["beta_1", "beta_2"]], boot.replicates.beta)
    assert np.allclose(table["unscaled_2_1"] * table["sigma"] ** 2, boot.replicates.covariance[:, 1, 0], rtol=1e-14)


def test_without_a_seed_the_same_call_has_that_of_its_store(tmp_path):
    first, second = (fresh().bootstrap(nsim=5, store=tmp_path) for _ in range(2))
    assert first.seed == second.seed
    assert arrays(first) == arrays(second)
    assert fresh().bootstrap(nsim=5).seed != first.seed


def test_refits_of_an_earlier_call_are_written_too(tmp_path):
    fit = fresh()
    whole = arrays(fit.bootstrap(nsim=NSIM, seed=SEED))
    fit.bootstrap(lambda r: r.sigma, nsim=NSIM, seed=SEED, store=tmp_path)
    assert len(pd.read_parquet(tmp_path)) == NSIM
    assert arrays(fresh().bootstrap(nsim=NSIM, seed=SEED, store=tmp_path)) == whole


def test_a_refit_that_failed_is_kept_with_its_reason(tmp_path, monkeypatch):
    failed = refits.refit_batch
    monkeypatch.setattr(
        refits,
        "refit_batch",
        lambda *given: (given[1][0], np.empty((len(given[1][0]), 0)), ["no"] * len(given[1][0]), ()),
    )
    assert fresh().bootstrap(nsim=3, seed=SEED, store=tmp_path).n_failed == 3
    monkeypatch.setattr(refits, "refit_batch", failed)
    again = fresh().bootstrap(nsim=3, seed=SEED, store=tmp_path)
    assert again.failures["message"].tolist() == ["no"] * 3


def test_interval_of_has_a_store_too(tmp_path):
    one, other = (
        fresh().interval_of(lambda fit: fit.sigma, 40, seed=SEED, rng="streams", store=tmp_path) for _ in "ab"
    )
    assert one.frame.equals(other.frame)
    assert len(pd.read_parquet(tmp_path)) == 40


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"seed": 21}, "holds replicates of seed 20; 21 is asked for"),
        ({"nsim": 6}, "of nsim 5; 6 is asked for"),
        ({"rng": "streams"}, "of rng 'bootMer'; 'streams' is asked for"),
        ({"use_u": True}, "of re_form '~0'; None is asked for"),
        ({"type": "semiparametric", "use_u": True}, "of type 'parametric'; 'semiparametric' is asked for"),
    ],
)
def test_a_store_of_another_call_is_refused(other, words, tmp_path):
    fresh().bootstrap(nsim=5, seed=SEED, store=tmp_path)
    with pytest.raises(InvalidArgument, match=words):
        fresh().bootstrap(**{"nsim": 5, "seed": SEED, "store": tmp_path, **other})


def test_a_store_of_another_fit_is_refused(tmp_path):
    fresh().bootstrap(nsim=5, seed=SEED, store=tmp_path)
    with pytest.raises(InvalidArgument, match=r"of formula 'strength ~ 1 \+ .*; 'diameter ~"):
        fresh("penicillin").bootstrap(nsim=5, seed=SEED, store=tmp_path)
    data = load_dataset("Pastes")
    formula = "strength ~ 1 + (1 | batch / cask)"
    changed = data.assign(strength=data["strength"].where(data.index != 3, data["strength"] + 1e-9))
    for fit in (lmer(formula, data, reml=False), lmer(formula, changed)):
        with pytest.raises(InvalidArgument, match="holds replicates of another fit"):
            fit.bootstrap(nsim=5, seed=SEED, store=tmp_path)


def test_what_is_no_store_is_refused(tmp_path, monkeypatch):
    file = tmp_path / "file"
    file.write_text("x")
    with pytest.raises(InvalidArgument, match="no folder can be made there"):
        fresh().bootstrap(nsim=2, store=file)
    with pytest.raises(InvalidArgument, match="store is empty; the path of a folder is expected"):
        fresh().bootstrap(nsim=2, store="")
    pd.DataFrame({"x": [1]}).to_parquet(tmp_path / "theirs.parquet")
    with pytest.raises(InvalidArgument, match=r"theirs.parquet holds no replicates"):
        fresh().bootstrap(nsim=2, store=tmp_path)
    (tmp_path / "theirs.parquet").write_bytes(b"PAR1")
    with pytest.raises(
        InvalidArgument, match=r"theirs.parquet cannot be read: .* delete it, and its replicates are made anew"
    ):
        fresh().bootstrap(nsim=2, store=tmp_path)
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    with pytest.raises(SetupError, match=r"a store of replicates needs pyarrow.* pip install 'lmerbridge\[arrow\]'"):
        fresh().bootstrap(nsim=2, store=tmp_path / "new")


SCRIPT = """
import sys
from lmerbridge import {function}, load_dataset
from lmerbridge.models.resample import refits
refits.WORK = 0.2, 0.2
fit = {function}({formula!r}, load_dataset({data!r}), **{given!r})
fit.bootstrap(nsim=int(sys.argv[1]), seed=20, store=sys.argv[2], jobs=int(sys.argv[3]), rng=sys.argv[4])
"""
SLEEP = {"function": "lmer", "formula": "Reaction ~ Days + (Days | Subject)", "data": "sleepstudy", "given": {}}
CBPP = {
    "function": "glmer",
    "formula": "cbind(incidence, size - incidence) ~ period + (1 | herd)",
    "data": "cbpp",
    "given": {"family": "binomial"},
}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("model", "nsim", "jobs", "rng"), [(SLEEP, 600, 1, "bootMer"), (SLEEP, 600, 2, "streams"), (CBPP, 60, 1, "bootMer")]
)
def test_a_host_that_was_killed_leaves_a_store_from_which_the_same_call_goes_on(model, nsim, jobs, rng, tmp_path):
    command = [sys.executable, "-W", "ignore", "-c", SCRIPT.format(**model), str(nsim), str(tmp_path), str(jobs), rng]
    with subprocess.Popen(command, start_new_session=True) as run:
        until = time.monotonic() + 120
        while len([*tmp_path.glob("*.parquet")]) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        os.killpg(run.pid, signal.SIGKILL)
    kept = pd.read_parquet(tmp_path)
    assert 8 < len(kept) < nsim
    make = {"lmer": lmer, "glmer": glmer}[model["function"]]
    fit = make(model["formula"], load_dataset(model["data"]), **model["given"])
    resumed = fit.bootstrap(nsim=nsim, seed=20, rng=rng, store=tmp_path)
    alone = pickle.loads(pickle.dumps(fit)).bootstrap(nsim=nsim, seed=20, rng=rng)
    assert arrays(resumed) == arrays(alone)
    assert len(pd.read_parquet(tmp_path)) == nsim
