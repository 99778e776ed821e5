"""The bootstrap: R's responses, refitted at least as well as lme4 does, wherever that is computed."""

import os
import pickle
import signal
import threading
import time
from concurrent.futures.process import BrokenProcessPool
from dataclasses import FrozenInstanceError, fields
from functools import cache, partial

import numpy as np
import pandas as pd
import pytest
from dask.distributed import Client, LocalCluster

from lmerbridge import lmer, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import InvalidArgument, RWarning, TimedOut
from lmerbridge.models.kept import model_of
from lmerbridge.models.resample import bootci, refits
from lmerbridge.models.resample.draws import Draws
from lmerbridge.models.resample.refits import Refits
from tests.chance import generator
from tests.oracle import MODELS, fitted, plain, same_bits

SEED = 20
GENERATORS = 'RNGkind("Mersenne-Twister", "Inversion", "Rejection")'


def gaps():
    """Sleepstudy with rows that lack a value, weights, an offset and rows not to be used."""
    data = load_dataset("sleepstudy")
    data.loc[[3, 77], "Days"] = np.nan
    return data.assign(w=np.tile([1.0, 4.0, 0.25], 60), o=2.0 * np.arange(180) / 180, use=np.arange(180) > 4)


@cache
def hard(name, reml=True):
    """Fits that are more than a formula and a frame."""
    match name:
        case "weights":
            return lmer("Reaction ~ Days + (Days | Subject)", gaps(), weights="w", offset="o", reml=reml)
        case "exclude":
            return lmer(
                "Reaction ~ Days + (Days | Subject)", gaps(), offset="o", subset="use", na_action="exclude", reml=reml
            )
        case "singular":
            return lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"), reml=reml)
    return fitted(name, reml=reml)


def drawn(fit, nsim=3, **how):
    """Simulated responses, shape (nsim, nobs), as a statistic gets them."""
    return fit.bootstrap(lambda r: r.response, nsim, seed=SEED, **how).t.to_numpy()


def simulated(fit, call):
    """R's own responses, over the rows used."""
    return plain(fit, f"{GENERATORS}; set.seed({SEED}); y <- {call}; as.vector(as.matrix(y)[!is.na(y[[1]]), ])")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "use_u"),
    [(name, use_u) for name in [*MODELS, "singular"] for use_u in (False, True)] + [("exclude", False)],
)
def test_the_responses_are_those_of_bootmer(name, use_u):
    fit = hard(name)
    flag = "TRUE" if use_u else "FALSE"
    theirs = simulated(fit, f"simulate(m, nsim = 3, na.action = na.exclude, use.u = {flag})")
    assert same_bits(drawn(fit, use_u=use_u).T, theirs)


@pytest.mark.parametrize("type", ["parametric", "semiparametric"])
def test_rows_left_out_have_no_part_in_it(type):
    data = gaps().iloc[5:].dropna()
    whole = lmer("Reaction ~ Days + (Days | Subject)", data, offset="o")
    padded = hard("exclude")  # R's own simulate stops here where the random effects are kept
    # The two fits differ in their last digits.
    assert np.allclose(drawn(padded, type=type, use_u=True), drawn(whole, type=type, use_u=True), rtol=1e-9, atol=0)


def test_random_effects_are_kept_by_formula():
    fit = fitted("pastes")
    theirs = simulated(fit, "simulate(m, nsim = 3, re.form = ~ (1 | batch))")
    assert same_bits(drawn(fit, re_form="~ (1 | batch)").T, theirs)


@pytest.mark.parametrize("name", MODELS)
def test_the_semiparametric_responses_are_those_of_bootmer(name):
    fit = fitted(name)
    theirs = plain(
        fit,
        f"{GENERATORS}; set.seed({SEED});"
        'as.vector(replicate(3, fitted(m) + sample(residuals(m, "response"), replace = TRUE)))',
    )
    assert same_bits(drawn(fit, type="semiparametric", use_u=True).T, theirs)


