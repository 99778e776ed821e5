"""A soak with faults: ``python -m tests.soak --minutes 30``.

Eight threads of one process ask for fits, verbs and bootstraps without end, while its worker is killed, broken and
stopped, its main thread is interrupted and calls run out of time. Then that process ends or is killed, and another
begins. Each answer is compared with the one of a quiet process, bit by bit. None may hang, and nothing may be left.
"""

from __future__ import annotations

import argparse
import faulthandler
import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from lmerbridge import LmerFit, lmer, load_dataset, time_limit
from lmerbridge.bridge import host
from lmerbridge.errors import TimedOut, WorkerDied

THREADS = 8
HANG = 180  # seconds; an answer takes 0.01 to 3, and a start of R 10 where eight threads wait for it
LIFE = (20, 90)  # seconds of one process
PATIENCE = 30  # seconds until what should end has ended
MARK = "LMERBRIDGE_SOAK"
MODELS = {  # data set: formula
    "sleepstudy": "Reaction ~ Days + (Days | Subject)",
    "Dyestuff": "Yield ~ 1 + (1 | Batch)",
    "Penicillin": "diameter ~ 1 + (1 | plate) + (1 | sample)",
    "Pastes": "strength ~ 1 + (1 | batch) + (1 | cask:batch)",
}


def bootstrap(fit, seed):
    """Return replicates; some may have failed where R was killed twice, and then the bootstrap says so."""
    boot = fit.bootstrap(nsim=30, seed=seed)
    if boot.failures["message"].str.startswith("the R process").any():
        raise WorkerDied(boot.failures["message"].iloc[0])
    return boot.t


VERBS = {
    "text": str,
    "summary": lambda fit: fit.summary(ddf="Satterthwaite").coefficients,
    "anova": lambda fit: fit.anova(),
    "drop1": lambda fit: fit.drop1(),
    "predict": lambda fit: fit.predict(fit.spec.data),
    "simulate": lambda fit: fit.simulate(5, seed=1),
    "bootstrap": lambda fit: bootstrap(fit, 1),
    "another bootstrap": lambda fit: bootstrap(fit, 2),  # the replicates of one call are kept
    "update": lambda fit: fit.update(reml=False),
    "refit": lambda fit: fit.refit(fit.spec.data.iloc[:, 0].to_numpy()[::-1].copy()),
    "deviance": lambda fit: fit.deviance_at(fit.theta),
    "ranef": lambda fit: fit.ranef_table(),
    "cond_var": lambda fit: str(fit.cond_var()),
    "hatvalues": lambda fit: fit.hatvalues(),
    "confint": lambda fit: fit.confint(method="Wald"),
}


def digest(answer):
    """Return what two answers share if, and only if, all their numbers have the same bits."""
    if isinstance(answer, LmerFit):
        answer = np.concatenate([answer.theta, answer.beta, answer.fitted.to_numpy()])
    if isinstance(answer, pd.DataFrame | pd.Series):
        answer = repr(answer.reset_index().to_dict("list"))
    return hashlib.sha256(answer.tobytes() if isinstance(answer, np.ndarray) else str(answer).encode()).hexdigest()


def questions():
    """Return what can be asked: new fits, and verbs of fits that all threads share."""
    fits = {name: lmer(formula, load_dataset(name)) for name, formula in MODELS.items()}
    asked = {f"{name}: {verb}": partial(ask, fits[name]) for name in fits for verb, ask in VERBS.items()}
    for name in fits:
        asked[f"{name}: fit"] = partial(lmer, MODELS[name], fits[name].spec.data)
    del asked["Dyestuff: drop1"], asked["Penicillin: drop1"], asked["Pastes: drop1"]  # no fixed term to drop
    return asked


class Host:
    """A process that asks while things go wrong."""

    def __init__(self, known, seconds, seed):
        self.known, self.seed = known, seed
        self.questions = questions()
        self.end = time.monotonic() + seconds
        self.counts, self.wrong, self.broken = Counter(), [], []
        self.since = [time.monotonic()] * THREADS

    def ask(self, chance, place):
        name = chance.choice(list(self.questions))
        self.since[place] = time.monotonic()
        try:
            with time_limit(chance.expovariate(1 / 0.3) + 1e-3 if chance.random() < 0.2 else None):
                answer = digest(self.questions[name]())
        except (WorkerDied, TimedOut) as error:
            self.counts[type(error).__name__] += 1
        except Exception:  # none other is expected
            self.wrong.append(f"{name}: {traceback.format_exc(limit=-3)}")
        else:
            self.counts["answers"] += 1
            if answer != self.known[name]:
                self.wrong.append(f"{name}: another answer")

    def ask_on(self, place):
        chance = random.Random(self.seed * THREADS + place)
        while time.monotonic() < self.end:
            self.ask(chance, place)

    def ask_interrupted(self):
        """Ask in the main thread, which alone hears of Ctrl-C."""
        while time.monotonic() < self.end:
            with suppress(KeyboardInterrupt):
                try:
                    self.ask_on(0)
                except KeyboardInterrupt:
                    self.counts["interrupts"] += 1

    def break_things(self):
        chance = random.Random(-self.seed)
        while time.monotonic() < self.end:
            time.sleep(chance.expovariate(1 / 0.7))
            current = host._current
            if current is not None:
                fault = chance.choices([press, kill, stop], [12, 2, 1])[0]
                if fault is kill:
                    self.broken.append(os.path.basename(current._folder))
                self.report()
                fault(chance, current._process.pid, self.counts)
            if min(self.since) < time.monotonic() - HANG:
                self.wrong.append("hangs")
                self.report()
                faulthandler.dump_traceback()
                os._exit(1)

    def report(self):
        print(json.dumps({"counts": self.counts, "wrong": self.wrong, "broken": self.broken}), flush=True)

    def run(self):
        before = len(os.listdir("/proc/self/fd"))
        threads = [threading.Thread(target=self.ask_on, args=[place]) for place in range(1, THREADS)]
        breaker = threading.Thread(target=self.break_things)
        for thread in [*threads, breaker]:
            thread.start()
        self.ask_interrupted()
        while breaker.is_alive():
            with suppress(KeyboardInterrupt):
                breaker.join()
        time.sleep(0.1)
        for thread in threads:
            thread.join(HANG)
        if any(thread.is_alive() for thread in threads):
            self.wrong.append("hangs at the end")
            faulthandler.dump_traceback()
        self.report()
        host.close()
        left = len(os.listdir("/proc/self/fd")) - before
        if left > 0:
            self.wrong.append(f"{left} descriptors are left")
        self.report()


