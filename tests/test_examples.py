"""The examples of lme4's help pages, in Python: they run, and give R's numbers."""

import os
import subprocess
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lmerbridge import LmerControl, lm_list, lmer, load_dataset, simulate_formula
from lmerbridge.results.vcconv import is_nested, mlist2vec, vec2mlist

SCRIPT = Path(__file__).parent / "cases" / "examples.R"
LOOSE = {  # relative tolerance where not every bit is promised, and why
    "bootMer": 1e-4,  # each replicate is minimized anew, by R to 1e-6 of a criterion that is flat there
    "convergence": 1e-12,  # the derivatives are lme4's; `devfun` is called on a deviance function made anew
    "devfun2": 1e-12,  # starts from another order of the same sums
    "profile": 1e-8,  # of a transformed profile, splines are ours
    "confint": 1e-10,  # R inverts its spline numerically
    "influence": 1e-14,  # numpy sums a quadratic form in another order than R
    "lmer": 1e-15,  # correlations divide in another order than cov2cor
}
SLOPES = "Reaction ~ Days + (Days | Subject)"


@pytest.fixture(scope="module")
def in_r():
    """Numbers by help page, from an Rscript that has lme4 and nothing of ours."""
    command = ["setarch", "--addr-no-randomize", "Rscript", "--vanilla", str(SCRIPT)]
    environment = os.environ | {"LC_ALL": "C.UTF-8", "OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stderr
    pages = (line.split("\t") for line in done.stdout.splitlines())
    return {
        page: np.array([float("nan") if v == "NA" else float.fromhex(v) for v in values]) for page, *values in pages
    }


@cache
def data(name, package=None):
    return load_dataset(name, package)


@cache
def fm1():
    return lmer(SLOPES, data("sleepstudy"))


@cache
def fm2():
    return lmer("Reaction ~ Days + (Days || Subject)", data("sleepstudy"))


@cache
def fm01_ml():
    return lmer("Yield ~ 1 + (1 | Batch)", data("Dyestuff"), reml=False)


def numbers(fit):
    return [*fit.fixef, *fit.theta, fit.sigma, float(fit.loglik)]


def flat(*parts):
    """Values one after another, of tables column by column, as R's vectors run."""
    return np.concatenate([np.ravel(np.asarray(part, float), order="F") for part in parts])


def bounds(intervals):
    return flat(intervals[["conf_low", "conf_high"]])


def var_corr(r):
    table = lmer("distance ~ age + (age | Subject)", data("Orthodont", "nlme")).varcorr.frame
    return flat(table["vcov"], table["sdcor"])


def all_fit(r):
    fits = fm1().all_fit(["bobyqa", "Nelder_Mead", "nlminbwrap"], start_from_mle=False).fits.values()
    return flat(*([float(fit.loglik), *fit.fixef, *fit.theta] for fit in fits))


def boot_mer(r):
    return flat(fm01_ml().bootstrap(nsim=20, seed=101).t[["(Intercept)", "sigma", "sd_(Intercept)|Batch"]])


def cake(r):
    fixed = ("recipe * temperature", "recipe + temperature", "recipe + temp")
    m1, m2, m3 = (lmer(f"angle ~ {x} + (1 | recipe:replicate)", data("cake"), reml=False) for x in fixed)
    table = m3.anova(m2, m1).frame
    return flat(table["aic"], table["bic"], table["loglik"], table["chisq"][1:], table["p_value"][1:])


def confint(r):
    profiled = lmer("Yield ~ 1 + (1 | Batch)", data("Dyestuff")).confint()
    return flat(bounds(fm1().confint("beta_", method="Wald")), bounds(profiled))


def convergence(r):
    tight = fm1().update(control=LmerControl(opt_ctrl={"xtol_abs": 1e-8, "ftol_abs": 1e-8}))
    days = data("sleepstudy")["Days"]
    scaled = fm1().update(data=data("sleepstudy").assign(Days=(days - days.mean()) / days.std()))
    info = fm1().optinfo
    restarted = fm1().update(start=fm1().theta)
    at = fm1().devfun()(fm1().theta)
    return flat(numbers(tight), numbers(scaled), at, info.gradient, info.hessian, numbers(restarted))


def devfun2(r):
    deviance = fm1().devfun2()
    return flat(deviance(deviance.optimum.drop(list(fm1().fixef.index))))


def drop1(r):
    table = fm1().drop1(test="Chisq").frame
    return flat(table["aic"], table["lrt"][1:], table["p_value"][1:])


def dummy(r):
    formula = 'distance ~ age + (age | Subject) + (0 + dummy(Sex, "Female") | Subject)'
    return flat(numbers(lmer(formula, data("Orthodont", "nlme"))))


def dyestuff(r):
    return flat(*(numbers(lmer("Yield ~ 1 | Batch", data(name))) for name in ("Dyestuff", "Dyestuff2")))


def expand_double_verts(r):
    cells = pd.MultiIndex.from_product([range(1, 4), range(1, 201), list("abc")], names=["rep", "g", "f"])
    dd = cells.to_frame(index=False).assign(g=lambda d: pd.Categorical(d["g"]))
    split = 'f + (1 | g) + (0 + dummy(f, "b") | g) + (0 + dummy(f, "c") | g)'
    y = simulate_formula(f"~ {split}", dd, beta=[0, 0, 0], theta=[1, 2, 1], sigma=1, seed=101).iloc[:, 0]
    fits = (lmer(f"y ~ {right}", dd.assign(y=y)) for right in ("f + (f | g)", split))
    return flat(y, *map(numbers, fits))


def fixef(r):
    twice = data("sleepstudy").assign(Days2=lambda d: d["Days"])
    m = lmer("Reaction ~ Days + Days2 + (1 | Subject)", twice)
    split = lmer("Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", data("sleepstudy"))
    return flat(split.fixef, m.fixef_with(add_dropped=True))


def fortify(r):
    m = lmer("Reaction ~ Days + (1 | Subject)", data("sleepstudy"))
    around = m.augment()
    return flat(around["fitted"], around["resid"], m.resid("pearson", scaled=True))


def get_me(r):
    return flat(fm1().get_me("Z").toarray(), fm1().get_me("beta"), fm1().get_me("u"), fm1().get_me("RX"))


def hatvalues(r):
    return flat(fm1().hatvalues())


def influence(r):
    without = fm1().influence("Subject")
    return flat(without.dfbeta(), without.dfbetas(), without.cooks_distance())


def nested(r):
    pastes = data("Pastes")
    return flat([is_nested(pastes["cask"], pastes["batch"]), is_nested(pastes["sample"], pastes["batch"])])


def is_reml(r):
    m = fm1()
    return flat([m.is_lmm, m.is_glmm, m.is_nlmm, m.is_reml, m.update(reml=False).is_reml])


def each_subject(r):
    fits = lm_list("Reaction ~ Days | Subject", data("sleepstudy"))
    intervals = fits.confint()[["conf_low", "conf_high"]].unstack("term")  # R's array: subjects, bounds, terms
    return flat(fits.coef, *(intervals[[(bound, term) for bound in ("conf_low", "conf_high")]] for term in fits.coef))


def the_lmer_page(r):
    table, p = fm1().anova(fm2()).frame, fm2().vcov_of(correlation=True)
    orthodont = data("Orthodont", "nlme").assign(nsex=lambda d: 1.0 * (d["Sex"] == "Male"))
    orthodont["nsexage"] = orthodont["nsex"] * orthodont["age"]
    by_sex = lmer("distance ~ age + (age | Subject) + (0 + nsex | Subject) + (0 + nsexage | Subject)", orthodont)
    ml = fm1().update(reml=False)
    compared = flat(table["chisq"][1:], table["p_value"][1:])
    return flat(numbers(fm1()), fm1().coefficients, numbers(ml), numbers(fm2()), compared, p, numbers(by_sex))


def control(r):
    tolerances = {"xtol_rel": 1e-6, "xtol_abs": 1e-10, "ftol_abs": 1e-10}
    controls = [
        LmerControl(optimizer="bobyqa"),
        LmerControl(optimizer="Nelder_Mead"),
        LmerControl(optimizer="nloptwrap", opt_ctrl={"algorithm": "NLOPT_LN_NELDERMEAD"}),
        LmerControl(optimizer="nloptwrap", opt_ctrl={"algorithm": "NLOPT_LN_COBYLA", **tolerances}),
    ]
    return flat(*(numbers(fm1().update(control=c)) for c in controls))


def ngrps(r):
    fits = lmer("Reaction ~ 1 | Subject", data("sleepstudy")), lmer("strength ~ (1 | batch / cask)", data("Pastes"))
    return flat(*(fit.ngrps for fit in fits))


def nloptwrap(r):
    tight = fm1().update(control=LmerControl(opt_ctrl={"xtol_abs": 1e-8, "ftol_abs": 1e-8}))
    long = fm1().update(control=LmerControl(opt_ctrl={"maxeval": 10000}))
    other = fm1().update(control=LmerControl(optimizer="nlminbwrap"))
    return flat([tight.loglik - fm1().loglik, long.loglik - fm1().loglik], numbers(other))


def pastes(r):
    random = ("(1 | batch) + (1 | sample)", "(1 | batch / cask)", "(1 | batch) + (1 | batch:cask)")
    more = ("(1 | batch / sample)", "(1 | batch) + (1 | cask)")
    return flat(*(numbers(lmer(f"strength ~ {terms}", data("Pastes"))) for terms in (*random, *more)))


def penicillin(r):
    return flat(numbers(lmer("diameter ~ (1 | plate) + (1 | sample)", data("Penicillin"))))


def plot(r):
    m = lmer("distance ~ age + (age | Subject)", data("Orthodont", "nlme"))
    residuals = m.plot_residuals(type="response", scaled=True).collections[0].get_offsets()
    return flat(residuals[:, 1], residuals[:, 0], np.sqrt(np.abs(m.resid())))


def predict(r):
    dd = pd.DataFrame({"y": [1, 2, 3] * 9, "Animal ID": np.repeat(np.arange(1, 10), 3)})
    m = lmer("y ~ 1 + (1 | `Animal ID`)", dd)
    rows = np.array([7, 9, 11, 13, 14, 15, 16, 17, 20, 21, 22]) - 1
    some = fm1().predict(data("sleepstudy").head(12), re_form="~(Days | Subject)")
    whole = flat(fm1().predict(), fm1().predict(re_form="~0"), some)
    return flat(m.vcov.iloc[0, 0], m.predict(dd.iloc[rows]), whole)


def profile(r):
    p = fm01_ml().profile()
    logs, variances = p.log_prof(ranef=False), p.variance_prof()
    return flat(bounds(p.confint()), p.frame["zeta"], bounds(logs.confint()), bounds(variances.confint()))


def ranef(r):
    fm3 = lmer("diameter ~ (1 | plate) + (1 | sample)", data("Penicillin"))
    table = fm1().ranef_table()
    return flat(table["estimate"], table["std_error"], *fm2().ranef.values(), *fm3.ranef.values())


def re_pca(r):
    subject = fm1().re_pca()["Subject"]
    return flat(subject.sdev, np.abs(subject.rotation))


def refit(r):
    y, x = r["refit"][:1000].reshape(10, 100), r["refit"][1000:1100]  # R's own random numbers
    d = pd.DataFrame({"y": y[0], "x": x, "f": np.tile(np.arange(1, 11), 10)})
    quiet = LmerControl(check_conv_grad="ignore", check_conv_hess="ignore")
    first = lmer("y ~ x + (1 | f)", d, reml=False, control=quiet)
    return flat(*y, x, numbers(first), *(numbers(first.refit(other)) for other in y[1:]))


def sleepstudy(r):
    s = data("sleepstudy")
    random = ("(Days | Subject)", "(1 | Subject) + (0 + Days | Subject)")
    return flat(*(numbers(lmer(f"Reaction ~ Days + {terms}", s, subset=s["Days"] >= 2)) for terms in random))


def utilities(r):
    ml = fm1().update(reml=False).llik_aic()
    residuals = fm1().summary().residual_quantiles
    return flat([fm1().llik_aic().criterion], [ml.aic, ml.bic, ml.loglik, ml.criterion, ml.df_residual], residuals)


def vcconv(r):
    matrices = vec2mlist(np.arange(1.0, 7.0))
    return flat(*matrices, mlist2vec(matrices))


EXAMPLES = {
    "VarCorr": var_corr,
    "allFit": all_fit,
    "bootMer": boot_mer,
    "cake": cake,
    "confint": confint,
    "convergence": convergence,
    "devfun2": devfun2,
    "drop1": drop1,
    "dummy": dummy,
    "Dyestuff": dyestuff,
    "expandDoubleVerts": expand_double_verts,
    "fixef": fixef,
    "fortify": fortify,
    "getME": get_me,
    "hatvalues": hatvalues,
    "influence": influence,
    "isNested": nested,
    "isREML": is_reml,
    "lmList": each_subject,
    "lmer": the_lmer_page,
    "lmerControl": control,
    "ngrps": ngrps,
    "nloptwrap": nloptwrap,
    "Pastes": pastes,
    "Penicillin": penicillin,
    "plot": plot,
    "predict": predict,
    "profile": profile,
    "ranef": ranef,
    "rePCA": re_pca,
    "refit": refit,
    "sleepstudy": sleepstudy,
    "utilities": utilities,
    "vcconv": vcconv,
}


@pytest.mark.slow
def test_every_example_has_both_its_languages(in_r):
    assert set(in_r) == set(EXAMPLES)


@pytest.mark.slow
@pytest.mark.parametrize("page", EXAMPLES)
def test_an_example_of_lme4_gives_r_s_numbers_in_python(page, in_r):
    ours = EXAMPLES[page](in_r)
    np.testing.assert_allclose(ours, in_r[page], rtol=LOOSE.get(page, 0), atol=0, equal_nan=True)