@pytest.mark.slow
@pytest.mark.parametrize("name", [*MODELS, "exclude", "singular"])
def test_the_replicates_are_those_of_bootmer(name):
    fit = hard(name, reml=False)
    boot = fit.bootstrap(lambda r: [*r.fixef, r.sigma, r.criterion], 20, seed=SEED)
    theirs = plain(
        fit,
        f"{GENERATORS}; b <- suppressMessages(suppressWarnings(bootMer(m, function(x) "
        f"c(fixef(x), sigma(x), deviance(x)), 20, seed = {SEED}))); c(b$t0, t(b$t))",
    ).reshape(21, -1)
    assert same_bits(boot.t0, theirs[0])
    apart = boot.t.to_numpy() - theirs[1:]
    assert apart[:, -1].max() <= 1e-6
    same = apart[:, -1] > -1e-5  # in others lme4 stopped at a bound, far from the least deviance
    assert same.mean() >= 0.8
    # Either optimizer stops within 1e-5 of the least deviance: an estimate within sqrt(1e-5) of a standard error.
    assert (abs(apart[same]) / np.std(theirs[1:], axis=0)).max() < 3e-3


# Fits the model to each response by lmer itself, from lmer's own start.
BY_LMER = """
  {generators}; set.seed({seed})
  scope <- new.env(parent = environment(formula(m)))
  data <- get("data", scope)
  call <- m@call
  call$control <- quote(lmerControl(calc.derivs = FALSE))
  rows <- attr(m@frame, "row.names")
  response <- all.vars(formula(m))[1L]
  vapply(list({responses}), function(y) {{
    scope$data <- data
    scope$data[[response]][rows] <- y
    again <- suppressMessages(suppressWarnings(eval(call, scope)))
    if (isREML(again)) REMLcrit(again) else deviance(again)
  }}, 0)
"""


def by_lmer(fit, responses):
    columns = ", ".join(f"c({', '.join(map(float.hex, response))})" for response in responses)
    return plain(fit, BY_LMER.format(generators=GENERATORS, seed=SEED, responses=columns))


@pytest.mark.slow
@pytest.mark.parametrize("name", ["sleepstudy", "penicillin", "orthodont", "weights", "singular"])
def test_no_replicate_is_worse_than_lmers_own_fit_to_it(name):
    fit = hard(name)
    boot = fit.bootstrap(lambda r: r.response, 100, seed=SEED)
    excess = boot.replicates.criterion - by_lmer(fit, boot.t.to_numpy())
    assert excess.max() <= 1e-6
    # Mostly lmer finds the same; with the count of fixed effects of lme4 1.1-31's refit by REML all were 8 apart.
    assert np.median(excess) > -1e-5


def test_errors_have_the_variance_that_the_weights_give_them():
    """lme4's simulate gives all rows one (its issue 386): for these weights, its sigma is a seventh too large."""
    fit = lmer("Reaction ~ Days + (Days | Subject)", gaps().dropna(), weights="w", offset="o", reml=False)
    found = fit.bootstrap(lambda r: r.sigma, 60, seed=SEED).t["statistic"]
    # A standard error of the mean is 0.7 %, and maximum likelihood takes a sigma for too small by half of one.
    assert found.mean() == pytest.approx(fit.sigma, rel=0.03)
    theirs = plain(fit, f"set.seed({SEED}); as.vector(bootMer(m, sigma, 15)$t)")
    assert theirs.mean() > 1.07 * fit.sigma


@pytest.mark.parametrize("name", [*MODELS, "weights", "singular"])
def test_a_replicate_holds_the_numbers_of_a_refit(name):
    fit = hard(name)
    replicates = []
    boot = fit.bootstrap(lambda r: replicates.append(r) or 0.0, 2, seed=SEED)
    assert [r.number for r in replicates] == [None, 0, 1]
    own = replicates[0]
    assert own.fixef.equals(fit.fixef)
    assert own.loglik == fit.loglik
    assert np.allclose(own.varcorr.frame["vcov"], fit.varcorr.frame["vcov"], rtol=1e-13, atol=1e-13)
    for r in replicates[1:]:
        again = r.refit()
        assert r.criterion <= again.criterion + 1e-6
        assert r.loglik == pytest.approx(float(again.loglik), abs=1e-5)
        assert list(r.fixef.index) == list(again.fixef.index)
        # Half the digits of the criterion.
        assert np.allclose(r.fixef, again.fixef, rtol=1e-4, atol=1e-4)
        assert np.allclose(r.vcov, again.vcov, rtol=1e-2, atol=1e-6)
        assert np.allclose(r.std_errors, again.std_errors, rtol=1e-2)
        assert list(r.varcorr.frame["group"]) == list(again.varcorr.frame["group"])
        assert np.allclose(r.varcorr.frame["vcov"], again.varcorr.frame["vcov"], rtol=1e-2, atol=1e-3)
        assert r.sigma == pytest.approx(again.sigma, rel=1e-4)
    assert same_bits(boot.replicates.sigma, [r.sigma for r in replicates[1:]])


