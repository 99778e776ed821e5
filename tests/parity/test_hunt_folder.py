"""What a hunt leaves: scripts run outside the checkout, cases that parity takes up, folders that are read back."""

import os
import re
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from lmerbridge import compare, hunt
from lmerbridge.cli import app
from lmerbridge.engines import find
from lmerbridge.engines.interlace import Interlace
from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.parity import cases
from lmerbridge.parity.cases import pick
from lmerbridge.parity.hunt import folder, resume, space, witness
from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.hunt.invariance import CHANGES
from lmerbridge.report.hunts import write_overview
from lmerbridge.setup.installation import find_rscript

DATA = pd.DataFrame(
    {
        "y": [2.0, 0.0, 0.0, 0.0, 0.0, 2.0, 2.0],
        "x": [1684.0, 0.0, 1684.0, 1684.0, 1686.0, 0.0, 1686.0],
        "g": ["a", "a", "a", "b", "b", "c", "c"],
    }
)
MODEL = Spec(formula="y ~ x + (x | g)", data=DATA)
CODED = Spec(
    formula="y ~ x * f + (x || g)",
    data=pd.concat([DATA.assign(x=DATA["x"] / 1000), DATA.assign(y=1 - DATA["y"], x=[1.0, 2, 0, 1, 5, 0, 2])]).assign(
        f=list("abbaabbabababa"), o=0.1, y=lambda d: d["y"] + [0.1 * (i % 5) for i in range(14)]
    ),
    offset="o",
    contrasts={"f": "contr.sum"},
)

COUNTS = pd.DataFrame(
    {
        "y": [3, 1, 2, 0, 1, 4, 0, 2, 6, 1, 1, 5, 7, 2, 4, 0, 0, 1, 2, 3, 4, 1, 2, 3],
        "n": [6, 4, 5, 3, 4, 7, 3, 5, 8, 4, 4, 6, 9, 5, 8, 3, 4, 4, 5, 6, 9, 4, 5, 6],
        "x": [-1.0, 0.5, 0.0, -2.0, 1.0, 2.0, -1.5, 0.3] * 3,
        "f": list("abc") * 8,
        "g": [f"g{i // 4}" for i in range(24)],
        "h": [f"h{i % 5}" for i in range(24)],
        "o": [0.1, -0.2, 0.3, 0.0] * 6,
    }
)
GENERALIZED = {
    "binomial": ("cbind(y, n - y) ~ x + (1 | g)", {}),
    "poisson": ("y ~ x + f + (1 | g) + (1 | h)", {"offset": "o", "contrasts": {"f": "contr.sum"}}),
}

FAR = pd.DataFrame(  # lme4's inner iterations come to no rest below 1e-10
    {"y": [0.0, 0, 0, 0, 0, 1], "x": [2e5, 1e5, 0.0, -3e5, -1e5, -2e5], "g": list("ababcc")}
)


class StopsShort(Interlace):
    """An engine of generalized models whose random effects are too large, and whose fixed effects come last first."""

    name = "stops_short"

    def estimate_glmm(self, model):
        right = super().estimate_glmm(model)
        return replace(
            right,
            covariances=[4 * np.asarray(c) + 1 for c in right.covariances],
            terms=right.terms[::-1],
            x=np.asarray(right.x)[:, ::-1],
            beta=np.asarray(right.beta)[::-1],
            std_errors=np.asarray(right.std_errors)[::-1],
        )


def found(engine, spec, oracle="gap", **figures):
    """A finding as a hunt has it."""
    spec = replace(spec, data=spec.data.reset_index(drop=True))
    given = {name: getattr(spec, name) for name in ("weights", "offset", "contrasts")}
    given |= {"reml": spec.reml} if spec.kind.linear else {"family": spec.kind.family}
    comparison = compare(spec.formula, spec.data, candidate=engine, **given)
    version = (find(engine) if isinstance(engine, str) else engine).fit(spec).provenance.version
    engine = comparison.candidate
    figures = {"gap": comparison.gap.get(engine, 0.0), "reason": comparison.reason, **figures}
    return Finding(
        engine=engine,
        version=version,
        reference="lme4",
        oracle=oracle,
        key=f"{oracle}-test",
        spec=spec,
        silent=False,
        figures=figures,
        comparison=comparison,
    )


