"""Fits side by side: the numbers are those of the fits, and any text is safe in HTML, LaTeX and Word."""

import subprocess
from html.parser import HTMLParser
from shutil import which

import numpy as np
import pandas as pd
import pytest

from lmerbridge import lmer, load_dataset, model_table
from lmerbridge.errors import InvalidArgument, InvalidCall, SetupError
from lmerbridge.models.tidy import render
from lmerbridge.setup import extras
from tests.oracle import MODELS, fitted

ODD = ("x_1", "a & b", "<b>é β", "$50% #~^{}\\", "*", "[u]", "x|g")
FIXED, RANDOM, FIT = "Fixed effects", "Random effects", "Fit"


@pytest.fixture(scope="module")
def three():
    slope = fitted("sleepstudy")
    return slope.update("Reaction ~ 1 + (1 | Subject)"), slope, fitted("double_bar").refit_ml()


@pytest.fixture(scope="module")
def odd():
    data = load_dataset("sleepstudy")
    draws = np.random.default_rng(1).normal(size=(len(data), len(ODD)))
    data = data.assign(**dict(zip(ODD, draws.T, strict=True)))
    terms = " + ".join(f"`{name.replace(chr(92), chr(92) * 2)}`" for name in ODD)
    fit = lmer(f"Reaction ~ {terms} + (1 | Subject)", data)
    return model_table(fit, names=["<i>m</i> & $y_1$"])


@pytest.mark.parametrize("name", MODELS)
def test_the_numbers_are_those_of_the_fit(name):
    fit = fitted(name)
    frame = model_table(fit, statistic=["std_error", "t_value", "conf_int", "p_value"], ddf="Satterthwaite").frame[
        "(1)"
    ]
    tidy = fit.tidy("fixed", conf_int=True, ddf_method="Satterthwaite").set_index("term")
    columns = {"estimate": "estimate", "std_error": "std_error", "t_value": "statistic", "p_value": "p_value"}
    columns |= {"conf_low": "conf_low", "conf_high": "conf_high"}
    for (term, statistic), value in frame[FIXED].items():
        assert value == tidy.loc[term, columns[statistic]]
    assert len(frame[FIXED]) == 6 * len(fit.terms)
    sizes = fit.varcorr.frame["sdcor"]
    assert sorted(frame[RANDOM]) == sorted(sizes)
    assert frame[FIT, "N", "value"] == fit.nobs
    assert frame[FIT, "logLik", "value"] == float(fit.loglik)
    assert (frame[FIT, "AIC", "value"], frame[FIT, "BIC", "value"]) == (fit.aic, fit.bic)
    for modes in fit.modes:
        assert frame[FIT, f"levels of {modes.group}", "value"] == len(modes.levels)


def test_variances_and_covariances_are_there_instead(three):
    frame = model_table(three[1], scales="vcov").frame["(1)"][RANDOM]
    assert sorted(frame) == pytest.approx(sorted(three[1].varcorr.frame["vcov"]))
    assert "Covariance of (Intercept), Days | Subject" in frame.index.get_level_values("row")


def test_rows_of_several_models_meet_under_one_name_and_in_one_order(three):
    table = model_table(*three, names=["null", "slope", "bars"])
    labels = [label for _, label in table.cells.index if label]
    assert labels == [
        *("(Intercept)", "Days", "SD of (Intercept) | Subject", "SD of Days | Subject"),
        *("Correlation of (Intercept), Days | Subject", "SD of residual"),
        *("N", "levels of Subject", "REML", "logLik", "AIC", "BIC"),
        *("ICC", "R2 marginal", "R2 conditional"),
    ]
    assert table.frame.loc[(FIT, "ICC", "value"), "slope"] == three[1].icc().adjusted
    assert table.frame.loc[(FIT, "R2 conditional", "value"), "bars"] == three[2].r2().conditional
    assert np.isnan(table.frame.loc[(FIXED, "Days", "estimate"), "null"])
    assert dict(zip(table.cells.index, table.cells["null"], strict=True))[FIXED, "Days"] == ""
    assert table.cells.loc[FIT].loc["REML"].tolist() == ["yes", "yes", "no"]
    assert table.formulas == tuple(fit.formula for fit in three)
    assert any("REML" in note for note in table.notes)


