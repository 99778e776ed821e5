"""A code has one sentence, and every figure of it is in the sentence."""

import math

import pytest

from lmerbridge.parity.words import SENTENCES, Code, sentence

NAMES = {"reference": "lme4", "candidate": "mine"}
SPACE = {"columns": 4, "same_columns": True, "dropped": (), "random": ("(a | g)",)}
OBJECTIVE = {"candidate": "mine", "reported": 12.0, "common": 10.0, "difference": 2.0, "method": "REML"}
STOPPED = {"worse": "mine", "gap": 2.7456, "minimum": 432.5816, "better": "lme4", "better_gap": 5.6e-6}
PINNED = {"candidate": "mine", "differences": {"se": 0.01, "df": math.inf}}
SIZES = "At the same theta mine differs in standard errors by 1.0e-02, the number of parameters or rows by inf"

SAID = [
    (Code.NO_FIT, {"message": "{no} weights"}, "{no} weights"),
    (Code.NOT_RECORDED, {"message": "no such fit."}, "not recorded: no such fit."),
    (Code.NOT_JUDGED, {"message": "no"}, "the answers cannot be judged: no"),
    (Code.STRUCTURED, {}, "the referee moves every Cholesky factor freely, which diag(), cs() and ar1() do not; "),
    (Code.SAME_DATA, {"rows": 9, "dropped": 0}, "Both used the same 9 rows."),
    (Code.SAME_DATA, {"rows": 9, "dropped": 2}, "Both used the same 9 rows, 2 left out for a missing value."),
    (
        Code.OTHER_DATA,
        NAMES
        | {"reference_method": "REML", "candidate_method": "ML", "only_reference": 3, "only_candidate": 4}
        | {"rows_differing": {}},
        "Not the same data: lme4 fitted by REML, mine by ML; 3 rows only lme4 used and 4 only mine did.",
    ),
    (
        Code.OTHER_DATA,
        NAMES | {"rows_differing": {"y": 5, "offset": 6}},
        "Not the same data: 5 rows differ in the response; 6 rows differ in offset.",
    ),
    (Code.SAME_SPACE, SPACE, "Same model space: 4 fixed effects in the same columns, and (a | g)."),
    (
        Code.SAME_SPACE,
        {"columns": 1, "same_columns": False, "dropped": ("u", "v"), "random": ("(a | g)", "(b | h)")},
        "Same model space: 1 fixed effect in another coding, carried over, u, v left out, and (a | g) and (b | h).",
    ),
    (
        Code.OTHER_SPACE,
        NAMES
        | {"reference_columns": 2, "candidate_columns": 3, "terms_differing": ()}
        | {"reference_random": ("(a | g)",), "candidate_random": ("(b | g)", "(c | h)")},
        "Not the same model: lme4 has 2 fixed effects, mine 3; lme4 has (a | g), mine (b | g) and (c | h).",
    ),
    (
        Code.OTHER_SPACE,
        NAMES | {"distance": 0.5, "terms_differing": ({"group": "g", "in": "rows"}, {"group": "h", "in": "levels"})},
        "Not the same model: the column spaces of X are 0.5 apart; rows belong to other levels of g, "
        "or its columns differ; h has other levels in mine.",
    ),
    (Code.NO_THETA, NAMES, "mine returned a variance that is not a number."),
    (Code.NO_ESTIMATE, NAMES, "mine returned a fixed effect or a shape that is not a number."),
    (Code.NO_CRITERION, NAMES, "mine returned a criterion that is not a number."),
    (Code.NO_VALUE, NAMES, "The common objective has no value at the answer of mine."),
    (
        Code.SAME_OBJECTIVE,
        {"candidate": "mine", "difference": 5.7e-14},
        "Same objective: at the estimates of mine the two criteria differ by 5.7e-14.",
    ),
    *(
        (
            Code.OTHER_OBJECTIVE,
            OBJECTIVE | {"constant": constant} | more,
            "mine reports a criterion of 12.000000; the common objective at its estimates is 10.000000, "
            f"and the difference is {words}.",
        )
        for constant, more, words in [
            ("", {}, "2, without a name"),
            ("-p_log_2pi", {}, "-p log 2 pi"),
            ("sum_log_weights", {}, "the sum of log weights"),
            ("other_method", {}, "that of ML to REML"),
            ("other_method", {"method": "ML"}, "that of REML to ML"),
        ]
    ),
    (
        Code.SAME_OPTIMUM,
        {"reach": 2e-9, "minimum": 432.5816, "marks": ("boundary", "flat")},
        "Same optimum: both lie within 2.0e-09 deviance units of 432.581600 (boundary, flat).",
    ),
    *(
        (
            Code.STOPPED_ABOVE,
            STOPPED | {"converged": converged, "marks": ()},
            "mine stopped 2.75 deviance units above the best optimum known, 432.581600, and says that it "
            f"{words}; lme4 lies 5.6e-06 above it.",
        )
        for converged, words in [(True, "converged"), (False, "did not converge")]
    ),
    (Code.SAME_REPORT, NAMES, "Held at the theta of mine, the common code gives every number it reports."),
    (Code.OTHER_REPORT, PINNED, f"{SIZES}, and no known definition accounts for it."),
    (Code.DEFINED_BEYOND, PINNED | {"definitions": ("se_joint_information",)}, f"{SIZES}, by definition: "),
    (Code.DEFINED_WITHIN, PINNED | {"definitions": ("se_joint_information",)}, f"{SIZES}, by definition: "),
    (Code.ALL_WITHIN, {}, "Every quantity agrees within its tolerance."),
    (Code.SOME_BEYOND, {"quantities": ("sigma", "se[x]")}, "Beyond tolerance: sigma, se[x]."),
    (Code.SOME_MISSING, {"quantities": ("sigma", "se[x]")}, "There is no number to compare for sigma, se[x]."),
    (Code.SOUND_REFERENCE, {"reference": "a"}, "Held at its own theta, a reports what the common code gives."),
    (
        Code.REFERENCE_CRITERION,
        {"reference": "a", "difference": 5.0},
        "The reference is at fault: the criterion of a lies 5 from the common objective at its own theta.",
    ),
    (
        Code.REFERENCE_REPORT,
        {"reference": "a", "differences": {"se": 0.2}},
        "The reference is at fault. At the same theta a differs in standard errors by 2.0e-01.",
    ),
    (
        Code.INDEFINITE,
        {"candidate": "b", "differences": {"se": 0.2}},
        "At the same theta b differs in standard errors by 2.0e-01: it inverts an information matrix that is not "
        "positive definite at its estimates, and what comes out is no standard error.",
    ),
    (
        Code.SAME_FLAGS,
        {"candidate": "b", "remarks": {}},
        "What b says of its convergence and of its boundary is so.",
    ),
    (
        Code.FLAGS_DIFFER,
        {"candidate": "b", "gap": 3e-9, "remarks": {"converged": False, "singular": True, "single": True}},
        "A remark: b says that it did not converge, 3.0e-09 above the best optimum known; b says that its answer is on "
        "the boundary, and its variances say otherwise; b reports in single precision.",
    ),
    (
        Code.FLAGS_DIFFER,
        {"candidate": "b", "gap": 0.0, "remarks": {"untold": ("se", "vcov")}},
        "A remark: b has no number for standard errors and correlations of the estimates.",
    ),
]
OPEN = {Code.STRUCTURED, Code.DEFINED_BEYOND, Code.DEFINED_WITHIN}  # what ends in a text of elsewhere


@pytest.mark.parametrize(("code", "figures", "words"), SAID, ids=lambda value: str(value)[:24])
def test_a_code_and_its_figures_are_one_sentence(code, figures, words):
    text = sentence(code, figures)
    assert text.startswith(words) if code in OPEN else text == words
    assert text.endswith(" It stays within tolerance here.") == (code is Code.DEFINED_WITHIN)


def test_every_code_has_a_sentence_that_is_tested():
    assert set(SENTENCES) == set(Code) == {code for code, _, _ in SAID}


def test_a_code_is_its_name_and_knows_its_stage():
    assert {Code(str(code)) for code in Code} == set(Code)
    assert (Code.STOPPED_ABOVE.stage, Code.STOPPED_ABOVE.agrees) == ("optimum", False)
    assert {code.stage for code in Code if code.agrees} == {
        *("reference", "rows", "model_space", "objective", "optimum", "pinned", "quantities", "flags")
    }