@pytest.fixture(scope="module")
def finding():
    return found("statsmodels", MODEL)


@pytest.fixture
def place(finding, tmp_path):
    return folder.write_finding(finding, tmp_path / "out")


def script(place, tmp_path, name):
    """What a script prints in a folder of its own, where our package cannot be imported."""
    away = tmp_path / "away"
    away.parent.mkdir(exist_ok=True)
    shutil.copytree(place, away)
    (away / "lmerbridge.py").write_text("raise ImportError('a script of a finding needs none of our code')\n")
    command = [sys.executable, name] if name.endswith("py") else [find_rscript(), "--vanilla", name]
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    done = subprocess.run(command, cwd=away, capture_output=True, text=True, check=False, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def number(printed, name):
    """The number that a script prints behind a name."""
    return float(re.search(rf"^{name}\s+([-\d.e+]+)", printed, re.MULTILINE)[1])


@pytest.mark.parametrize("name", ["reproduce.py", "reproduce.R"])
def test_a_script_prints_the_gap_outside_the_checkout(finding, place, tmp_path, name):
    assert finding.figures["gap"] > 1
    assert number(script(place, tmp_path, name), "gap") == pytest.approx(finding.figures["gap"], rel=0.01)


@pytest.mark.parametrize("engine", ["mixedlm", "interlace", "lme-python"])
def test_a_script_gives_the_engine_s_own_criterion_with_an_offset_and_contrasts(engine, tmp_path):
    spec = CODED if engine != "lme-python" else replace(CODED, contrasts=None)
    shown = found(engine, spec)
    printed = script(folder.write_finding(shown, tmp_path / "out"), tmp_path, "reproduce.py")
    criterion = float(re.search(r"criterion +([-\d.e+]+)", printed)[1])
    assert criterion == pytest.approx(shown.comparison.candidate_fit.criterion, abs=1e-4)  # printed to 8 digits
    assert number(printed, "gap") == pytest.approx(shown.figures["gap"], abs=1e-4)


@pytest.mark.parametrize("oracle", CHANGES)
def test_a_script_of_a_changed_model_shows_both_runs(oracle, tmp_path):
    given = found("interlace", CODED if oracle != "rescale_x" else MODEL, oracle, change=CHANGES[oracle].words)
    place = folder.write_finding(given, tmp_path / "out")
    assert (place / "changed.csv").is_file()
    printed = script(place, tmp_path, "reproduce.py")
    assert "of the data" in printed
    assert "of the changed data" in printed or "fails on the changed data" in printed


def test_a_script_in_r_shows_both_runs_of_an_engine_of_r(tmp_path):
    given = found("lme4[bobyqa]", MODEL, "rescale_x", change=CHANGES["rescale_x"].words)
    printed = script(folder.write_finding(given, tmp_path / "out"), tmp_path, "reproduce.R")
    assert printed.count("its -2 log-likelihood") == 2


def generalized(name):
    """A finding of a generalized model."""
    if name == "far":
        return found("lme-python", GlmerSpec(formula="y ~ x + (0 + x | g)", data=FAR, family="poisson"))
    formula, given = GENERALIZED[name]
    return found(StopsShort(), space.keep_used(GlmerSpec(formula=formula, data=COUNTS, family=name, **given)))


@pytest.mark.slow
@pytest.mark.parametrize("name", [*GENERALIZED, "far"])
def test_a_finding_of_a_generalized_model_has_scripts_that_are_right(name, tmp_path):
    shown = generalized(name)
    place = folder.write_finding(shown, tmp_path / "out")
    assert shown.figures["gap"] > 1
    for file in ("reproduce.R", "reproduce.py"):
        printed = script(place, tmp_path / file, file)
        assert number(printed, "gap") == pytest.approx(shown.figures["gap"], rel=0.01)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["glmm", "lme-python", "interlace", "mixedlm", "gpboost"])
