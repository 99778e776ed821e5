"""Fits of one model to many responses: each number is a separate Rscript's, and no response harms another."""

import tomllib

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from lmerbridge import lmer, lmer_many, load_dataset
from lmerbridge.bridge.session import lme4_has
from lmerbridge.errors import (
    FormulaError,
    InvalidArgument,
    LmerBridgeError,
    MissingValues,
    RankDeficientWarning,
    RowsLeftOutWarning,
    UnfitData,
    WorkerDied,
)
from lmerbridge.formula import is_plain
from lmerbridge.models.many import run
from lmerbridge.models.many.shape import Shape
from tests.cases import exact_frames
from tests.chance import EXPLORES, generator
from tests.exact import CASES, bits_of, plain_numbers
from tests.oracle import fitted
from tests.processes import in_r

MODELS = {
    f"{model['name']}_{'reml' if reml else 'ml'}": model | {"reml": reml}
    for model in tomllib.loads((CASES / "exact_models.toml").read_text())["model"]
    for reml in (True, False)
    if is_plain(model["formula"].partition("~")[0].strip())
}
QUANTITIES = ("fixef", "vcov", "vcov_random", "sdcor", "theta", "sigma", "criterion", "nobs", "singular")
SLEEP = "Reaction ~ Days + (Days | Subject)"


def numbers(many, i):
    """The numbers of one of many fits under the quantities that plain_lmer.R prints, without what its rows lack."""
    random = many.varcorr[many.varcorr["response"] == many.responses[i]]
    found = {
        "fixef": many.beta[i],
        "vcov": many.covariance[i].ravel(order="F"),
        "vcov_random": random["vcov"],
        "sdcor": random["sdcor"],
        "theta": many.theta[i],
        "sigma": many.sigma[i],
        "criterion": many.criterion[i],
        "nobs": many.nobs[i],
        "singular": many.singular[i],
    }
    return bits_of({name: np.asarray(value, float) for name, value in found.items()})


def chosen(found):
    return bits_of({name: found[name] for name in QUANTITIES})


def responses_of(fit, frame, name, rng):
    """The frame's own response, two drawn from the model, one without group effects, and two that lack values."""
    own = frame[name].to_numpy(float)
    mean, sd = np.nanmean(own), np.nanstd(own)
    drawn = mean + sd * rng.normal(size=(len(own), 4)) + (own - mean)[:, None] * [1, 0.3, 0, 0.7]
    drawn[rng.choice(len(own), 2, replace=False), 1] = np.nan
    drawn[rng.choice(len(own), 3, replace=False), 3] = np.nan
    return pd.DataFrame(drawn, frame.index, [f"r{i}" for i in range(4)]).assign(own=own)


def plain_of(model, frame, responses, name):
    """Calls of lmer in plain R, one per response."""
    call = f"lmer({model['formula']}, d, REML = {'TRUE' if model['reml'] else 'FALSE'}{model.get('r', '')})"
    return {each: (frame.assign(**{name: values}), call) for each, values in responses.items()}


@pytest.fixture(scope="module")
def cases():
    """For each model its fit to many responses, and the frames and calls of plain R."""
    found = {}
    for case, model in MODELS.items():
        if "needs" in model and not lme4_has(model["needs"]):
            continue
        frame, name = exact_frames.frame(model["frame"]), model["formula"].partition("~")[0].strip()
        fit = lmer(model["formula"], frame, reml=model["reml"], **model.get("python", {}))
        responses = responses_of(fit, frame, name, generator(len(found)))
        many = fit.refit_many(responses)
        failed = [each for each, error in zip(responses, many.errors, strict=True) if error]
        found[case] = many, plain_of(model, frame, responses.drop(columns=failed), name)
        for each in failed:  # lme4 2.1 fails on some cs(), and spoils what it works with
            assert "cs(" in model["formula"], many.errors
            with pytest.raises(LmerBridgeError):
                lmer(model["formula"], frame.assign(**{name: responses[each]}), reml=model["reml"], na_action="omit")
    return found