@pytest.mark.parametrize("name", [*MODELS, "weights", "singular"])
def test_by_default_it_is_of_all_parameters_under_the_names_of_confint(name):
    fit = hard(name)
    boot = fit.bootstrap(nsim=3, seed=SEED)
    theirs = plain(fit, "names <- c(lme4:::profnames(m, FALSE), names(fixef(m))); names[!is.na(names)]")
    assert sorted(boot.t.columns) == sorted(boot.t0.index) == sorted(theirs)
    deviations = plain(fit, "x <- as.data.frame(VarCorr(m)); x$sdcor[is.na(x$var2)]")
    ours = [value for label, value in boot.t0.items() if label.startswith("sd_") or label == "sigma"]
    assert np.allclose(sorted(ours), sorted(deviations), rtol=1e-13)
    correlations = plain(fit, "x <- as.data.frame(VarCorr(m)); x$sdcor[!is.na(x$var2)]")
    assert np.allclose(boot.t0.filter(like="cor_"), correlations, rtol=1e-12)
    assert np.array_equal(boot.t[list(fit.terms)], boot.replicates.beta)
    frame = fit.bootstrap(lambda r: r.varcorr.frame["sdcor"], 3, seed=SEED).t
    assert np.allclose(np.sort(frame.to_numpy()), np.sort(boot.t.drop(columns=list(fit.terms)).to_numpy()), rtol=1e-12)


def test_parameters_of_structured_terms_have_their_names_too():
    if not lme4_has("structured_covariance"):
        pytest.skip("this lme4 has no structures")
    fit = lmer("Reaction ~ Days + cs(Days | Subject)", load_dataset("sleepstudy"))
    boot = fit.bootstrap(nsim=5, seed=SEED)
    assert "cor_rho|Subject" in boot.t0
    assert boot.t0["cor_rho|Subject"] == pytest.approx(fit.varcorr["Subject"].correlation[0, 1], rel=1e-10)
    again = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy")).bootstrap(nsim=5, seed=SEED)
    assert np.allclose(boot.replicates.criterion, again.replicates.criterion, atol=1e-2)


def test_a_model_without_fixed_effects_has_a_bootstrap():
    fit = lmer("Reaction ~ 0 + (1 | Subject)", load_dataset("sleepstudy"))
    boot = fit.bootstrap(nsim=3, seed=SEED)
    assert list(boot.t) == ["sd_(Intercept)|Subject", "sigma"]
    assert boot.replicates.covariance.shape == (3, 0, 0)
    assert np.array_equal(boot.t["sigma"], boot.replicates.sigma)


STATISTICS = {
    "number": (lambda r: r.sigma, ["statistic"]),
    "sequence": (lambda r: (r.sigma, r.criterion), ["t1", "t2"]),
    "array": (lambda r: r.theta, ["t1", "t2", "t3"]),
    "mapping": (lambda r: {"s": r.sigma, "c": r.criterion}, ["s", "c"]),
    "series": (lambda r: r.fixef, ["(Intercept)", "Days"]),
}


@pytest.mark.parametrize("kind", STATISTICS)
def test_a_statistic_is_a_number_or_several_with_names_or_without(kind):
    statistic, names = STATISTICS[kind]
    boot = fitted("sleepstudy").bootstrap(statistic, 3, seed=SEED)
    assert list(boot.t0.index) == list(boot.t.columns) == list(boot.frame.index) == names
    assert {str(dtype) for dtype in boot.t.dtypes} == {"float64"}
    assert boot.t.shape == (3, len(names))


