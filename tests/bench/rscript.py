"""R alone, without this package: the other side of a ratio."""

from __future__ import annotations

import subprocess
import tempfile
from pathlib import Path
from types import TracebackType

import pandas as pd

from lmerbridge.parity.study.cpu import of_process
from lmerbridge.setup.environment import environment

ALONE = Path(__file__).with_name("alone.R")


class Rscript:
    """An R with lme4 that evaluates what it is told and is asked for its CPU time: it begins with ``alone.R``.

    Parameters
    ----------
    setup : str
        R code that runs first and is not timed.
    **frames : DataFrame
        Data frames that it has by these names; texts and categories are factors there, in the order of their levels.

    Examples
    --------
    >>> with Rscript("f <- function() lmer(y ~ x + (1 | g), d)", d=frame) as r:  # doctest: +SKIP
    ...     r.seconds("f()", times=5)
    """

    def __init__(self, setup: str = "", **frames: pd.DataFrame) -> None:
        self._folder = tempfile.TemporaryDirectory()
        self._process = subprocess.Popen(
            ["Rscript", "--vanilla", str(ALONE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(),
        )
        for name, frame in frames.items():
            self._read(name, frame)
        (lines := Path(self._folder.name, "setup.R")).write_text(setup)
        self.run(f"source('{lines}')")

    def __enter__(self) -> Rscript:
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        self._process.communicate()
        self._folder.cleanup()

    def run(self, code: str) -> None:
        """Evaluate a line of R."""
        self._process.stdin.write(code + "\n")
        self._process.stdin.flush()
        while (line := self._process.stdout.readline()) != "done\n":
            if not line or line.startswith("failed:"):
                raise RuntimeError(f"{code}: {line or 'R has ended'}")

    def seconds(self, code: str, times: int = 1) -> float:
        """CPU seconds of a line of R, the mean of some evaluations."""
        before = of_process(self._process.pid)
        self.run(f"for (.i in seq_len({times})) {code}" if times > 1 else code)
        return (of_process(self._process.pid) - before) / times

    def peak(self) -> int:
        """Bytes that R has held at most."""
        lines = Path(f"/proc/{self._process.pid}/status").read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))

    def _read(self, name: str, frame: pd.DataFrame) -> None:
        path = Path(self._folder.name, f"{name}.csv")
        frame.to_csv(path, index=False, float_format="%.17g")
        self.run(f"{name} <- utils::read.csv('{path}', stringsAsFactors = TRUE, check.names = FALSE)")
        for column in frame.select_dtypes("category"):
            levels = ", ".join(f'"{level}"' for level in frame[column].cat.categories)
            self.run(f"{name}[['{column}']] <- factor({name}[['{column}']], levels = c({levels}))")
