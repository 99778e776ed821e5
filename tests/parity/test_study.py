"""The study: what is counted, from what, and that a part of it is made anew beside the rest."""

import json
import math
from contextlib import nullcontext
from dataclasses import replace

import pytest
from statsmodels.stats.proportion import proportion_confint

from lmerbridge import lmer, load_dataset
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import cases, suite
from lmerbridge.parity.accuracy import DigitRow
from lmerbridge.parity.rates import wilson_interval
from lmerbridge.parity.reference import KnownNumber
from lmerbridge.parity.study import claims, counts, designs, known, rows
from lmerbridge.parity.study.cpu import cpu_seconds
from lmerbridge.parity.study.fits import StudyFits
from lmerbridge.parity.study.plan import BLOCKS, StudyPlan
from lmerbridge.parity.study.run import report_versions
from lmerbridge.parity.study.summary import study_fits, study_summary
from lmerbridge.parity.study.times import Time, time_table, times_of, times_summary
from lmerbridge.report import describe, json_text
from lmerbridge.report.study.make import make_study
from lmerbridge.report.study.write import NAMES
from tests.pages import ROOT

OUTCOMES = ("right", "otherwise", "warned", "silent", "fails", "refuses", "unjudged")


def quiet(_):
    return nullcontext()


@pytest.fixture(scope="module")
def committed():
    return json.loads((ROOT / "reports" / "study.json").read_text())


@pytest.fixture(scope="module")
def parity():
    return json.loads((ROOT / "reports" / "parity.json").read_text())


def counted(found, model, engine):
    mine = [row.outcome for row in found if row.engine == engine and (row.block == "glmm") == (model == "generalized")]
    return {name: mine.count(name) for name in OUTCOMES if mine.count(name)}


def test_what_is_read_from_a_report_counts_as_the_report_counted(parity):
    names = list(report_versions(parity))
    found = rows.worst(rows.rows_of_report(parity, names))
    models = {"lme4": "linear", "lme4[tight]": "generalized"}  # that a reference is judged on
    for told in (*parity["engines"], *parity["references"]):
        engine = told["engine"].rpartition(" ")[0]
        tally = {name: number for name, number in told["tally"].items() if number}
        assert counted(found, told.get("model") or models[engine], engine) == tally


def test_a_result_and_what_a_report_tells_of_it_give_the_same_rows():
    picked = [*cases.pick("dyestuff2/ML"), *cases.pick("small_slopes_1/ML")]
    results = [suite.run_case(case, ("statsmodels", "mgcv")) for case in picked]
    told = json.loads(json_text(describe(suite.collect(results))))
    ours = [
        row
        for group in results
        for result in group
        for row in rows.rows_of_result(result, rows.block_of(result.case.model, result.case.kind))
    ]
    read = [*rows.rows_of_report(told, ["statsmodels", "mgcv"])]
    assert {repr(row) for row in read} == {repr(row) for row in ours}
    assert {row.outcome for row in read} >= {"right", "refuses"}


def test_of_several_rows_of_one_fit_the_worst_stands():
    row = rows.Row("real", "", "a", "lme4", "right", converged=True, gap=1e-9)
    (found,) = rows.worst([row, replace(row, outcome="silent", gap=2.0), replace(row, gap=math.nan)])
    assert (found.outcome, found.gap) == ("silent", 2.0)


@pytest.mark.parametrize(("right", "fits"), [(0, 3), (3, 3), (8, 10), (167, 176), (1, 2)])
def test_an_interval_is_wilsons(right, fits):
    # two programs of one closed form
    assert wilson_interval(right, fits) == pytest.approx(proportion_confint(right, fits, method="wilson"), abs=1e-12)


PRINTED = {  # quantity, printed, its digits, found, sigma squared: whether it is reproduced
    ("fixef[x]", 10.47, 4, 10.4651, 1.0): True,  # rounds to it
    ("fixef[x]", 10.47, 4, 10.4645, 1.0): False,
    ("fixef[x]", 10.4672859, 9, 10.4676, 1.0): True,  # four digits are enough
    ("fixef[x]", 10.4672859, 9, 10.4690, 1.0): False,
    ("var[g.x]", 35.07, 4, 35.1, 1.0): True,  # three of a variance
    ("var[g.x]", 35.07, 4, 35.2, 1.0): False,
    ("logLik", -871.8141, 7, -871.8148, 1.0): True,
    ("logLik", -871.8141, 7, -871.8158, 1.0): False,
    ("var[g.x]", 0.0, 1, 9e-5, 1.0): True,  # a hundredth of sigma
    ("var[g.x]", 0.0, 1, 2e-4, 1.0): False,
    ("sd[g.x]", 0.0, 1, 0.02, 9.0): True,
    ("var[g.x]", 2.8e-14, 7, 0.0, 0.25): True,  # another's zero
    ("fixef[x]", 1.0, 4, math.nan, 1.0): False,
}


