"""Calls in a process of their own: what ends there costs one call, and nothing is left."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from lmerbridge.errors import EngineFailed, TimedOut
from lmerbridge.parity import process
from tests.processes import ends

STARTS = """
import os, subprocess, sys, time
from lmerbridge.parity import process
sys.path.insert(0, {here!r})
from tests.parity.test_process import start_and
print(process.call_apart(start_and, {folder!r}, "return"), flush=True)
process.call_apart(time.sleep, 600)
"""
HOST = """
import os, sys, time
from lmerbridge.parity import process
print(process.call_apart(os.getpid), flush=True)
process.call_apart(time.sleep, 600)
"""


def test_a_thread_has_one_process_for_all_its_calls_and_it_is_its_own():
    mine = {process.call_apart(os.getpid) for _ in range(2)}
    with ThreadPoolExecutor(1) as pool:
        others = {pool.submit(process.call_apart, os.getpid).result() for _ in range(2)}
    assert len(mine) == len(others) == len(mine | others) - 1
    assert os.getpid() not in mine | others
    assert ends(*others)


@pytest.mark.parametrize(
    ("function", "argument", "words"), [(os._exit, 3, "with exit status 3"), (os.abort, None, "by SIGABRT")]
)
def test_a_call_that_ends_its_process_is_an_error_and_the_next_one_works(function, argument, words):
    with pytest.raises(EngineFailed, match=words):
        process.call_apart(function, *([argument] if argument else []))
    assert process.call_apart(abs, -3) == 3


def test_a_call_that_takes_too_long_is_an_error_and_its_process_is_gone():
    process.call_apart(abs, -3)
    pid = process.call_apart(os.getpid)
    start = time.monotonic()
    with pytest.raises(TimedOut, match=r"stopped after the time limit of 0.5 s"):
        process.call_apart(time.sleep, 60, seconds=0.5)
    assert time.monotonic() - start < 5
    assert ends(pid)
    assert process.call_apart(abs, -3) == 3


def test_an_error_of_the_function_is_raised_here_and_the_process_stays():
    pid = process.call_apart(os.getpid)
    with pytest.raises(ValueError, match="invalid literal"):
        process.call_apart(int, "x")
    assert process.call_apart(os.getpid) == pid


def test_what_is_printed_there_is_no_output_of_ours(capfd):
    process.call_apart(print, "an engine talks")
    with ThreadPoolExecutor(1) as pool:  # its process starts while output is captured
        pool.submit(process.call_apart, print, "an engine talks").result()
    time.sleep(0.1)
    assert "an engine talks" not in capfd.readouterr().out


def test_an_interrupted_call_leaves_no_answer_for_the_next_one():
    process.call_apart(abs, -3)
    main = threading.main_thread().ident
    threading.Timer(0.3, signal.pthread_kill, [main, signal.SIGINT]).start()
    with pytest.raises(KeyboardInterrupt):
        process.call_apart(time.sleep, 60)
    assert process.call_apart(abs, -3) == 3


def test_it_ends_with_its_host_even_in_the_middle_of_a_call():
    host = subprocess.Popen([sys.executable, "-c", HOST], stdout=subprocess.PIPE, text=True)
    with host:
        pid = int(host.stdout.readline())
        host.kill()
    assert ends(pid)


def start_and(folder, then):
    """Start a process by each way there is, write down their numbers, and then do as told."""
    child = subprocess.Popen(["sh", "-c", "sleep 600 & echo $!; wait"], stdout=subprocess.PIPE, text=True)
    forked = os.fork()
    if forked == 0:
        time.sleep(600)
    numbers = [child.pid, int(child.stdout.readline()), forked]
    Path(folder, "pids").write_text(json.dumps(numbers))
    match then:
        case "hang":
            time.sleep(600)
        case "exit":
            os._exit(3)
        case "raise":
            raise KeyError(folder)
    return numbers


@pytest.mark.filterwarnings("ignore:This process:DeprecationWarning")  # a fork beside a thread
@pytest.mark.parametrize(("then", "error"), [("hang", TimedOut), ("exit", EngineFailed)])
def test_what_an_engine_started_ends_with_its_process(then, error, tmp_path):
    with pytest.raises(error):
        process.call_apart(start_and, str(tmp_path), then, seconds=5)
    assert all(ends(pid) for pid in json.loads((tmp_path / "pids").read_text()))
    assert process.call_apart(abs, -3) == 3


@pytest.mark.parametrize("then", ["return", "raise"])
def test_what_an_engine_left_running_ends_with_the_thread_that_asked(then, tmp_path):
    with ThreadPoolExecutor(1) as pool:
        error = type(pool.submit(process.call_apart, start_and, str(tmp_path), then).exception())
    assert error is (KeyError if then == "raise" else type(None))
    assert all(ends(pid) for pid in json.loads((tmp_path / "pids").read_text()))


def test_what_an_engine_started_ends_with_a_host_that_is_killed(tmp_path):
    script = STARTS.format(here=os.getcwd(), folder=str(tmp_path))
    host = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    with host:
        numbers = json.loads(host.stdout.readline())
        host.kill()
    assert all(ends(pid) for pid in numbers)


def talk(megabytes):
    for _ in range(megabytes):
        os.write(1, b"x" * 2**20)
    return "done"


@pytest.mark.parametrize("megabytes", [3, pytest.param(1000, marks=pytest.mark.slow)])
def test_of_what_an_engine_prints_the_beginning_is_shown(megabytes, capfd):
    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(process.call_apart, talk, megabytes).result() == "done"
    shown = capfd.readouterr().err
    assert process.SHOWN < len(shown) < process.SHOWN + 200
    assert shown.endswith("x\n[an engine printed more than 1048576 bytes; the rest is left out]\n")


def test_a_talk_that_never_ends_is_stopped_on_time():
    start = time.monotonic()
    with ThreadPoolExecutor(1) as pool, pytest.raises(TimedOut):
        pool.submit(process.call_apart, talk, 10**9, seconds=1).result()
    assert time.monotonic() - start < 30


def close_output():
    os.close(1)
    os.close(2)
    time.sleep(0.5)
    return time.process_time()


def test_an_engine_that_closes_its_output_is_waited_for():
    with ThreadPoolExecutor(1) as pool:
        began = time.process_time()
        pool.submit(process.call_apart, close_output).result()
        assert time.process_time() - began < 0.4  # it sleeps half a second


def raise_long(kind):
    raise {"ours": EngineFailed, "python": ValueError, "unsendable": Unsendable}[kind]("y" * 50_000_000)


class Unsendable(Exception):  # noqa: N818  # a name for a test
    def __reduce__(self):
        raise RuntimeError("z" * 50_000_000)


@pytest.mark.parametrize("kind", ["ours", "python", "unsendable"])
def test_a_message_of_any_length_comes_as_its_beginning(kind):
    with pytest.raises(EngineFailed, match=r"\.\.\. \(500000\d\d characters\)") as error:
        process.call_apart(raise_long, kind)
    assert len(str(error.value)) < 2200
    assert process.call_apart(abs, -3) == 3


def test_an_answer_of_any_length_comes_whole():
    assert process.call_apart(bytes, 50_000_000) == bytes(50_000_000)
