"""How results are shown: every class of them has a text and a table for a notebook, and neither needs R."""

import dataclasses
import inspect
import pickle
import re
import typing
import warnings
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest

import lmerbridge
from lmerbridge import (
    code_levels,
    compare,
    compare_models,
    demean,
    explain_formula,
    glmer,
    group_summary,
    hausman,
    impute,
    lm_list,
    load_dataset,
    model_table,
    mundlak_test,
    nlmer,
    params_template,
    standardize,
)
from lmerbridge.bridge import host
from lmerbridge.results import shown
from tests.fits import fit_of

MODEL = "Reaction ~ Days + (Days | Subject)", "sleepstudy"
ROOMS = ("lmerbridge.models", "lmerbridge.prepare", "lmerbridge.results", "lmerbridge.parity.verdict")
OTHERS = {"Kind", "Provenance", "Known", "Trial", "Family"}  # plain values that a dataclass's own repr tells


class Anything(type):
    """A stand-in for a name that only type checkers import."""

    def __getattr__(cls, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return cls

    def __getitem__(cls, item):
        return cls

    def __or__(cls, other):
        return other


class Unknown(metaclass=Anything):
    pass


def hints(function):
    unknown = {}
    while True:
        try:
            return typing.get_type_hints(inspect.unwrap(function), localns=unknown)
        except NameError as error:
            unknown[error.name] = Unknown


def classes_in(kind):
    """Classes that a type names, at any depth."""
    if isinstance(bound := getattr(kind, "__bound__", None), type):
        yield bound
    for each in (typing.get_origin(kind), *typing.get_args(kind), kind):
        if isinstance(each, type) and not typing.get_args(each):
            yield each
        elif each is not kind:
            yield from classes_in(each)


def given(of):
    """Types of what the public functions, properties and fields of a class give."""
    for kind in of.__mro__:
        for name, member in vars(kind).items():
            function = getattr(member, "fget", None) or getattr(member, "func", member)
            if not name.startswith("_") and inspect.isfunction(function):
                yield hints(function).get("return")
    if dataclasses.is_dataclass(of):
        types = hints(of)
        yield from (types[field.name] for field in dataclasses.fields(of) if not field.name.startswith("_"))


def results():
    """Dataclasses that a user can come by, from the exported functions on."""
    exported = [getattr(lmerbridge, name) for name in lmerbridge.__all__]
    waiting = [hints(each).get("return") if inspect.isfunction(each) else each for each in exported]
    found = {}
    while waiting:
        for of in classes_in(waiting.pop()):
            if of.__module__.startswith("lmerbridge.") and of not in found:
                found[of] = None
                waiting.extend(given(of))
    return [
        of
        for of in found
        if dataclasses.is_dataclass(of) and of.__module__.startswith(ROOMS) and of.__name__ not in OTHERS
    ]


RESULTS = results()


def two(fit):
    return fit.refit_ml().anova(fit.refit_ml().update("Reaction ~ 1 + (1 | Subject)"))


def remedies(fit):
    return fit.remedies(["bobyqa"])


def cows():
    formula = "cbind(incidence, size - incidence) ~ period + (1 | herd)"
    return glmer(formula, load_dataset("cbpp"), "binomial")


def trees():
    formula = "circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree"
    return nlmer(formula, load_dataset("Orange", "datasets"))


def panel():
    return fit_of("lang ~ IQ + (1 | class)", "nlschools")


EXAMPLES = {  # one value of each class, and what its table has to show
    "LmerFit": (lambda fit: fit, "Days 10.467 Subject 18"),
    "GlmerFit": (lambda fit: cows(), "period2 -0.99 herd 15 z_value"),
    "NlmerFit": (lambda fit: trees(), "Asym 192.05 Tree 5"),
    "KeptFit": (lambda fit: fit, "Days 10.467 Subject 18"),
    "Fit": (lambda fit: fit.numbers(), "Days 10.467 Subject 18"),
    "VarCorr": (lambda fit: fit.varcorr, "Subject 24.740 Residual"),
    "CovarianceBlock": (lambda fit: fit.varcorr["Subject"], "24.740 0.0655"),
    "GroupModes": (lambda fit: fit.modes[0], "308 9.198"),
    "Design": (lambda fit: fit.design(), "249.56"),
    "RandomTerm": (lambda fit: fit.design().random[0], "RandomTerm Subject"),
    "Summary": (lambda fit: fit.summary("Satterthwaite"), "p_value 10.467 Subject"),
    "AnovaTable": (two, "npar chisq p_value"),
    "ModComp": (lambda fit: fit.kr_modcomp([0, 1]), "p_value"),
    "Steps": (lambda fit: fit.step(), "lrt sum_sq"),
    "Profile": (lambda fit: fit.profile("sigma"), "zeta"),
    "Spline": (lambda fit: fit.profile("sigma").forward["sigma"], "knots"),
    "Devfun2": (lambda fit: fit.devfun2(), "base_deviance sigma"),
    "EmmGrid": (lambda fit: fit.emmeans("Days"), "298.507 kenward-roger"),
    "AllFit": (lambda fit: fit.all_fit(["bobyqa"]), "bobyqa 10.467"),
    "Influence": (lambda fit: fit.influence("Subject", jobs=1), "308 Days"),
    "Bootstrap": (lambda fit: fit.bootstrap(nsim=3, seed=1), "Days"),
    "ManyFits": (lambda fit: fit.refit_many(fit.simulate(2, seed=1)), "sim_1 std_error_Days"),
    "Replicates": (lambda fit: fit.bootstrap(nsim=3, seed=1).replicates, "sigma"),
    "PowerCurve": (lambda fit: fit.power_curve(lambda _: True, "Subject", [5], 2, seed=1), "conf_low"),
    "Power": (lambda fit: fit.power(lambda _: True, 2, seed=1), "100.0%"),
    "ConditionalCovariance": (lambda fit: fit.cond_var()["Subject"], "308 12.07"),
    "PCA": (lambda fit: fit.re_pca()["Subject"], "proportion PC1"),
    "ReCov": (lambda fit: fit.re_covs()[0], "us 24.740"),
    "MEParts": (lambda fit: fit.me_parts(), "249.56"),
    "Cholesky": (lambda fit: fit.get_me("L"), "permutation"),
    "DevComp": (lambda fit: fit.get_me("devcomp"), "ldL2"),
    "DevianceFunction": (lambda fit: fit.devfun(), "theta 0.966"),
    "ModelTerms": (lambda fit: fit.model_terms(), "Reaction Days"),
    "OptInfo": (lambda fit: fit.optinfo, "nloptwrap gradient"),
    "Convergence": (lambda fit: fit.convergence(), "optimizer"),
    "LlikAIC": (lambda fit: fit.llik_aic(), "aic"),
    "Contributions": (lambda fit: fit.contributions(), "298.507 Days"),
    "ModelTable": (model_table, "10.467 Days 180"),
    "Comparison": (lambda fit: compare(*model()), "same_optimum fixef[Days]"),
    "LmList": (lambda fit: lm_list("Reaction ~ Days | Subject", fit.spec.data), "308 21.764"),
    "GroupEstimates": (lambda fit: lm_list("Reaction ~ Days | Subject", fit.spec.data).estimates, "coef squares"),
    "R2": (lambda fit: fit.r2(), "0.2786 Subject"),
    "ICC": (lambda fit: fit.icc(), "0.5205 Subject"),
    "VarianceParts": (lambda fit: fit.icc().parts, "1698.08 Subject"),
    "Intervals": (lambda fit: fit.interval_of(lambda f: f.sigma, nsim=3, seed=1), "25.591 conf_low"),
    "SimulatedResiduals": (lambda fit: fit.simulated_residuals(5, seed=1), "uniformity"),
    "Checks": (lambda fit: fit.check(seed=1), "normality 0.9014"),
    "Test": (lambda fit: fit.check(seed=1).tests[0], "Shapiro-Wilk 0.9014"),
    "Remedies": (remedies, "bobyqa 1743.6"),
    "Scaling": (lambda fit: remedies(fit).scaling, "Days"),
    "Mapped": (lambda fit: remedies(fit).mapped, "10.467"),
    "Scenarios": (lambda fit: fit.scenarios(fit.spec.data.head(2), {"Days": 3}), "difference"),
    "Effect": (lambda fit: fit.effect("Days"), "estimate Days"),
    "MundlakTest": (lambda fit: mundlak_test(panel()), "IQ_between"),
    "HausmanTest": (lambda fit: hausman(panel(), method="ml"), "IQ"),
    "ModelComparison": (lambda fit: compare_models(fit, fit.update("Reaction ~ 1 + (1 | Subject)")), "rmse weight"),
    "GroupSummary": (lambda fit: group_summary(fit.spec.data, "Subject"), "Subject 18 Days"),
    "Explanation": (lambda fit: explain_formula(MODEL[0], fit.spec.data), "Days Subject 18"),
    "Imputation": (lambda fit: impute(fit.spec.data, "Days", "Subject"), "Reaction 249.56"),
    "Demeaned": (lambda fit: demean(fit.spec.data, "Days", "Subject"), "Days_within -4.5"),
    "Standardized": (lambda fit: standardize(fit.spec.data, "Days"), "-1.562"),
    "Codes": (lambda fit: code_levels(fit.spec.data, ["Subject", "Days"]), "308/0"),
    "NewParams": (lambda fit: params_template("~ Days + (Days | Subject)"), "theta Days"),
}


def model():
    return MODEL[0], fit_of(*MODEL).spec.data


@pytest.fixture(scope="module")
def fit():
    return fit_of(*MODEL)


def test_tables_by_group_are_shown_as_tables(fit):
    for tables in (fit.ranef, fit.coef):
        assert tables["Subject"].to_string() in repr(tables)
        assert {"Subject", "308", "Days"} <= {*page_of(tables).split()}
        assert pickle.loads(pickle.dumps(tables)).keys() == tables.keys()


class Text(HTMLParser):
    """The text of a page, and the tags that are open at its end."""

    def __init__(self):
        super().__init__()
        self.text, self.open = [], []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def page_of(value):
    page = Text()
    page.feed(value._repr_html_())
    assert page.open == []
    return " ".join(page.text)


def test_every_class_of_results_has_an_example():
    assert {of.__name__ for of in RESULTS} == set(EXAMPLES)
    assert len(RESULTS) > 30


@pytest.mark.parametrize("of", RESULTS, ids=lambda of: of.__name__)
def test_a_result_shows_its_numbers_without_r_and_without_warnings(of, fit, monkeypatch):
    make, expected = EXAMPLES[of.__name__]
    value = make(fit)
    assert isinstance(value, of)
    monkeypatch.setattr(host, "call", None)
    monkeypatch.setattr(host.RModel, "call", None)
    monkeypatch.setattr(host.Worker, "call", None)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        text, page = repr(value), page_of(value)
    assert [word for word in expected.split() if word not in page] == []
    assert text
    assert not re.search(r"array\(|DataFrame\(|dtype=|<lmerbridge\.| object at 0x", text + page)


def test_a_fit_that_came_from_a_pickle_is_shown_without_a_model(fit, monkeypatch):
    again = pickle.loads(pickle.dumps(fit))
    assert page_of(again) == page_of(fit)
    assert again._in_r.model is None


@pytest.mark.parametrize("name", ["VarCorr", "EmmGrid"])
def test_what_is_a_table_is_its_table_where_python_prints_it(name, fit):
    value = EXAMPLES[name][0](fit)
    assert repr(value) == str(value)
    assert value.frame.to_string(index=False, na_rep="") in repr(value)


@shown()
@dataclasses.dataclass(frozen=True, repr=False)
class Odd:
    name: str
    table: pd.DataFrame
    nothing: object = None
    _hidden: int = 0


def odd(**columns):
    return Odd("a <b> & \x1b[31m", pd.DataFrame(columns))


def test_names_and_texts_are_escaped_and_cleaned():
    value = odd(**{"<i>x</i>": ["<script>alert(1)</script>", None], "é": [np.nan, 1.5]})
    assert "<script>" not in value._repr_html_()
    assert "<i>" not in value._repr_html_()
    assert "<script>alert(1)</script>" in page_of(value)
    assert "None" not in page_of(value)
    assert "\x1b" not in repr(value) + page_of(value)
    assert "hidden" not in repr(value)


def test_a_long_table_is_shown_in_part_and_an_empty_one_at_all():
    long = odd(x=range(1000))
    assert 20 < len(long._repr_html_().splitlines()) < 200
    assert len(repr(long).splitlines()) < 20
    assert "x" in page_of(odd(x=[]))
    assert page_of(odd())


@shown()
@dataclasses.dataclass(frozen=True, repr=False)
class Noted:
    share: float
    tables: dict
    notes: tuple = ("one & two", "three")


def test_notes_stand_below_the_tables_and_numbers_are_short():
    value = Noted(np.float64(1 / 3), {"a": pd.Series([1.5], name="x"), "b": np.eye(2)})
    assert repr(value).startswith("Noted: share=0.3333333\n\ntables: a\n")
    assert repr(value).endswith("\n\none & two\n\nthree")
    assert "one &amp; two</p><p>three</p></div>" in value._repr_html_()
    assert "<p>tables: &lt;b&gt;</p>" in Noted(0.5, {"<b>": pd.Series([1.0])})._repr_html_()