@pytest.fixture(scope="module")
def plain_r(cases, tmp_path_factory):
    calls = {f"{case}_of_{each}": call for case, (_, own) in cases.items() for each, call in own.items()}
    return plain_numbers(calls, tmp_path_factory.mktemp("many"))


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")  # of the models, as test_exact.py has them
@pytest.mark.parametrize("case", MODELS)
def test_every_number_of_every_response_is_the_double_that_rscript_computes(case, cases, plain_r):
    if case not in cases:
        pytest.skip("not every lme4 has it")
    many, calls = cases[case]
    for each in calls:
        i = list(many.responses).index(each)
        ours, plain = numbers(many, i), chosen(plain_r[f"{case}_of_{each}"])
        if "needs" in MODELS[case]:  # R's table repeats what a structure's parameters say
            for name in ("vcov_random", "sdcor"):
                assert set(ours.pop(name)) <= set(plain.pop(name)), each
        assert ours == plain, each


def two_levels(rng):
    """A design with a random slope, 2,000 rows."""
    g = np.repeat(np.arange(20), 100)
    x = rng.normal(size=2000)
    y = 1 + 0.3 * x + rng.normal(size=20)[g] + 0.5 * rng.normal(size=20)[g] * x + rng.normal(size=2000)
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str)})


def crossed(rng):
    """Two crossed factors, both with a slope, in rows that are not balanced, with weights and an offset."""
    n = 300
    g, h, x = rng.integers(0, 9, n), rng.integers(0, 12, n), rng.normal(size=n)
    y = x + rng.normal(size=9)[g] * x + rng.normal(size=12)[h] + rng.normal(size=n)
    columns = {
        "y": y,
        "x": x,
        "g": g.astype(str),
        "h": h.astype(str),
        "w": rng.uniform(0.5, 2, n),
        "o": rng.normal(size=n),
    }
    return pd.DataFrame(columns)


OTHERS = {  # frame, formula, Python's arguments, R's
    "dyestuff": (lambda _: load_dataset("Dyestuff"), "Yield ~ 1 + (1 | Batch)", {}, ""),
    "penicillin": (lambda _: load_dataset("Penicillin"), "diameter ~ 1 + (1 | plate) + (1 | sample)", {}, ""),
    "pastes_ml": (
        lambda _: load_dataset("Pastes"),
        "strength ~ 1 + (1 | batch / cask)",
        {"reml": False},
        ", REML = FALSE",
    ),
    "rows_2000": (two_levels, "y ~ x + (x | g)", {}, ""),
    "crossed": (
        crossed,
        "y ~ x + (x | g) + (x | h)",
        {"weights": "w", "offset": "o"},
        ", weights = w, offset = o",
    ),
    "nelder_mead": (
        crossed,
        "y ~ x + (1 | g) + (1 | h)",
        {"control": {"optimizer": "Nelder_Mead"}, "reml": False},
        ', REML = FALSE, control = lmerControl("Nelder_Mead")',
    ),
    "no_derivatives": (
        crossed,
        "y ~ x + (x | g)",
        {"control": {"calc.derivs": False}},
        ", control = lmerControl(calc.derivs = FALSE)",
    ),
    "edge": (
        crossed,
        "y ~ x + (1 | g) + (1 | h)",
        {"control": {"restart_edge": False, "boundary.tol": 0.0}},
        ", control = lmerControl(restart_edge = FALSE, boundary.tol = 0)",
    ),
}


