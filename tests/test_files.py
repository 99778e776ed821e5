"""A file for a user is written whole or not at all: whatever fails on the way, the old one stays byte for byte."""

import ast
import errno
import os
import stat
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from lmerbridge import compare, files
from lmerbridge.cli import app
from lmerbridge.errors import InvalidArgument
from lmerbridge.parity import recording
from lmerbridge.report import describe, write
from lmerbridge.report.render import FORMATS
from tests.report.test_report import every_verdict

PACKAGE = Path(__file__).parents[1] / "lmerbridge"
OLD = b"what was here\n"
FAULTS = {  # a call of the system, the error it fails with
    "open": errno.ENOSPC,
    "write": errno.ENOSPC,
    "fsync": errno.EDQUOT,
    "replace": errno.EIO,
}


class Disk:
    """The module os, in which one call fails from the nth time on; a write first writes a half."""

    def __init__(self, call, after, error=None):
        self.call, self.left = call, after
        self.error = error or OSError(FAULTS[call], os.strerror(FAULTS[call]))

    def __getattr__(self, name):
        found = getattr(os, name)
        return self.failing(found) if name == self.call else found

    def failing(self, call):
        def attempt(*arguments):
            self.left -= 1
            if self.left == 0 and self.call == "write":
                return call(arguments[0], arguments[1][: len(arguments[1]) // 2])
            if self.left < 0:
                raise self.error
            return call(*arguments)

        return attempt


def report(folder):
    write(describe(every_verdict()), folder)


def record(folder):
    recording.write_recording({"models": ["x" * 10_000]}, folder / "recording.json")


@pytest.fixture(scope="module")
def comparison(sleepstudy):
    return compare("Reaction ~ Days + (1 | Subject)", sleepstudy)


@pytest.fixture(params=["report", "recording", "r", "python"])
def writer(request):
    """A function that writes a folder's files."""
    if request.param in ("r", "python"):
        found = request.getfixturevalue("comparison")
        return lambda folder: found.reproduce(request.param, folder)
    return {"report": report, "recording": record}[request.param]


@pytest.mark.parametrize("call", FAULTS)
def test_whatever_fails_midway_the_old_files_stay_byte_for_byte(writer, call, tmp_path, monkeypatch):
    writer(tmp_path)
    names = sorted(path.name for path in tmp_path.iterdir())
    for path in tmp_path.iterdir():
        path.write_bytes(OLD)
    for after in range(len(names) if call != "replace" else 1):
        monkeypatch.setattr(files, "os", Disk(call, after))
        with pytest.raises(InvalidArgument, match=f"cannot be written: {os.strerror(FAULTS[call])}"):
            writer(tmp_path)
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == dict.fromkeys(names, OLD)


@pytest.mark.parametrize("call", FAULTS)
def test_an_interrupt_leaves_the_old_files_and_nothing_beside_them(call, tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(OLD)
    monkeypatch.setattr(files, "os", Disk(call, 0, KeyboardInterrupt()))
    with pytest.raises(KeyboardInterrupt):
        files.write_files({tmp_path / "a": "new", tmp_path / "b": "new"})
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"a": OLD}


def test_a_rendering_that_fails_changes_no_file(tmp_path, monkeypatch):
    report(tmp_path)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    monkeypatch.setitem(FORMATS, "junit", lambda report, templates: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write(replace(describe(every_verdict()), sentence="other"), tmp_path)
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_a_link_stays_a_link_a_file_keeps_its_mode_and_a_new_one_has_the_umasks(tmp_path):
    real, link, new = tmp_path / "real", tmp_path / "link", tmp_path / "new"
    real.write_bytes(OLD)
    real.chmod(0o640)
    link.symlink_to(real)
    mask = os.umask(0o027)
    try:
        files.write_files({link: "a", new: "b"})
    finally:
        os.umask(mask)
    assert link.is_symlink()
    assert (real.read_text(), new.read_text()) == ("a", "b")
    assert [stat.S_IMODE(path.stat().st_mode) for path in (real, new)] == [0o640, 0o640]


def test_a_pipe_is_written_to_as_it_is(tmp_path):
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        files.write_files({pipe: "text"})
        assert reader.stdout.read() == b"text"
    assert pipe.is_fifo()


@pytest.mark.parametrize("name", ["nul\0", "half\ud800", "no/such/folder", "", "long" * 100])
def test_a_place_that_is_none_is_an_error_of_ours(name, tmp_path):
    with pytest.raises(InvalidArgument, match="cannot be written"):
        files.write_files({tmp_path / name: "text"})
    assert not [*tmp_path.iterdir()]


def test_a_file_that_may_not_be_written_is_left(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(OLD)
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may write what is read-only
    with pytest.raises(InvalidArgument, match="Permission denied"):
        files.write_files({tmp_path / "a": "new"})
    assert (tmp_path / "a").read_bytes() == OLD


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "name"),
    [
        (("parity", "--engine", "nlme", "--case", "rail/REML", "--format", "json", "--out", "{}"), "parity.json"),
        (("record", "--case", "rail/REML", "--out", "{}/recording.json"), "recording.json"),
    ],
)
def test_a_command_on_a_full_disk_ends_with_2_and_leaves_the_old_file(options, name, tmp_path, monkeypatch):
    (tmp_path / name).write_bytes(OLD)
    monkeypatch.setattr(files, "os", Disk("write", 1))
    done = CliRunner().invoke(app, [option.format(tmp_path) for option in options])
    assert done.exit_code == 2, done.output
    assert "cannot be written: No space left on device" in " ".join(done.output.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {name: OLD}


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no device that is always full")
def test_output_that_finds_no_room_ends_with_2():
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "lmerbridge", "schema"]
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert (done.returncode, done.stderr) == (2, "Output cannot be written: No space left on device.\n")


def test_no_other_module_writes_a_file():
    writers = {"write_text", "write_bytes", "to_parquet", "to_pickle", "dump"}
    for path in PACKAGE.rglob("*.py"):
        called = [node.func for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Call)]
        names = {call.attr for call in called if isinstance(call, ast.Attribute)}
        builtin = {call.id for call in called if isinstance(call, ast.Name)}
        assert not names & writers, path
        assert "open" not in builtin, path


@pytest.mark.parametrize("call", ["write", "fsync"])
def test_a_text_is_appended_whole_or_not_at_all(call, tmp_path, monkeypatch):
    place = tmp_path / "log"
    files.append_text(place, "one\n")
    files.append_text(place, "two \ud800\n")
    old = place.read_bytes()
    assert old == b"one\ntwo \\ud800\n"
    monkeypatch.setattr(files, "os", Disk(call, 0))
    with pytest.raises(InvalidArgument, match="cannot be written"):
        files.append_text(place, "three\n")
    assert place.read_bytes() == old


def test_bytes_are_written_as_they_are(tmp_path):
    files.write_files({tmp_path / "x": b"\xff\0"})
    assert (tmp_path / "x").read_bytes() == b"\xff\0"
