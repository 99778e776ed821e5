"""Calls in a process of their own: what ends there costs one call, and nothing is left."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from lmerbridge.errors import EngineFailed, TimedOut
from lmerbridge.parity import process
from tests.processes import ends

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