@pytest.fixture(scope="module")
def others(tmp_path_factory):
    """For each of `OTHERS` its fit to 8 responses, and plain R's numbers."""
    found, calls = {}, {}
    for case, (frame_of, formula, given, r) in OTHERS.items():
        frame, name = frame_of(generator(1)), formula.partition(" ")[0]
        responses = drawn(frame[name].to_numpy(float), generator(2), 8)
        found[case] = lmer_many(formula, frame, responses, **given)
        call = f"lmer({formula}, d{r})"
        calls |= {f"{case}_{i}": (frame.assign(**{name: y}), call) for i, y in enumerate(responses.T)}
    return found, plain_numbers(calls, tmp_path_factory.mktemp("others"))


def drawn(own, rng, count):
    """Responses from the own one without its groups to the own one alone, noise added."""
    share = np.linspace(0, 1, count)
    return own.mean() + (own - own.mean())[:, None] * share + own.std() * rng.normal(size=(len(own), count))


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
@pytest.mark.parametrize("case", OTHERS)
def test_starts_optimizers_and_larger_designs_give_rscripts_doubles(case, others):
    many, plain_r = others[0][case], others[1]
    for i in range(len(many)):
        assert numbers(many, i) == chosen(plain_r[f"{case}_{i}"])


def random_design(rng):
    """A small random frame: slopes, groups of unequal sizes, a crossed factor, a factor of the fixed part."""
    groups = int(rng.integers(4, 20))
    g = np.repeat(np.arange(groups), rng.integers(2, 9, groups))
    n, scale = len(g), 10 ** rng.uniform(-1, 1)
    x, h = rng.normal(size=n) * scale, rng.integers(0, 4, n)
    sd = 10 ** rng.uniform(-2, 0.5, 2)
    y = 1 + x / scale + sd[0] * rng.normal(size=groups)[g] + sd[1] * rng.normal(size=groups)[g] * x / scale
    y = y + rng.normal(size=n)
    f = pd.Categorical(rng.choice(list("abc"), n))
    return pd.DataFrame({"y": y, "x": x, "g": g.astype(str), "h": h.astype(str), "f": f})


FORMULAS = (
    "y ~ x + (x | g)",
    "y ~ x + (x || g)",
    "y ~ f + (1 | g)",
    "y ~ x + (1 | g) + (1 | h)",
    "y ~ x * f + (0 + x | g)",
    "y ~ poly(x, 2) + (1 | g) + (0 + x | h)",
)


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
@pytest.mark.parametrize("seed", range(120 if EXPLORES else 12))
def test_a_random_design_gives_lmers_own_bits_flags_and_errors(seed):
    rng = generator(100 + seed)
    frame, formula, reml = random_design(rng), FORMULAS[seed % len(FORMULAS)], bool(rng.integers(2))
    responses = drawn(frame["y"].to_numpy(), rng, 4)
    responses[rng.choice(len(frame), 3, replace=False), 2] = np.nan
    many = lmer_many(formula, frame, responses, reml=reml)
    for i, y in enumerate(responses.T):
        assert_like_lmer(many, i, formula, frame.assign(y=y), reml=reml)


def assert_like_lmer(many, i, formula, frame, **given):
    """Hold one of many fits to `lmer`: numbers, flags, conditions, or the error."""
    try:
        fit = lmer(formula, frame, **given)
    except LmerBridgeError:
        fit = None
    assert bool(many.errors[i]) == (fit is None)
    assert np.isnan(many.sigma[i]) == (fit is None)
    if fit is None:
        return
    assert not many.errors[i], many.errors[i]
    table = many.varcorr[many.varcorr["response"] == many.responses[i]]
    ours = (many.beta[i], many.theta[i], many.covariance[i], many.sigma[i], many.criterion[i], many.se[i])
    theirs = (fit.beta, fit.theta, fit.covariance, fit.sigma, fit.criterion, fit.std_errors)
    assert bits_of(dict(enumerate(map(np.ravel, ours)))) == bits_of(dict(enumerate(map(np.ravel, theirs))))
    assert bits_of({"sdcor": table["sdcor"]}) == bits_of({"sdcor": fit.varcorr.frame["sdcor"]})
    assert (many.singular[i], many.converged[i], many.nobs[i]) == (fit.singular, fit.converged, fit.nobs)
    told = [(c.kind, c.text, c.classes) for c in fit.conditions]
    assert [(c.kind, c.text, c.classes) for c in many.conditions[i]] == told


