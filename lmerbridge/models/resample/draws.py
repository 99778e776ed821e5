"""Simulated responses of a fit, which are drawn in blocks when they are asked for."""

from __future__ import annotations

import pickle
from functools import cached_property, partial
from threading import Lock
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from lmerbridge.bridge import host
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.resample.streams import State, stream
from lmerbridge.results import Array

Rng = Literal["bootMer", "streams"]
KINDS: dict[Rng, str] = {"bootMer": "Mersenne-Twister", "streams": "L'Ecuyer-CMRG"}
BYTES = 8 << 20  # of a block at most, since R holds some copies of it, and a task of dask is to be small


class Draws:
    """Simulated responses of a fit, by number, of which no more than a block is held at once.

    Of ``rng="bootMer"`` they are those that ``lme4::bootMer`` draws all at once, and a block begins where that before
    it ended. Of ``rng="streams"`` each comes from a stream of its own, so that any process can draw it.

    Parameters
    ----------
    fit : KeptFit
    nsim, seed : int
    rng : {"bootMer", "streams"}
    first : ndarray of int32, optional
        State of the generator after R's ``set.seed``. The default is to ask R.
    **given
        Other arguments of R's ``draw_replicates``.
    """

    def __init__(
        self,
        fit: KeptFit,
        nsim: int,
        seed: int,
        rng: Rng = "bootMer",
        *,
        first: State | None = None,
        **given: Any,  # noqa: ANN401  # as R's functions have them
    ) -> None:
        self.fit, self.nsim, self.seed, self.rng, self.given = fit, nsim, seed, rng, given
        if first is not None:
            self.first = first
        self._held, self._begin = np.empty((0, fit.nobs)), 0  # the last block, and the number of its first response
        self._end: tuple[int, dict[str, Any]] = (
            0,
            {},
        )  # where the last draw ended, with the states of the generator there
        self._lock = Lock()  # joblib draws in threads of its own

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Draws, first=self.first, **self.given), (self.fit, self.nsim, self.seed, self.rng)

    def __len__(self) -> int:
        return self.nsim

    def __getitem__(self, numbers: NDArray[np.int64]) -> Array:
        """Return consecutive responses, shape (n, nobs)."""
        return self._draw(int(numbers[0]), int(numbers[-1]) + 1)

    def one(self, number: int) -> Array:
        """Return one response, for which a block is drawn."""
        if not self._begin <= number < self._begin + len(self._held):
            self._held = self._draw(number, min(number + self.block, self.nsim))
            self._begin = number
        response: Array = self._held[number - self._begin]
        return response

    @cached_property
    def first(self) -> State:
        """State of the generator after R's ``set.seed``."""
        state: State = host.call("first_state", seed=self.seed, kind=KINDS[self.rng]).values["state"]
        return state

    @property
    def block(self) -> int:
        """Number of responses in a block."""
        return max(1, BYTES // (8 * self.fit.nobs))

    @property
    def key(self) -> bytes:
        """What tells these responses from others of the fit."""
        return pickle.dumps((self.nsim, self.seed, self.rng, self.given))

    @property
    def recipe(self) -> dict[str, Any] | None:
        """Arguments by which any process draws these responses of the fit, None where one alone goes through them."""
        given = {"nsim": self.nsim, "seed": self.seed, "rng": self.rng, "first": self.first, **self.given}
        return given if self.rng == "streams" else None

    def _draw(self, begin: int, end: int) -> Array:
        with self._lock:
            response = self._from_stream(begin, end) if self.rng == "streams" else self._in_turn(begin, end)
        return response.reshape(-1, self.fit.nobs)

    def _from_stream(self, begin: int, end: int) -> Array:
        first = stream(self.first, begin)
        found: Array = ask(self.fit, "draw_streams", n=end - begin, stream=first, **self.given).values["response"]
        return found

    def _in_turn(self, begin: int, end: int) -> Array:
        if begin < self._end[0]:
            self._end = 0, {}
        while self._end[0] < begin:
            self._go_on(min(begin, self._end[0] + self.block))
        return self._go_on(end)

    def _go_on(self, end: int) -> Array:
        """Draw from where the last draw ended."""
        at, states = self._end
        states = states or {"effects": self.first}
        found = ask(self.fit, "draw_block", n=end - at, total=self.nsim, **states, **self.given).values
        response: Array = found.pop("response")
        self._end = end, found
        return response