def test_groups_of_other_fits_stand_beside_the_rows(three):
    table = model_table(three[1], fitted("penicillin"))
    assert table.frame.loc[FIT].index.get_level_values("row").tolist()[:4] == [
        *("N", "levels of Subject", "levels of plate", "levels of sample"),
    ]
    assert "The models are of different numbers of rows." in table.notes


def test_criteria_of_different_responses_have_a_note(three):
    logs = three[1].update("log(Reaction) ~ .")
    for fits in ((three[1], logs), (three[1].numbers(), logs.numbers())):
        (note,) = (note for note in model_table(*fits).notes if "different responses" in note)
        assert note.endswith("between which logLik, AIC and BIC do not decide.")
    assert not any("different responses" in note for note in model_table(*three).notes)


def test_cells_tell_the_statistics_that_are_asked_for(three):
    table = model_table(
        three[1], statistic=("std_error", "conf_int", "t_value", "p_value"), ddf="KR", stars=True, digits=2
    )
    texts = table.cells["(1)"][FIXED].tolist()[5:]
    assert texts == ["10.47***", "(1.55)", "[7.21, 13.73]", "t = 6.77", "p < 0.001"]
    assert "Degrees of freedom are by Kenward-Roger." in table.notes
    twice = model_table(three[1], statistic=["std_error", "std_error"])
    assert twice.notes == model_table(three[1]).notes
    assert model_table(three[1], statistic=[]).cells["(1)"][FIXED].tolist() == ["251.405", "10.467"]
    wald = model_table(three[1], statistic="conf_int", level=0.9).frame["(1)"][FIXED].loc["Days"]
    tidy = three[1].tidy("fixed", conf_int=True, conf_level=0.9).set_index("term").loc["Days"]
    assert (wald["conf_low"], wald["conf_high"]) == (tidy["conf_low"], tidy["conf_high"])


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"names": ["a"]}, "3 different ones are expected"),
        ({"names": ["a", "a", "b"]}, "3 different ones are expected"),
        ({"stars": True}, "p-values need degrees of freedom"),
        ({"statistic": "p_value"}, "p-values need degrees of freedom"),
        ({"statistic": "nonsense"}, "'std_error', 'conf_int', 'p_value', 't_value'"),
        ({"digits": -1}, "digits is -1"),
        ({"digits": 16}, "digits is 16"),
        ({"level": 95}, "level is 95"),
        ({"ddf": "Kenward-Roger"}, "is for a fit by REML"),
    ],
)
def test_what_cannot_be_shown_is_refused(given, error, three):
    with pytest.raises(InvalidArgument, match=error):
        model_table(*three, **given)


def test_only_fits_are_taken(three):
    with pytest.raises(InvalidArgument, match="no fits"):
        model_table()
    with pytest.raises(InvalidArgument, match="a list is among the fits"):
        model_table([three[0]])
    with pytest.raises(InvalidArgument, match="a fit of lme4 has no degrees"):
        model_table(three[0].numbers(), ddf="Satterthwaite")
    with pytest.raises(InvalidCall):
        model_table(three[0], name="x")
    numbers, table = model_table(*[fit.numbers() for fit in three]).frame, model_table(*three).frame
    of_model = table.index.get_level_values("row").isin(["ICC", "R2 marginal", "R2 conditional"])
    assert numbers[~of_model].equals(table[~of_model])
    assert numbers[of_model].isna().all(axis=None)


class Cells(HTMLParser):
    """The texts of the cells of a page, and its tags."""

    def __init__(self):
        super().__init__()
        self.tags, self.texts = set(), [""]

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        self.texts.append("")

    def handle_data(self, data):
        self.texts[-1] += data.strip()


def cells_of(page):
    found = Cells()
    found.feed(page)
    return found


def terms_of(table):
    return list(dict.fromkeys(table.frame.loc[FIXED].index.get_level_values("row")))