@pytest.mark.parametrize("name", GENERALIZED)
def test_a_script_gives_the_criterion_of_an_engine_of_generalized_models(engine, name, tmp_path):
    formula, given = GENERALIZED[name]
    lacks = {"glmm": ("contrasts",), "lme-python": ("contrasts", "offset")}.get(engine, ())
    given = {option: value for option, value in given.items() if option not in lacks}
    shown = found(engine, space.keep_used(GlmerSpec(formula=formula, data=COUNTS, family=name, **given)))
    printed = script(folder.write_finding(shown, tmp_path / "out"), tmp_path, "reproduce.py")
    assert f"{engine} says" in printed
    criterion = float(re.search(r"criterion +([-\d.e+]+)", printed)[1])
    assert criterion == pytest.approx(shown.comparison.candidate_fit.criterion, abs=1e-4)  # printed to 8 digits
    own = [row.candidate for row in shown.comparison.rows if row.quantity.startswith("fixef[")]
    beta = re.search(r"beta +([-\d.e+ ]+)", printed)[1].split()
    assert sorted(map(float, beta)) == pytest.approx(sorted(own), rel=1e-3, abs=1e-6)
    assert number(printed, "gap") == pytest.approx(shown.figures["gap"], abs=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["glmmTMB", "lme4[bobyqa]"])
@pytest.mark.parametrize("name", GENERALIZED)
def test_a_script_in_r_fits_a_generalized_model_with_an_engine_of_r(engine, name, tmp_path):
    formula, given = GENERALIZED[name]
    shown = found(engine, space.keep_used(GlmerSpec(formula=formula, data=COUNTS, family=name, **given)))
    place = folder.write_finding(shown, tmp_path / "out")
    printed = script(place, tmp_path / "r", "reproduce.R")
    its = number(printed, "its -2 log-likelihood")
    assert its == pytest.approx(shown.comparison.candidate_fit.criterion, abs=1e-3)
    assert f"{engine} fails" not in printed
    in_python = script(place, tmp_path / "python", "reproduce.py")
    assert number(in_python, "gap") == pytest.approx(shown.figures["gap"], abs=1e-3)


def test_a_finding_is_read_back_as_it_was_and_writes_the_same_bytes(finding, place, tmp_path):
    back = folder.read_finding(place)
    assert back.spec.data.equals(finding.spec.data)
    assert (back.key, back.figures, back.spec.formula) == (finding.key, finding.figures, finding.spec.formula)
    again = folder.write_finding(finding, tmp_path / "again")
    for path in place.iterdir():
        assert (again / path.name).read_bytes() == path.read_bytes()
        assert str(tmp_path) not in path.read_text()


def test_numbers_of_a_finding_are_read_back_to_the_last_bit(finding, tmp_path):
    data = DATA.assign(y=[0.1 + 0.2, 1e-310, 1 / 3, 2**0.5, 1e22, -0.0, 123456789.123456789])
    place = tmp_path / "data.csv"
    data.to_csv(place, index=False)
    assert cases.read_data(place).equals(data)


def test_parity_takes_up_the_case_of_a_finding(place, tmp_path):
    (case,) = pick("*", path=place.parents[1])
    assert case.spec().data.equals(DATA)
    report = tmp_path / "report"
    how = ["parity", "--cases", str(place / "case.toml"), "--engine", "statsmodels", "--format", "md", "--no-cache"]
    done = CliRunner().invoke(app, [*how, "--out", str(report)])
    assert done.exit_code == 1
    assert "wrong with a warning 1" in " ".join(done.output.split())


def test_a_folder_without_a_case_is_refused(tmp_path):
    with pytest.raises(InvalidArgument, match=r"has no case\.toml"):
        pick("*", path=tmp_path)


