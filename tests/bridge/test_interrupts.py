"""Ctrl-C at any moment of a call, once or twice: the next call gives its own answer, and none waits for ever.

An interrupt comes wherever Python looks for one: before any statement, or after a function has returned and before
what it returned is kept. The bridge's own modules are compiled with a call of `Interrupts.look` in all these places,
as SQLite has its faults injected at each allocation, one after the other.
"""

import ast
import inspect
import itertools
import random
import subprocess
import sys
import tempfile
import threading
import time
import types
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from importlib import import_module
from pathlib import Path

import pytest

from lmerbridge import time_limit
from lmerbridge.bridge.limit import Limit, current
from lmerbridge.bridge.turn import Turn
from lmerbridge.errors import ProtocolError, WorkerDied
from tests.processes import run

ROOMS = ("lmerbridge.bridge.turn", "lmerbridge.bridge.wire", "lmerbridge.bridge.host")
ECHO = Path(__file__).with_name("echo.py")
BOUND = 20  # seconds; a call takes 1 ms, a start 0.1 s, a busy machine more: a call that hangs takes for ever
TRIES = 60
VISITS = 2  # of one place in a loop, whose turns are as many as the machine likes

PRESSED = f"""
import itertools, os, random, signal, threading, time
from concurrent.futures import ThreadPoolExecutor
from lmerbridge import errors, time_limit
from lmerbridge.bridge import host

chance, numbers, pool, wrong = random.Random(2), itertools.count(1), ThreadPoolExecutor(1), 0

def ask(fun="list"):
    global wrong
    number = float(next(numbers))
    arguments = dict(value=number) if fun == "list" else dict(time=0.01)
    with time_limit({BOUND}):
        values = host.call("call_named", fun=fun, args=arguments).values
    wrong += fun == "list" and list(values["value"]) != [number]

def ask_again():
    try:
        ask()
    except errors.WorkerDied:
        ask()

def press():
    for wait in (chance.uniform(0, 0.002), chance.choice([0, 1e-4, 1e-3, 0.02])):
        time.sleep(wait)
        os.kill(os.getpid(), signal.SIGINT)

def ask_in_vain():
    presser.start()
    while presser.is_alive():
        ask(chance.choice(["list", "Sys.sleep"]))

ask()
interrupted = 0
for _ in range({TRIES}):
    presser = threading.Thread(target=press)
    over = False
    while not over:
        try:
            if presser.ident is None:
                ask_in_vain()
            presser.join()
            time.sleep(0.01)
            over = True
        except KeyboardInterrupt:
            interrupted += 1
        except errors.WorkerDied:
            pass
    pool.submit(ask_again).result({2 * BOUND})
    ask()
print(interrupted, wrong)
"""


class Interrupts:
    """Raises KeyboardInterrupt at the n-th look after the one before, for each n in turn, in the main thread."""

    def __init__(self):
        self.gaps, self.visits, self.looks = [], Counter(), 0

    def plan(self, *gaps):
        self.gaps, self.visits, self.looks = list(gaps), Counter(), 0

    def look(self, place, value=None):
        if self.gaps and threading.current_thread() is threading.main_thread():
            self.visits[place] += 1
            self.looks += self.visits[place] <= VISITS
            if self.visits[place] <= VISITS and self.looks == self.gaps[0]:
                self.gaps.pop(0)
                self.visits, self.looks = Counter(), 0
                raise KeyboardInterrupt
        return value


class Looks(ast.NodeTransformer):
    """Puts a look before each statement of a function, and around each call in it."""

    def __init__(self):
        self.places = itertools.count()
        self.inside = False

    def look(self, *value):
        return ast.Call(ast.Name("_look", ast.Load()), [ast.Constant(next(self.places)), *value], [])

    def visit(self, node):
        node = super().visit(node)
        return [ast.Expr(self.look()), node] if self.inside and isinstance(node, ast.stmt) else node

    def visit_FunctionDef(self, node):
        outer, self.inside = self.inside, True
        node.body = [line for statement in node.body for line in self.visit(statement)]
        self.inside = outer
        return node

    def visit_Call(self, node):
        node = self.generic_visit(node)
        return self.look(node) if self.inside else node


def compiled(name, look):
    """Return a module compiled anew, with looks."""
    source = import_module(name)
    tree = ast.fix_missing_locations(Looks().visit(ast.parse(inspect.getsource(source))))
    module = types.ModuleType(name)
    module._look = lambda place, value=None: look((name, place), value)
    exec(compile(tree, source.__file__, "exec"), module.__dict__)
    return module


@pytest.fixture
def interrupts():
    return Interrupts()


