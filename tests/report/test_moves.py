"""A report that says nothing new leaves the files that are there; one that does names what moved, and why."""

import json

import pytest
from typer.testing import CliRunner

from lmerbridge.cli import app
from lmerbridge.report.moves import moves

OLD = {
    "results": [
        {"case": "rail/ML", "candidate": "nlme", "verdict": "same_optimum", "gap": {"nlme": 8.6e-7}, "z": 251.4}
    ],
    "provenance": [["R", "4.2.2"], ["BLAS kernel", "Haswell"]],
    "inputs": "R 4.2.2, commit 8023f246a63f of 2026-11-28, BLAS kernel Haswell",
}
PAGE = "<p>nlme 3.1: gap 8.6e-7, on 12 of 13; commit 8023f246a63f of 2026-11-28, BLAS kernel Haswell</p>"


def changed(**result):
    return OLD | {"results": [OLD["results"][0] | result]}


def compared(folder, data, page=PAGE):
    """What has moved from the report above to another."""
    for name, text in (("parity.json", json.dumps(OLD)), ("parity.html", PAGE)):
        (folder / name).write_text(text, encoding="utf-8")
    return moves(folder, {"parity.json": json.dumps(data), "parity.html": page})


def test_the_same_report_has_not_moved(tmp_path):
    found = compared(tmp_path, OLD)
    assert not found
    assert str(found) == "No number moved by more than rounding: the report that is there stays."


def test_last_bits_another_commit_and_another_kernel_are_no_news_and_the_kernel_is_named(tmp_path):
    inputs = "R 4.2.2, commit 0f23f246a6ab of 2027-01-02, BLAS kernel SkylakeX"
    data = changed(gap={"nlme": 8.7e-7}, z=251.4000001)
    data |= {"provenance": [["R", "4.2.2"], ["BLAS kernel", "SkylakeX"]], "inputs": inputs}
    page = PAGE.replace("8023f246a63f of 2026-11-28", "0f23f246a6ab of 2027-01-02").replace("Haswell", "SkylakeX")
    found = compared(tmp_path, data, page.replace("8.6e-7", "8.7e-7"))
    assert not found
    assert "BLAS kernel: Haswell -> SkylakeX" in str(found)
    assert "processor's code" in str(found)


@pytest.mark.parametrize(
    ("result", "told"),
    [
        ({"gap": {"nlme": 2.5}}, "moved: rail/ML, nlme: gap nlme 8.6e-07 -> 2.5"),
        ({"gap": {"nlme": None}}, "moved: rail/ML, nlme: gap nlme 8.6e-07 -> None"),
        ({"z": 251.401}, "moved: rail/ML, nlme: z 251.4 -> 251.401"),
        ({"verdict": "other_optimum"}, "other words, or not there before: parity.json"),
    ],
)
def test_what_moved_is_named_with_what_it_was(result, told, tmp_path):
    found = compared(tmp_path, changed(**result))
    assert found
    assert told in str(found)


def test_other_words_of_a_page_are_news_though_no_number_moved(tmp_path):
    assert compared(tmp_path, OLD, PAGE.replace("gap", "distance")).words == ("parity.html",)
    assert moves(tmp_path / "nowhere", {"parity.html": PAGE}).words == ("parity.html",)


def test_more_than_ten_moves_are_counted(tmp_path):
    rows = [OLD["results"][0] | {"case": f"c{i}", "z": float(i)} for i in range(15)]
    (tmp_path / "parity.json").write_text(json.dumps({"results": rows}))
    found = moves(tmp_path, {"parity.json": json.dumps({"results": [row | {"z": row["z"] + 1} for row in rows]})})
    assert str(found).splitlines()[-1] == "moved: 5 numbers more"


@pytest.mark.slow
def test_a_second_run_leaves_every_byte_and_a_moved_number_is_written(tmp_path):
    options = ["parity", "--engine", "nlme", "--case", "rail/REML", "--if-moved", "--out", str(tmp_path)]
    assert "Written: " in CliRunner().invoke(app, options).output
    page = tmp_path / "parity.html"
    page.write_text(page.read_text(encoding="utf-8").replace("0.2.0", "0.2.1"), encoding="utf-8")
    before = {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()}
    done = CliRunner().invoke(app, options)
    assert "the report that is there stays" in done.output
    assert "Written" not in done.output
    assert {path.name: path.stat().st_mtime_ns for path in tmp_path.iterdir()} == before
    data = json.loads((tmp_path / "parity.json").read_text())
    data["results"][0]["objective"]["minimum"] += 1e-3
    (tmp_path / "parity.json").write_text(json.dumps(data))
    done = CliRunner().invoke(app, options)
    assert "moved: rail/REML, nlme: objective minimum" in done.output
    assert "Written: " in done.output