@pytest.fixture(scope="module")
def odd():
    """Sleepstudy's fit to sound responses, and to some that cannot be fitted."""
    fit = fitted("sleepstudy")
    sound = fit.simulate(3, seed=1)
    own = sound["sim_1"]
    x = load_dataset("sleepstudy")["Days"]
    bad = {
        "nothing": own * np.nan,
        "constant": own * 0 + 3,
        "infinite": own.where(own.index != own.index[5], np.inf),
        "exact": 1.0 + 2.0 * x.to_numpy(),
        "text": ["a"] * len(own),
        "one_row": own.where(own.index == own.index[5]),
    }
    names = ["sim_1", "nothing", "constant", "sim_2", "infinite", "exact", "text", "one_row", "sim_3"]
    frame = sound.assign(**bad)[names]
    return fit, frame, fit.refit_many(frame)


def test_a_response_that_fails_costs_itself_alone(odd):
    fit, frame, many = odd
    alone = fit.refit_many(frame[["sim_1", "sim_2", "sim_3"]])
    for place, i in enumerate([0, 3, 8]):
        assert numbers(many, i) == numbers(alone, place)
    failed = [i for i, error in enumerate(many.errors) if error]
    assert failed == [1, 2, 4, 5, 6, 7]
    assert np.isnan(many.beta[failed]).all()
    assert np.isnan(many.frame.iloc[failed]["sigma"]).all()
    assert not many.nobs[failed].any()
    assert not (many.converged[failed] | many.singular[failed]).any()
    assert many.failures["response"].tolist() == [frame.columns[i] for i in failed]
    assert (many.n_failed, many.n_singular) == (6, 0)


def test_an_error_is_lmers_own_with_the_name_of_the_response(odd):
    _, frame, many = odd
    sleepstudy = load_dataset("sleepstudy")
    for i in [2, 5]:
        with pytest.raises(UnfitData) as raised:
            lmer(SLEEP, sleepstudy.assign(Reaction=frame.iloc[:, i].to_numpy()))
        told = many.errors[i].replace(f" {frame.columns[i]!r}", "")
        assert str(raised.value).replace(" 'Reaction'", "").startswith(told)
    assert "no value" in many.errors[1]
    assert "infinite" in many.errors[4]
    assert "numbers" in many.errors[6]


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_flags_and_conditions_are_lmers(odd):
    fit, *_ = odd
    sleepstudy = load_dataset("sleepstudy")
    rng = generator(4)
    flat = pd.DataFrame({"flat": rng.normal(size=180), "half": sleepstudy["Reaction"] / 9 + rng.normal(size=180) * 20})
    many = fit.refit_many(flat)
    assert many.singular.any()
    for i, name in enumerate(flat):
        assert_like_lmer(many, i, SLEEP, sleepstudy.assign(Reaction=flat[name]))


def equal(one, other):
    """Whether two results hold the same bytes."""
    arrays = ("beta", "covariance", "theta", "sigma", "criterion", "nobs", "singular", "converged")
    return all(getattr(one, name).tobytes() == getattr(other, name).tobytes() for name in arrays) and (
        one.errors == other.errors and one.conditions == other.conditions and one.frame.equals(other.frame)
    )


def test_numbers_depend_neither_on_processes_nor_on_blocks_nor_on_the_order(odd, monkeypatch):
    fit, frame, many = odd
    assert equal(fit.refit_many(frame, jobs=2), many)
    monkeypatch.setattr(run, "FIRST", 1)
    monkeypatch.setattr(run, "MOST", 1)  # blocks of one
    assert equal(fit.refit_many(frame), many)
    turned = fit.refit_many(frame.iloc[:, ::-1])
    assert turned.beta[::-1].tobytes() == many.beta.tobytes()
    assert turned.errors[::-1] == many.errors


