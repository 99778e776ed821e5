"""Simulated responses of a model, and its refits to them."""

from __future__ import annotations

import pickle
from functools import cached_property
from typing import Unpack

from lmerbridge.bridge.wire import Value
from lmerbridge.models.asking import ask
from lmerbridge.models.intervals.parameters import Parameters
from lmerbridge.models.resample.refits import How, Refits
from lmerbridge.models.resample.replicates import Common, Replicates
from lmerbridge.results.covariance import Array


class Resampling(Parameters):
    """A model's simulated responses, and its refits to them."""

    @cached_property
    def _common(self) -> tuple[Common, Array]:
        described = self.call("describe_refits")
        return Common.of(self, described["index"]), described["response"]

    def _drawn(self, **arguments: Value) -> Array:
        """Return simulated responses, shape (nsim, nobs)."""
        responses: Array = ask(self, "draw_responses", timeout=None, **arguments).values["response"]
        return responses.reshape(-1, self.nobs)

    def _refitted(
        self, responses: Array, drawn: dict[str, Value], theta: Array | None = None, **how: Unpack[How]
    ) -> Replicates:
        """Refit to all responses, or to those left of them where the same were begun before."""
        key = pickle.dumps(drawn)
        if key not in self._begun:
            self._begun.clear()  # of what is kept for another call, one is enough
            width = 4 + len(self.theta) + len(self.beta) * (1 + len(self.beta))
            self._begun[key] = Refits(len(responses), width)
        refits = self._begun[key]
        refits.run(self, responses, self.theta if theta is None else theta, **how)
        return refits.replicates(len(self.theta))

    @cached_property
    def _begun(self) -> dict[bytes, Refits]:
        return {}