def test_a_hunt_is_gone_on_with_and_another_is_refused(tmp_path):
    hunt("mixedlm", reference="", fits=2, out=tmp_path)
    first = resume.read_log(tmp_path / "mixedlm" / "hunt.json")
    hunt("mixedlm", reference="", fits=2, out=tmp_path)
    second = resume.read_log(tmp_path / "mixedlm" / "hunt.json")
    assert second.designs > first.designs > 0
    assert second.fits > first.fits
    with pytest.raises(InvalidArgument, match=r"a hunt with seed 1, and seed is now 2; give the old one"):
        hunt("mixedlm", reference="", fits=2, out=tmp_path, seed=2)


def test_a_folder_that_holds_no_finding_is_refused(tmp_path):
    (tmp_path / "case.toml").write_text("[[model]]\n")
    with pytest.raises(InvalidArgument, match="holds no finding of a hunt"):
        folder.read_finding(tmp_path)


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        (["--engine", "mixedlm", "--fits", "2"], 0, "mixedlm: 0 behaviours found"),
        (["--engine", "mixdlm"], 2, "mixedlm"),
        (["--engine", "mixedlm", "--seconds", "0"], 2, "0 designs"),
        (["--engine", "mixedlm", "--family", "gamma"], 2, "a family is 'gamma'"),
    ],
)
def test_the_command_says_what_came_of_it(tmp_path, arguments, status, told):
    done = CliRunner().invoke(app, ["hunt", "--reference", "", "--out", str(tmp_path), *arguments])
    assert done.exit_code == status, done.output
    assert told in " ".join(done.output.split())


def test_the_command_ends_with_1_where_something_was_found(finding, place, tmp_path):
    version = resume.version_of("statsmodels")
    log = resume.Log(
        engine="statsmodels", version=version, reference="", seed=1, silent=False, families=("gaussian",), designs=1
    )
    resume.write_log(log, place.parent)
    how = ["--engine", "statsmodels", "--reference", "", "--seconds", "0", "--out", str(place.parents[1])]
    done = CliRunner().invoke(app, ["hunt", *how])
    assert done.exit_code == 1, done.output
    assert "gap-test" in done.output
    assert "gap-test" in (place.parents[1] / "index.md").read_text()
    assert write_overview(place.parents[1])[1].read_text().startswith("<!doctype html>")


def test_a_finding_whose_own_script_does_not_show_it_is_not_claimed(finding):
    assert witness.is_shown(finding)
    assert not witness.is_shown(replace(finding, figures=dict(finding.figures) | {"gap": 99.0}))
    assert not witness.is_shown(replace(finding, oracle="crash"))
    assert witness.is_shown(replace(finding, oracle="objective", engine="an engine without a script"))


def test_each_oracle_has_its_line_in_a_script(finding):
    printed = "difference in se nan of itself\ndifference in fitted values 0.7 sigma\ngap 0.0\n"
    pinned = replace(finding, oracle="pinned", comparison=None)
    assert witness.shows(pinned, "nothing", ended=False)  # of quantities that no script prints
    changed = replace(finding, oracle="rescale_x", figures={"difference": 0.7})
    assert witness.shows(changed, printed, ended=True)
    assert not witness.shows(replace(changed, figures={"difference": 2.0}), "difference in criterion 0.7\n", ended=True)
    assert witness.shows(replace(changed, figures={}), "x fails on the changed data: ValueError", ended=True)
    assert not witness.shows(finding, printed, ended=True)


def test_a_letter_quotes_a_message_that_is_no_warning(finding, tmp_path):
    said = {"converged": "True", "warned": "", "message": "boundary (singular) fit"}
    place = folder.write_finding(replace(finding, silent=True, figures={**finding.figures, **said}), tmp_path)
    told = "statsmodels says that it converged, and warns of nothing. Its message: boundary (singular) fit"
    assert told in (place / "finding.md").read_text().replace("\\", "")