def test_what_a_statistic_raises_is_raised_and_says_where():
    def second(replicate):
        return 1 / (replicate.number != 1)

    with pytest.raises(ZeroDivisionError) as caught:
        fitted("sleepstudy").bootstrap(second, 3, seed=SEED)
    assert caught.value.__notes__ == ["It was called with replicate 1."]
    with pytest.raises(InvalidArgument, match="the statistic of the fit itself is 'no'; a number, or a sequence"):
        fitted("sleepstudy").bootstrap(lambda r: "no", 3)
    with pytest.raises(InvalidArgument, match="the statistic of replicate 0 holds b; that of the fit itself a"):
        fitted("sleepstudy").bootstrap(lambda r: {"a" if r.number is None else "b": 1.0}, 3)


def arrays(boot):
    found = [getattr(boot.replicates, f.name) for f in fields(boot.replicates) if f.name != "errors"]
    return b"".join(array.tobytes() for array in [*found, boot.t.to_numpy()])


@pytest.fixture(scope="module")
def cluster():
    with LocalCluster(n_workers=2, threads_per_worker=1, processes=True, dashboard_address=":0") as made:
        yield made


@pytest.mark.slow
def test_numbers_do_not_depend_on_jobs_or_backend(cluster):
    data = load_dataset("Penicillin").assign(w=1.0 + np.arange(144) % 3)
    fit = lmer("diameter ~ 1 + (1 | plate) + (1 | sample)", data, weights="w")
    alone = arrays(fit.bootstrap(nsim=30, seed=SEED))
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    for way in ({"jobs": 2}, {"jobs": 2, "backend": "threading"}, {"backend": "sequential"}, {"backend": address}):
        other = pickle.loads(pickle.dumps(fit))  # nothing is kept for it
        assert arrays(other.bootstrap(nsim=30, seed=SEED, **way)) == alone, way


@pytest.mark.slow
def test_streams_give_the_same_bytes_wherever_they_are_drawn(cluster):
    fit = fitted("penicillin")
    alone = arrays(pickle.loads(pickle.dumps(fit)).bootstrap(nsim=30, seed=SEED, rng="streams"))
    address = cluster.scheduler_address.replace("tcp://", "dask://")
    for way in ({"jobs": 2}, {"backend": address}):
        other = pickle.loads(pickle.dumps(fit))
        assert arrays(other.bootstrap(nsim=30, seed=SEED, rng="streams", **way)) == alone, way


@pytest.mark.slow
def test_one_worker_of_a_cluster_gives_the_bytes_of_two(cluster, monkeypatch):
    monkeypatch.setattr(refits, "WORK", (0.02, 0.02))  # several chunks for each
    fit = fitted("sleepstudy")
    with LocalCluster(n_workers=1, threads_per_worker=1, processes=True, dashboard_address=":0") as single:
        for rng in ("bootMer", "streams"):
            one, two = (
                arrays(pickle.loads(pickle.dumps(fit)).bootstrap(nsim=60, seed=SEED, rng=rng, backend=address))
                for address in (c.scheduler_address.replace("tcp://", "dask://") for c in (single, cluster))
            )
            assert one == two, rng