def press(chance, pid, counts):
    """Press Ctrl-C once or twice."""
    for _ in range(chance.choice([1, 1, 2])):
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(chance.uniform(0, 0.02))


def kill(chance, pid, counts):
    """End the worker."""
    number = chance.choice([signal.SIGKILL, signal.SIGSEGV, signal.SIGTERM, signal.SIGABRT])
    with suppress(ProcessLookupError):
        os.kill(pid, number)
    counts["kills"] += 1


def stop(chance, pid, counts):
    """Stop the worker for a while."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGSTOP)
        time.sleep(chance.uniform(0, 1.5))
        os.kill(pid, signal.SIGCONT)
    counts["stops"] += 1


def marked(token):
    """Return the processes that descend from a marked one."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if f"{MARK}={token}".encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def awaited(what):
    """Return what is left, once it has had its time to go."""
    deadline = time.monotonic() + PATIENCE
    while (left := what()) and time.monotonic() < deadline:
        time.sleep(0.1)
    return left


def live(folder, known, seconds, seed, chance):
    """Let one process live, and return what it counted and what was wrong with it."""
    token, killed = f"{os.getpid()}-{seed}", chance.random() < 0.5
    temporary, shared = folder / "temporary", set(os.listdir("/dev/shm"))
    temporary.mkdir()
    command = [sys.executable, "-m", "tests.soak", "--host", str(known), str(9e9 if killed else seconds), str(seed)]
    environment = os.environ | {"TMPDIR": str(temporary), MARK: token}
    with open(folder / "out", "w+") as out, open(folder / "err", "w+") as err:
        process = subprocess.Popen(command, stdout=out, stderr=err, env=environment)
        try:
            process.wait(seconds if killed else seconds + 3 * HANG)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        out.seek(0), err.seek(0)
        lines = [line for line in out if line.endswith("\n")]
        told, said = json.loads(lines[-1]) if lines else {"counts": {}, "wrong": [], "broken": []}, err.read()
    for pid in marked(token) if killed else []:  # it may have been stopped just then
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGCONT)
    wrong = told["wrong"]
    if process.returncode != (-signal.SIGKILL if killed else 0):
        wrong.append(f"ended with {process.returncode}: {said[-3000:]}")
    excused = told["broken"] if killed else []  # nobody is left to remove the files of a worker that was killed as well
    left = [*awaited(lambda: marked(token)), *awaited(lambda: set(os.listdir(temporary)) - set(excused))]
    left += awaited(lambda: [name for name in set(os.listdir("/dev/shm")) - shared if "lmerbridge" in name])
    if left:
        wrong.append(f"left, {'killed' if killed else 'ended'}: {left}")
    shutil.rmtree(temporary)
    return Counter(told["counts"]) + Counter({"killed hosts" if killed else "ended hosts": 1}), wrong


def soak(minutes, seed):
    """Let processes live for so long; return what was wrong."""
    chance, counts, wrong = random.Random(seed), Counter(), []
    with tempfile.TemporaryDirectory() as folder:
        known = Path(folder, "known.json")
        subprocess.run([sys.executable, "-m", "tests.soak", "--known", str(known)], check=True)
        end = time.monotonic() + 60 * minutes
        while (rest := end - time.monotonic()) > 0:
            seed += 1
            seconds = min(chance.uniform(*LIFE), max(rest, LIFE[0]))
            counted, found = live(Path(folder), known, seconds, seed, chance)
            counts += counted
            wrong += found
            print(json.dumps(counts), *found, sep="\n", flush=True)
    return wrong


def main():
    parser = argparse.ArgumentParser(prog="python -m tests.soak", description=__doc__)
    parser.add_argument("--minutes", type=float, default=30)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    parser.add_argument("--known", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--host", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.known:
        given.known.write_text(json.dumps({name: digest(ask()) for name, ask in questions().items()}))
    elif given.host:
        path, seconds, seed = given.host
        Host(json.loads(Path(path).read_text()), float(seconds), int(seed)).run()
    else:
        print(f"seed {given.seed}", flush=True)
        sys.exit(bool(soak(given.minutes, given.seed)))


if __name__ == "__main__":
    main()