@pytest.mark.parametrize("given", PRINTED)
def test_a_printed_number_is_reproduced_to_its_digits_or_to_enough(given):
    quantity, value, digits, found, sigma2 = given
    number = KnownNumber(quantity, value, digits, "somebody")
    assert known.reproduces({quantity: found, "sigma2": sigma2}, number) is PRINTED[given]


def test_digits_suffice_where_the_data_have_no_more():
    exact = {"fixef[x]": 2.0, "var[g.x]": 0.0}
    assert known.suffices(DigitRow("a", "e", "fixef[x]", 4.0, 7.0), exact)
    assert not known.suffices(DigitRow("a", "e", "fixef[x]", 3.9, 7.0), exact)
    assert known.suffices(DigitRow("a", "e", "fixef[x]", 0.1, 0.0), exact)
    assert known.suffices(DigitRow("a", "e", "var[g.x]", 4.1, 8.0), exact)
    assert not known.suffices(DigitRow("a", "e", "fixef[x]", math.nan, 0.0), exact)


def test_a_scaled_case_changes_its_columns_alone():
    found = {case.name: case for case in designs.scales()}
    base = load_dataset("sleepstudy")
    scaled = found["sleepstudy_x_times_1e-06_y_times_1e+06/REML"].data()
    assert (scaled["Days"] == base["Days"] * 1e-6).all()
    assert (scaled["Reaction"] == base["Reaction"] * 1e6).all()
    assert (found["orthodont_x_plus_1e+06/ML"].data()["age"] == load_dataset("Orthodont")["age"] + 1e6).all()
    assert len(found) == len(designs.scales())
    assert found["sleepstudy_as_it_is/REML"].spec().data.equals(base)


def test_small_groups_are_drawn_as_their_kind_says():
    for case in designs.small():
        frame = case.data()
        assert frame["g"].nunique() == case.groups
        assert (frame.groupby("g").size() == case.size).all()
        assert frame.equals(case.data())
    flat = designs.DrawnCase("a/ML", "small", "lmerbridge", "y ~ x + (x | g)", False, groups=400, size=8, slopes=(0.0,))
    steep = replace(flat, slopes=(0.5,))
    sds = [lmer(case.formula, case.data(), reml=False).varcorr.quantities()["sd[g.x]"] for case in (flat, steep)]
    assert sds == pytest.approx([0.0, 0.5], abs=0.15)  # the variance of 400 slopes is known to 0.02


def test_quantiles_of_gaps_are_gaps_that_occur():
    gaps = [1e-9] * 9 + [3.0]
    found = StudyFits(rows=tuple(rows.Row("real", "", str(i), "e", "right", True, gap) for i, gap in enumerate(gaps)))
    (told,) = counts.gap_quantiles(found, 0.01)
    assert (told["q50"], told["q90"], told["largest"], told["above"], told["fits"]) == (1e-9, 1e-9, 3.0, 1, 10)


def test_times_are_over_lme4s_on_the_models_that_both_fit():
    given = [("a", "lme4", 2.0), ("b", "lme4", 4.0), ("c", "lme4", 1.0)]
    given += [("a", "e", 1.0), ("b", "e", 8.0), ("c", "e", math.nan)]
    times = [Time(*each, turns=5) for each in given]
    table = {row["engine"]: row for row in time_table(times, ["lme4", "e"])}
    assert (table["lme4"]["median"], table["e"]["median"], table["e"]["models"]) == (1.0, 1.25, 2)
    assert repr(times_of(times_summary(times, ["lme4", "e"]))) == repr(times)


def test_the_time_of_r_counts():
    frame = load_dataset("sleepstudy")
    lmer("Reaction ~ 1 + (1 | Subject)", frame)
    nothing = cpu_seconds(lambda: None)
    fit = cpu_seconds(lambda: [lmer("Reaction ~ Days + (Days | Subject)", frame) for _ in range(5)])
    assert fit > 0.02 > nothing  # five fits of some 15 ms, half of each in R


@pytest.mark.parametrize("claim", claims.claims(), ids=lambda claim: claim.id)
def test_a_claim_names_blocks_cases_and_a_place_that_there_are(claim):
    named = {"published": known.known_models("published"), "exact": known.known_models("exact")}
    named = {block: [model.case for model in models] for block, models in named.items()}
    named |= {"scales": [c.name for c in designs.scales()], "small": [c.name for c in designs.small()]}
    for case in cases.every_case():
        named.setdefault(rows.block_of(case.model, case.kind), []).append(case.name)
    assert set(claim.blocks) <= set(BLOCKS)
    assert all(StudyPlan((), pattern=claim.cases).picked([Named(n) for n in named[block]]) for block in claim.blocks)
    assert claim.where.startswith("https://")
    assert claim.read
    assert (claim.measure == "tolerance") == math.isfinite(claim.fixef)