@pytest.mark.parametrize("processes", [1, 2, 3, 16, 1000])
@pytest.mark.parametrize("each", [1e-4, 4.1e-3, 5e-3, 0.7, 30.0])
@pytest.mark.parametrize("count", [1, 3, 960, 99_960])
def test_no_process_has_a_chunk_more_than_another_and_none_has_a_long_one(count, each, processes):
    size = refits._size(count, each, processes)
    chunks = -(-count // size)
    most = -(-chunks // processes)
    assert 1 <= size <= count
    assert most * size < 1.02 * count / processes + most + 1
    assert size == 1 or size * each <= max(refits.WORK) + each


def workers(client):
    return {each["pid"] for each in client.run(lambda: {"pid": os.getpid()}).values()}


@pytest.mark.slow
@pytest.mark.parametrize("rng", ["bootMer", "streams"])
def test_a_worker_of_a_cluster_that_is_killed_costs_nothing_and_the_fit_is_sent_once(rng, cluster, monkeypatch):
    fit, nsim = pickle.loads(pickle.dumps(fitted("sleepstudy"))), 600
    pickled = []
    reduce = refits.SharedFit.__reduce__
    monkeypatch.setattr(refits.SharedFit, "__reduce__", lambda self: pickled.append(1) or reduce(self))
    monkeypatch.setattr(refits, "WORK", (0.05, 0.05))
    keep, chunks = Refits._keep, []

    def kept(self, chunk):
        keep(self, chunk)
        chunks.append(chunk)
        if len(chunks) == 4:
            os.kill(min(workers(client)), signal.SIGKILL)

    monkeypatch.setattr(Refits, "_keep", kept)
    with Client(cluster, set_as_default=False) as client:
        boot = fit.bootstrap(nsim=nsim, seed=SEED, rng=rng, backend=cluster.scheduler_address.replace("tcp", "dask"))
    assert boot.n_failed == 0
    # Dask pickles it three times to name and send it, once more after a death that it does not mend; not for each task.
    assert len(pickled) <= 6 < len(chunks)
    assert arrays(boot) == arrays(pickle.loads(pickle.dumps(fit)).bootstrap(nsim=nsim, seed=SEED, rng=rng))


def test_a_replicate_does_not_depend_on_those_before_it():
    fit = pickle.loads(pickle.dumps(fitted("orthodont")))
    responses = fit.bootstrap(lambda r: r.response, 12, seed=SEED).t.to_numpy()
    forward, backward, spoiled = (Refits(12, 4 + 3 + 4 + 16) for _ in range(3))
    forward.run(fit, responses, fit.theta)
    backward.run(fit, responses[::-1], fit.theta)
    assert same_bits(forward.replicates(3).criterion, backward.replicates(3).criterion[::-1])
    bad = responses.copy()
    bad[3, 7] = np.inf
    spoiled.run(fit, bad, fit.theta)
    found = spoiled.replicates(3)
    assert list(found.failures["replicate"]) == [3]
    assert found.failures["message"][0] != ""
    assert np.isnan(found.beta[3]).all()
    assert not found.converged[3]
    for name in ("beta", "theta", "criterion"):
        ours, theirs = (np.delete(getattr(r, name), 3, axis=0) for r in (found, forward.replicates(3)))
        assert np.array_equal(ours, theirs)


def dying(times):
    """Calls of R's refits during which R dies, so many times."""
    call, left = refits.call_on, iter([True] * times)

    def called(fit, function, **arguments):
        if function != "refit_responses" or not next(left, False):
            return call(fit, function, **arguments)
        model = model_of(fit)
        kill = partial(os.kill, model.worker._process.pid, signal.SIGKILL)
        return model.worker.call(function, kill, handle=model.handle, **arguments).values  # once the call has been sent

    return called


@pytest.mark.slow
def test_the_death_of_r_costs_nothing_once_and_its_replicates_twice(monkeypatch):
    fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    whole = fit.bootstrap(nsim=20, seed=SEED)
    for times, failed in ((1, 0), (2, 8)):  # the first eight are a chunk
        again = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
        monkeypatch.setattr(refits, "call_on", dying(times))
        boot = again.bootstrap(nsim=20, seed=SEED)
        monkeypatch.undo()
        assert boot.n_failed == len(boot.failures) == failed
        assert boot.failures["message"].str.contains("the R process ended").all()
        assert boot.t.isna().all(axis=1).sum() == failed
        assert boot.t.iloc[failed:].equals(whole.t.iloc[failed:])
        assert boot.confint(parm="sigma").notna().all(axis=None)
    assert "20 replicates, seed 20 (8 failed" in str(boot)


@pytest.mark.parametrize("times", [1, 2])
def test_the_death_of_a_process_of_joblib_is_met_likewise(times, monkeypatch):
    fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    chunks, left = Refits._chunks, iter([True] * times)

    def broken(*arguments):
        if next(left, False):
            raise BrokenProcessPool("a process was terminated")
        return chunks(*arguments)

    monkeypatch.setattr(Refits, "_chunks", broken)
    boot = fit.bootstrap(nsim=20, seed=SEED)
    assert boot.n_failed == (0 if times == 1 else 12)
    assert boot.failures["message"].eq("its process died 2 times: a process was terminated").all()


@pytest.mark.slow
@pytest.mark.parametrize(("how", "jobs"), [("time limit", 1), ("time limit", 2), ("Ctrl-C", 1)])
def test_what_was_stopped_goes_on_where_it_was(how, jobs):
    fit, nsim = pickle.loads(pickle.dumps(fitted("sleepstudy"))), 300
    model_of(fit)
    began = time.perf_counter()
    Draws(fit, nsim, SEED)[np.arange(nsim)]
    soon = 2 * (time.perf_counter() - began) + 0.3  # drawn, and some refitted
    if how == "Ctrl-C":
        threading.Timer(soon, os.kill, [os.getpid(), signal.SIGINT]).start()
    with pytest.raises(TimedOut if how == "time limit" else KeyboardInterrupt) as caught:
        fit.bootstrap(nsim=nsim, seed=SEED, jobs=jobs, timeout=soon if how == "time limit" else None)
    (note,) = caught.value.__notes__
    done = int(note.split()[0])
    assert note.endswith(f"of 300 replicates are done and kept; the same call with seed={SEED} goes on from there.")
    assert 0 < done < nsim
    (begun,) = refits.open_refits(fit).values()
    assert len(begun.remaining) == nsim - done
    assert arrays(fit.bootstrap(nsim=nsim, seed=SEED)) == arrays(whole_run(nsim))


@cache
def whole_run(nsim):
    return pickle.loads(pickle.dumps(fitted("sleepstudy"))).bootstrap(nsim=nsim, seed=SEED)


def test_another_statistic_of_the_same_replicates_refits_nothing(monkeypatch):
    fit = pickle.loads(pickle.dumps(fitted("pastes")))
    first = fit.bootstrap(nsim=10, seed=SEED)
    monkeypatch.setattr(Refits, "_chunks", None)
    second = fit.bootstrap(lambda r: r.sigma, nsim=10, seed=SEED)
    assert same_bits(second.t, first.t["sigma"])
    with pytest.raises(TypeError):
        fit.bootstrap(nsim=10, seed=SEED + 1)


def in_boot(t0, t, level, kind):
    """The interval that R's package boot and lme4 make of the same replicates."""
    values = ", ".join(map(float.hex, t))
    code = f"""
      made <- list(t0 = c(x = {t0.hex()}), t = matrix(c({values})), R = {len(t)}L)
      class(made) <- c("bootMer", "boot")
      suppressWarnings(as.vector(confint(made, level = {level}, type = "{kind}")))
    """
    return plain(fitted("sleepstudy"), code)


@pytest.mark.parametrize("kind", ["perc", "basic", "norm"])
@pytest.mark.parametrize("nsim", [19, 99, 100, 501])
@pytest.mark.parametrize("level", [0.5, 0.9, 0.95, 0.99])
@pytest.mark.filterwarnings("ignore:extreme order statistics")
def test_intervals_are_those_of_rs_boot(kind, nsim, level):
    t = generator(nsim).gamma(2.0, size=nsim) - 3.0
    assert np.allclose(bootci.interval(0.3, t, level, kind), in_boot(0.3, t, level, kind), rtol=1e-12, atol=0)


def test_intervals_leave_out_what_is_not_finite_and_say_where_replicates_are_too_few():
    boot = hard("singular").bootstrap(lambda r: [r.sigma, 1.0, 1 / r.theta[0] if r.theta[0] else np.nan], 60, seed=SEED)
    finite = boot.t["t3"].dropna()
    assert 0 < len(finite) < 60
    with pytest.warns(RWarning, match=f"{len(finite)} replicates are too few for the level"):
        found = boot.confint()
    assert found.loc["t2"].isna().all()
    assert found.loc["t3", "conf_high"] == finite.max()
    assert boot.confint(0.5, parm="t1").index.tolist() == ["t1"]
    with pytest.raises(InvalidArgument, match="parm names 't4'; the statistics are t1, t2, t3"):
        boot.confint(parm="t4")
    with pytest.raises(InvalidArgument, match="type is 'bca'; one of 'perc', 'basic', 'norm' is expected"):
        boot.confint(type="bca")
    with pytest.raises(InvalidArgument, match="level is 95; a number between 0 and 1"):
        boot.confint(95)


def test_bias_and_standard_errors_are_those_that_r_prints():
    boot = fitted("penicillin").bootstrap(nsim=25, seed=SEED)
    for name, column in boot.t.items():
        values = ", ".join(map(float.hex, column))
        theirs = plain(fitted("penicillin"), f"t <- c({values}); c(mean(t) - {boot.t0[name].hex()}, sd(t))")
        assert np.allclose(boot.frame.loc[name, ["bias", "std_error"]].to_numpy(float), theirs, rtol=1e-11, atol=1e-12)


def test_confint_by_bootstrap_is_of_the_same_replicates():
    fit = fitted("penicillin")
    boot = fit.bootstrap(nsim=99, seed=SEED)
    ours = fit.confint(method="boot", nsim=99, seed=SEED)
    assert np.array_equal(ours[["conf_low", "conf_high"]], boot.confint().loc[ours.index])


def test_without_a_seed_one_is_drawn_and_kept():
    fit = fitted("penicillin")
    first, second = (fit.bootstrap(lambda r: r.sigma, 3) for _ in range(2))
    assert first.seed != second.seed
    assert first.t.equals(fit.bootstrap(lambda r: r.sigma, 3, seed=first.seed).t)


def test_a_bootstrap_is_frozen_pickles_and_tells_of_itself():
    boot = fitted("penicillin").bootstrap(nsim=4, seed=SEED)
    again = pickle.loads(pickle.dumps(boot))
    assert again.t.equals(boot.t)
    assert arrays(again) == arrays(boot)
    assert str(again) == str(boot)
    assert str(boot).startswith("Parametric bootstrap, 4 replicates, seed 20\n\n")
    assert repr(boot) == "<parametric bootstrap: 4 statistics, 4 replicates, seed 20>"
    assert boot.failures.dtypes.equals(pd.DataFrame({"replicate": [0], "message": [""]}).dtypes)
    with pytest.raises(FrozenInstanceError):
        boot.seed = 1


def test_progress_is_shown_where_it_is_asked_for(capsys, monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")  # rich takes it for a terminal
    fitted("pastes").bootstrap(nsim=9, seed=SEED + 5, progress=True)
    assert "refits" in capsys.readouterr().err
    fitted("pastes").bootstrap(nsim=9, seed=SEED + 6)
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"nsim": 0}, "nsim is 0; a whole number of at least 1 is expected"),
        ({"nsim": 2.0}, "nsim is 2.0"),
        ({"seed": 2**31}, "seed is 2147483648; a whole number"),
        ({"type": "wild"}, "type is 'wild'; one of 'parametric', 'semiparametric' is expected"),
        ({"type": "semiparametric"}, "a semiparametric bootstrap keeps all random effects; say so with use_u=True"),
        ({"use_u": True, "re_form": "~ (1 | batch)"}, "use_u is True and re_form"),
        ({"re_form": "~ (1 | nosuch)"}, "re_form has the grouping factor 'nosuch'"),
        ({"backend": "nosuch"}, "the backend is 'nosuch'"),
        ({"rng": "numpy"}, "rng is 'numpy'; one of 'bootMer', 'streams' is expected"),
    ],
)
def test_what_cannot_be_is_refused(arguments, words):
    with pytest.raises(InvalidArgument, match=words):
        fitted("pastes").bootstrap(**{"nsim": 2, **arguments})


@pytest.mark.slow
def test_a_fit_without_its_r_process_bootstraps_too():
    fit = pickle.loads(pickle.dumps(hard("weights")))
    assert fit._in_r.model is None
    assert arrays(fit.bootstrap(nsim=3, seed=SEED)) == arrays(hard("weights").bootstrap(nsim=3, seed=SEED))


@pytest.mark.parametrize("written", range(6))
def test_a_replicate_is_done_once_its_numbers_are_kept_wherever_an_interrupt_comes(written):
    """The arrays of the refits are written to some times, and then Ctrl-C is pressed."""
    left = [written]

    def write(kept, at, value):
        if not left[0]:
            raise KeyboardInterrupt
        left[0] -= 1
        kept[at] = value

    refits = Refits(3, 2)
    values, errors = refits._values, refits._errors
    refits._values, refits._errors = (
        type("Kept", (), {"__setitem__": lambda self, at, value, kept=kept: write(kept, at, value)})()
        for kept in (values, errors)
    )
    with pytest.raises(KeyboardInterrupt):
        refits._keep((np.arange(3), np.ones((3, 2)), [""] * 3))
    done = [row for row, error in enumerate(errors) if error is not None]
    assert np.isfinite(values[done]).all()