@pytest.mark.filterwarnings("ignore::lmerbridge.errors.LmerBridgeWarning")
def test_rows_without_a_value_may_lack_a_level_and_its_terms():
    frame = random_design(generator(7)).assign(z=lambda d: d["x"] * 2)
    formula = "y ~ f + x + z + (f | h)"
    fewer = frame["y"].where(frame["f"] != "b")
    ends = frame["y"].where(frame["g"] != "0")
    responses = pd.DataFrame({"whole": frame["y"], "fewer": fewer, "ends": ends})
    many = lmer_many(formula, frame, responses)
    assert many.terms == ("(Intercept)", "fb", "fc", "x")
    assert np.isnan(many.fixef["fb"]).tolist() == [False, True, False]
    assert np.isnan(many.random["sd_fb|h"]).tolist() == [False, True, False]
    for i in range(3):
        fit = lmer(formula, frame.assign(y=responses.iloc[:, i]))
        there = ~np.isnan(many.beta[i])
        assert many.fixef.columns[there].tolist() == list(fit.terms)
        assert bits_of({"beta": many.beta[i], "theta": many.theta[i], "sigma": many.sigma[i]}) == bits_of(
            {"beta": fit.beta, "theta": fit.theta, "sigma": fit.sigma}
        )
        assert many.nobs[i] == fit.nobs


def test_a_frame_is_told_to_leave_out_columns_once():
    frame = random_design(generator(7)).assign(z=lambda d: d["x"] * 2)
    with pytest.warns(RankDeficientWarning) as told:
        many = lmer_many("~ x + z + (1 | g)", frame, frame[["y", "y"]].set_axis(["a", "b"], axis=1))
    assert len(told) == 1
    assert all("rank deficient" in c[0].text for c in many.conditions)


def test_responses_come_in_many_forms(tmp_path):
    fit = fitted("sleepstudy")
    drawn = fit.simulate(4, seed=3)
    array = drawn.to_numpy()
    many = fit.refit_many(drawn)
    assert many.responses.tolist() == ["sim_1", "sim_2", "sim_3", "sim_4"]
    mapped = np.memmap(tmp_path / "responses", np.float64, "w+", shape=array.shape)
    mapped[:] = array
    wide = load_dataset("sleepstudy").assign(**drawn)
    forms = {
        "array": fit.refit_many(array),
        "memory": fit.refit_many(mapped),
        "shuffled": fit.refit_many(drawn.sample(frac=1, random_state=1)),
        "arrow": fit.refit_many(pa.Table.from_pandas(drawn, preserve_index=False)),
        "mapping": fit.refit_many({name: drawn[name].to_numpy() for name in drawn}),
        "names": lmer_many(SLEEP, wide, list(drawn)),
        "no left side": lmer_many("~ Days + (Days | Subject)", wide, list(drawn)),
    }
    for name, found in forms.items():
        assert found.beta.tobytes() == many.beta.tobytes(), name
        assert found.conditions == many.conditions, name
    assert forms["array"].responses.tolist() == [0, 1, 2, 3]
    assert forms["no left side"].formula == "response ~ Days + (Days | Subject)"
    float32 = fit.refit_many(array.astype(np.float32))
    assert float32.beta.tobytes() == fit.refit_many(array.astype(np.float32).astype(float)).beta.tobytes()


def test_a_dot_does_not_stand_for_responses_that_are_named():
    frame = random_design(generator(3))[["y", "x", "g"]]
    wide = frame.assign(a=frame["y"] + 1, b=frame["y"] * 2)
    many = lmer_many("~ . - g + (1 | g)", wide.drop(columns="y"), ["a", "b"])
    assert many.terms == ("(Intercept)", "x")
    assert numbers(many, 0) == numbers(lmer_many("y ~ x + (1 | g)", frame, {"a": wide["a"]}), 0)