class Named:
    def __init__(self, name):
        self.name = name


def test_a_claim_of_a_tolerance_holds_where_both_differences_are_within():
    claim = next(claim for claim in claims.claims() if claim.id == "interlace-linear")
    row = rows.Row("real", "", "a", "interlace", "right", True, 0.0, 9e-5, 0.04)
    given = [
        row,
        replace(row, case="b", var=0.06),
        replace(row, case="c", fixef=2e-4),
        replace(row, case="d", fixef=math.nan),
    ]
    (told,) = claims.measure_claim(claim, StudyFits(rows=tuple(given)))
    assert (told["asked"], told["holds"], told["fits"]) == (3, 1, 4)


def test_a_claim_of_no_higher_criterion_is_asked_beside_lme4():
    claim = next(claim for claim in claims.claims() if claim.id == "glmm-likelihood")
    row = rows.Row("real", "", "a", "glmm", "right", True, 0.5)
    lme4 = [replace(row, engine="lme4", gap=0.5), replace(row, engine="lme4", case="b", gap=0.0)]
    (told,) = claims.measure_claim(claim, StudyFits(rows=(row, replace(row, case="b"), replace(row, case="c"), *lme4)))
    assert (told["asked"], told["holds"]) == (2, 1)


def test_a_plan_with_an_unknown_block_is_refused():
    with pytest.raises(InvalidArgument, match=r"have \['hostile'\]; published"):
        StudyPlan(("nlme",), blocks=("hostile",))


def test_a_small_study_is_made_made_again_and_mended_in_part(tmp_path):
    plan = StudyPlan(("nlme", "statsmodels"), pattern="*sleep*_ri_*")
    told = make_study(plan, tmp_path, quiet)
    first = {name: (tmp_path / name).read_bytes() for name in NAMES}
    assert {row["block"] for row in told["counts"]} == {"published", "exact"}
    assert {row["engine"] for row in told["counts"]} == {"lme4", "nlme", "statsmodels"}
    assert all(sum(row[name] for name in OUTCOMES) == row["fits"] for row in told["counts"])

    again = make_study(plan, tmp_path, quiet, with_times=False)
    assert again == told
    assert {name: (tmp_path / name).read_bytes() for name in NAMES} == first

    part = make_study(StudyPlan(("mixedlm",), ("exact",), "sleep_ri_ml"), tmp_path, quiet, with_times=False)
    kept = {(row["block"], row["engine"]): row for row in part["counts"]}
    assert kept["exact", "mixedlm"]["fits"] == 1
    assert [kept[row["block"], row["engine"]] for row in told["counts"]] == told["counts"]


def test_a_study_of_another_lme4_is_not_added_to(tmp_path):
    plan = StudyPlan(("nlme",), ("exact",), "rail_ml")
    told = make_study(plan, tmp_path, quiet, with_times=False)
    told["provenance"]["lme4"] = "0.99"
    (tmp_path / NAMES[0]).write_text(json.dumps(told))
    with pytest.raises(InvalidArgument, match=r"is of lme4 0\.99"):
        make_study(plan, tmp_path, quiet, with_times=False)


def test_the_committed_study_is_counted_from_its_rows(committed):
    again = study_summary(study_fits(committed))
    for name in ("engines", "blocks", "counts", "linear", "kinds", "gaps", "digits", "printed", "claims", "rows"):
        assert again[name] == committed[name], name


def test_the_committed_counts_add_up(committed):
    for row in (*committed["counts"], *committed["linear"], *committed["kinds"]):
        assert sum(row[name] for name in OUTCOMES) == row["fits"]
        assert row["taken"] == row["fits"] - row["refuses"] - row["unjudged"]
    by_engine = {row["engine"]: row for row in committed["linear"]}
    for engine, whole in by_engine.items():
        parts = [row for row in committed["counts"] if row["engine"] == engine and row["block"] != "glmm"]
        assert {name: sum(row[name] for row in parts) for name in OUTCOMES} == {name: whole[name] for name in OUTCOMES}


def test_the_committed_study_is_whole(committed):
    assert [each["block"] for each in committed["blocks"]] == list(BLOCKS)
    engines = {each["engine"] for each in committed["engines"]}
    wanted = set((ROOT / "Makefile").read_text().partition("ENGINES = ")[2].partition("\n")[0].replace("'", "").split())
    assert engines >= wanted
    for block in BLOCKS:
        sizes = {
            row["fits"] for row in committed["counts"] if row["block"] == block and row["engine"] in wanted - {"lme4"}
        }
        assert len(sizes) == 1, block