@pytest.fixture
def bridge(interrupts, monkeypatch, tmp_path):
    """The host's side of the bridge with looks, before a worker that echoes."""
    popen = subprocess.Popen
    echo = lambda command, **how: popen([sys.executable, "-I", "-S", ECHO, command[3]], **how)  # noqa: E731
    with monkeypatch.context() as patch:
        for name in ROOMS:
            patch.setitem(sys.modules, name, compiled(name, interrupts.look))
        module = sys.modules[ROOMS[-1]]
    monkeypatch.setattr(module, "GRACE", 0.5)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))  # the echo does not remove what half a start leaves
    monkeypatch.setattr(module, "subprocess", types.SimpleNamespace(**vars(subprocess) | {"Popen": echo}))
    yield module
    interrupts.plan()
    module.close()


class Asker:
    """Asks for one number after another, and checks each answer."""

    def __init__(self, call):
        self.call, self.numbers, self.deaths = call, itertools.count(1), 0
        self.pool = ThreadPoolExecutor(1)

    def ask(self):
        number = float(next(self.numbers))
        with time_limit(BOUND):
            assert list(self.call(number)) == [number]

    def ask_in_vain(self):
        """Ask where an interrupt may come; whether one came."""
        try:
            self.ask()
        except KeyboardInterrupt:
            return True
        return False

    def ask_again(self):
        """Ask after an interrupt, when R may have been killed, which only the first to ask is told."""
        try:
            self.ask()
        except WorkerDied:
            self.deaths += 1
            self.ask()

    def check(self):
        self.pool.submit(self.ask_again).result(2 * BOUND)
        self.ask()


@pytest.fixture(params=["of the process", "of a fit"])
def asker(bridge, request):
    """Calls of the process's worker, or, as a fit makes them, of the one it knows while that lives."""
    known = [bridge.worker()]

    def call(number):
        if request.param == "of the process" or not known[0].alive:
            known[0] = bridge.worker()
        return known[0].call("echo", value=number).values["value"]

    asker = Asker(call)
    asker.check()
    yield asker
    asker.pool.shutdown()


def test_an_interrupt_at_any_place_of_a_call_harms_no_other(asker, interrupts):
    for first in itertools.count(1):
        interrupts.plan(first)
        interrupted = asker.ask_in_vain()
        assert interrupted == (not interrupts.gaps)
        interrupts.plan()
        asker.check()
        if not interrupted:
            break
    assert first > 100  # places


@pytest.mark.slow
def test_a_second_interrupt_at_any_place_on_the_way_out_harms_no_other(asker, interrupts):
    twice = 0
    for first in itertools.count(1):
        for second in itertools.count(1):
            interrupts.plan(first, second)
            asker.ask_in_vain()
            left = len(interrupts.gaps)
            interrupts.plan()
            asker.check()
            twice += not left
            if left:
                break
        if left == 2:
            break
    assert twice > 200


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # the collector closes half a start
def test_a_second_interrupt_in_the_next_call_harms_no_other(asker, interrupts):
    chance = random.Random(11)
    for _ in range(400):
        interrupts.plan(chance.randrange(1, 150), chance.randrange(1, 200))
        for _ in range(3):
            try:
                asker.ask_in_vain()
            except WorkerDied:
                asker.deaths += 1
        interrupts.plan()
        asker.check()


@pytest.mark.slow
def test_ctrl_c_pressed_twice_at_random_harms_no_call_of_r():
    interrupted, wrong = map(int, run(PRESSED).split())
    assert interrupted > TRIES / 3
    assert wrong == 0


def test_an_answer_to_another_call_is_never_handed_over(bridge):
    worker = bridge.worker()
    worker.call("echo", value=1.0)
    worker._channel.sent += 1  # as if it owed an answer that never came
    worker._channel.received += 1
    receive = worker._channel.receive

    def receive_late(*limit):
        value = receive(*limit)
        worker._channel.received -= 1
        return value

    worker._channel.receive = receive_late
    with pytest.raises(ProtocolError, match="R answered call 3 where call 4 was asked"):
        worker.call("echo", value=2.0)
    assert not worker.alive
    assert bridge.worker().call("echo", value=3.0).values["value"] == [3.0]


def test_a_turn_is_one_thread_s_at_a_time():
    turn, inside, most = Turn(), [], []

    def work():
        inside.append(1)
        most.append(len(inside))
        time.sleep(1e-4)
        inside.pop()

    with ThreadPoolExecutor(8) as pool:
        for done in [pool.submit(turn.run, Limit(), work) for _ in range(400)]:
            done.result(BOUND)
    assert most == [1] * 400


def test_an_error_inside_a_turn_is_the_caller_s():
    turn = Turn()
    for error in (RuntimeError("cannot enter context"), RecursionError("deep"), KeyboardInterrupt()):
        with pytest.raises(type(error)):
            turn.run(Limit(), lambda error=error: (_ for _ in ()).throw(error))
    assert turn.run(Limit(), lambda: 1) == 1


def test_a_turn_runs_in_its_caller_s_context():
    with time_limit(BOUND):
        assert Turn().run(Limit(), current.get) is current.get()