def test_responses_for_the_rows_that_a_fit_uses():
    sleepstudy = load_dataset("sleepstudy")
    sleepstudy.loc[sleepstudy.index[[2, 50]], "Days"] = np.nan
    fit = lmer(SLEEP, sleepstudy, na_action="omit")
    whole = sleepstudy["Reaction"].to_numpy()[:, None] * [1.0, 2.0]
    assert equal_numbers(fit.refit_many(whole[fit.rows]), fit.refit_many(whole))


def equal_numbers(one, other):
    return one.beta.tobytes() == other.beta.tobytes() and one.criterion.tobytes() == other.criterion.tobytes()


def test_a_response_may_have_a_value_where_the_fits_own_has_none():
    sleepstudy = load_dataset("sleepstudy")
    own = sleepstudy["Reaction"].where(sleepstudy["Days"] != 4)
    fit = lmer(SLEEP, sleepstudy.assign(Reaction=own), na_action="omit")
    assert fit.refit_many(sleepstudy[["Reaction"]]).nobs.tolist() == [180]


def test_missing_values_are_told_or_refused_as_the_na_action_says():
    fit, frame = fitted("sleepstudy"), load_dataset("sleepstudy")
    some = pd.DataFrame({"a": frame["Reaction"], "b": frame["Reaction"].where(frame["Days"] > 0)})
    with pytest.warns(RowsLeftOutWarning, match="1 of 2 responses lacks values"):
        many = fit.refit_many(some)
    assert many.nobs.tolist() == [180, 162]
    failing = lmer_many(SLEEP, frame, some, na_action="fail")
    assert [bool(error) for error in failing.errors] == [False, True]
    assert "na_action is 'fail'" in failing.errors[1]
    with pytest.warns(RowsLeftOutWarning, match="1 of 180 rows"):
        lmer_many(
            SLEEP, frame.assign(Days=frame["Days"].astype(float).where(frame.index != frame.index[3])), some[["a"]]
        )
    with pytest.raises(MissingValues):
        lmer_many(SLEEP, frame.assign(Days=frame["Days"].astype(float).where(frame.index > 3)), some, na_action="fail")


def test_a_transformed_left_side_is_replaced_whole_by_a_fit_and_refused_without_one():
    frame = load_dataset("sleepstudy")
    fit = lmer("log(Reaction) ~ Days + (1 | Subject)", frame)
    many = fit.refit_many(np.log(frame[["Reaction"]]))
    assert (many.beta[0] == fit.beta).all()
    assert many.criterion[0] == fit.criterion
    with pytest.raises(FormulaError, match=r"log\(Reaction\).*transform the responses"):
        lmer_many("log(Reaction) ~ Days + (1 | Subject)", frame, frame[["Reaction"]])


@pytest.mark.parametrize(
    ("responses", "told"),
    [
        (np.zeros(180), "a column per response"),
        (np.zeros((7, 2)), "7 rows; one for each of the 180"),
        (np.zeros((180, 0)), "no column"),
        (np.zeros((180, 1), dtype="datetime64[s]"), "numbers with a column per response"),
        ("Reaction", "a list of names"),
        (["Reaction", "speed"], "'speed', which the frame lacks"),
        (pd.DataFrame({"a": [1.0, 2.0]}, ["u", "v"]), "lacks rows of the frame"),
    ],
)
def test_responses_that_do_not_fit_are_refused(responses, told):
    with pytest.raises(InvalidArgument, match=told):
        lmer_many(SLEEP, load_dataset("sleepstudy"), responses)