def test_odd_names_are_texts_in_html(odd):
    found = cells_of(odd.to_html("<u>T</u> & _x_"))
    assert {"b", "i", "u", "script", "em"} & found.tags == set()
    assert {*terms_of(odd), "<i>m</i> & $y_1$", "<u>T</u> & _x_", *odd.notes} <= set(found.texts)
    assert odd.to_html("T") == odd.to_html("T")
    assert cells_of(odd._repr_html_()).tags & {"b", "i", "script"} == set()


def test_odd_names_are_texts_in_latex(odd):
    text = odd.to_latex("50% of T_1")
    assert r"50\% of T\_1" in text
    for escaped in (r"x\_1", r"a \& b", r"\textless{}b\textgreater{}é β", r"x\textbar{}g", r"\$y\_1\$", r"\#"):
        assert escaped in text
    body = text[text.index(r"\toprule") : text.index(r"\bottomrule")]
    rows = [line for line in body.splitlines() if "&" in line.replace(r"\&", "")]
    assert all(line.replace(r"\&", "").count("&") == 1 for line in rows)
    assert "\N{MINUS SIGN}" not in text
    assert "$-$" in text


def test_a_label_that_begins_with_a_bracket_is_no_argument_of_latex(three):
    table = model_table(three[1])
    cells = table.cells.set_axis(pd.MultiIndex.from_tuples([(FIXED, "[x]"), (FIXED, "*x")] * 9)[: len(table.cells)])
    cells.index.names = ["section", "label"]
    text = render.latex(cells, [], "")
    assert "\\\\\n[" not in text
    assert "{}[x]" in text
    assert "{*}x" in text


@pytest.mark.skipif(which("lualatex") is None, reason="no LuaLaTeX is installed")
def test_latex_compiles(odd, tmp_path):
    page = r"\documentclass{article}\usepackage{booktabs,array,caption}\begin{document}%s\end{document}"
    (tmp_path / "t.tex").write_text(page % odd.to_latex("T"), encoding="utf-8")
    done = subprocess.run(
        ["lualatex", "-interaction=nonstopmode", "t.tex"], cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == 0, done.stdout[-2000:]


def test_a_document_of_word_has_every_cell(odd, tmp_path):
    docx = pytest.importorskip("docx")
    place = odd.to_docx(tmp_path / "t.docx", "<u>T</u>")
    document = docx.Document(str(place))
    table = document.tables[0]
    texts = [[cell.text for cell in row.cells] for row in table.rows]
    assert texts[0] == ["", "<i>m</i> & $y_1$"]
    expected = [list(row) for row in zip(odd.cells.index.get_level_values("label"), odd.cells.iloc[:, 0], strict=True)]
    assert [row for row in texts[1:] if row[0] not in (FIXED, RANDOM, FIT)] == expected
    assert [each.text for each in document.paragraphs] == ["<u>T</u>", *odd.notes]
    assert [row[0] for row in texts if row[0] in (FIXED, RANDOM, FIT)] == [FIXED, RANDOM, FIT]


@pytest.mark.parametrize("name", ["t.doc", "nowhere/t.docx"])
def test_a_document_that_cannot_be_is_refused(name, odd, tmp_path):
    with pytest.raises(InvalidArgument, match=r"ends in \.docx|cannot be written"):
        odd.to_docx(tmp_path / name)


def test_a_missing_package_is_an_error_that_names_its_extra(odd, tmp_path, monkeypatch):
    def missing(name):
        raise ImportError(name)

    monkeypatch.setattr(extras, "import_module", missing)
    for ask in (odd.to_html, odd.to_latex, lambda: odd.to_docx(tmp_path / "t.docx")):
        with pytest.raises(SetupError, match=r"pip install 'lmerbridge\[tables\]'"):
            ask()
    assert "x_1" in str(odd)
    assert "x_1" in odd._repr_html_()


def test_a_plain_text_is_aligned(three):
    lines = str(model_table(*three[:2], names=["null", "slope"])).splitlines()
    assert lines[0].split() == ["null", "slope"]
    assert lines[2].endswith("251.405")
    assert len({len(line) for line in lines[2:4]}) == 1