def test_arguments_that_do_not_go_together_are_refused():
    frame = load_dataset("sleepstudy")
    with pytest.raises(InvalidArgument, match="stands on the right"):
        lmer_many("Days ~ Days + (1 | Subject)", frame, ["Reaction"])
    with pytest.raises(InvalidArgument, match="start has 2 numbers; 3"):
        lmer_many(SLEEP, frame, ["Reaction"], start=[1.0, 1.0])
    with pytest.raises(InvalidArgument, match="optimizer"):
        lmer_many(SLEEP, frame, ["Reaction"], control={"optimizer": "bobyqa"}, exact=False)


def test_what_need_not_be_exact_is_at_the_same_optimum():
    fit = fitted("sleepstudy")
    responses = fit.simulate(30, seed=2)
    exact, quick = fit.refit_many(responses), fit.refit_many(responses, exact=False)
    assert (exact.exact, quick.exact) == (True, False)
    assert "nlminb" in str(quick)
    # lme4's own optimizer stops up to about 1e-6 above the optimum, nlminb below that.
    assert (quick.criterion - exact.criterion < 1e-6).all()
    assert (exact.criterion - quick.criterion < 1e-4).all()
    boot = fit.bootstrap(lambda r: r.criterion, nsim=30, seed=2)
    assert quick.criterion.tolist() == boot.replicates.criterion.tolist()
    started = lmer_many(SLEEP, load_dataset("sleepstudy"), responses, exact=False, start=fit.theta)
    assert started.beta.tobytes() == quick.beta.tobytes()


def test_blocks_are_written_to_parquet_as_they_come(odd, tmp_path, monkeypatch):
    fit, frame, many = odd
    monkeypatch.setattr(run, "FIRST", 2)
    monkeypatch.setattr(run, "WORK", 0.0)
    fit.refit_many(frame, parquet=tmp_path / "fits.parquet")
    many.to_parquet(tmp_path / "whole.parquet")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["fits.parquet", "whole.parquet"]
    written = pd.read_parquet(tmp_path / "fits.parquet").set_index("response")
    pd.testing.assert_frame_equal(written, many.frame, check_names=False, check_dtype=False, check_index_type=False)
    pd.testing.assert_frame_equal(written, pd.read_parquet(tmp_path / "whole.parquet").set_index("response"))


def test_a_response_of_which_r_dies_costs_itself_alone(odd, monkeypatch):
    fit, frame, many = odd
    deadly = frame["sim_2"].to_numpy()
    call = run.host.call

    def dying(function, **given):
        if function == "fit_many" and deadly[0] in given["response"]:
            raise WorkerDied("R died")
        return call(function, **given)

    monkeypatch.setattr(run.host, "call", dying)
    found = fit.refit_many(frame)
    assert found.errors[3] == "R died"
    assert [numbers(found, i) for i in (0, 8)] == [numbers(many, i) for i in (0, 8)]


def test_the_quick_objective_is_another_function_with_the_values_of_lme4s():
    code = """local({
      own <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, devFunOnly = TRUE)
      quick <- get("quick_objective", environment(sys.function(1L)))(own, "us")
      at <- lapply(1:20, function(i) c(i / 7, (i - 10) / 9, i / 30))
      values <- vapply(at, quick, 0)
      as.double(c(identical(quick, own), identical(values, vapply(at, own, 0))))
    })"""
    assert list(in_r(code)) == [0, 1]


def test_a_shape_that_shares_names_places_no_number_of_another():
    one = Shape(("x", "x"), (), ("t",), ())
    assert one.place(np.arange(11.0), one) is not None
    assert one.place(np.arange(7.0), Shape(("x",), (), ("t",), ())) is None


def test_it_says_what_it_holds(odd):
    *_, many = odd
    assert repr(many).startswith("<9 fits, 6 failed")
    assert str(many).startswith("Reaction ~ Days + (Days | Subject) by REML: 9 fits, 6 failed")
    assert many.loglik[0] == -many.criterion[0] / 2
    assert many.frame.columns.is_unique
    assert many.std_errors.loc["sim_1", "Days"] == many.frame.loc["sim_1", "std_error_Days"]
