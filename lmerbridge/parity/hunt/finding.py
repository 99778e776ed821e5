"""One behaviour of an engine that is wrong, on the smallest data set that shows it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

from lmerbridge.inputs import Spec
from lmerbridge.parity.verdict import Comparison


@dataclass(frozen=True, eq=False, kw_only=True)
class Finding:
    """One behaviour of an engine that is wrong, on the smallest data set that shows it.

    Attributes
    ----------
    engine : str
        By the name that `lmerbridge.engines.find` takes.
    version : str
        Of its package, "" where it tells none.
    reference : str
        The engine that it is held against, "" where the oracle needs none.
    oracle : str
        What shows the fault: ``gap``, ``pinned``, ``crash``, or a change of the data that may change no answer, such as
        ``rescale_x``.
    key : str
        Name of the behaviour, and of no data: the same on every data set that shows it. It is good as a folder's name.
    spec : Spec
        The model. The columns of its data are among ``y``, ``x``, ``z``, ``f``, ``g``, ``h``, ``n``, ``w`` and ``o``.
    silent : bool
        Whether the engine says that it converged, and warns of nothing.
    figures : mapping of str to float or str
        What was measured: see `lmerbridge.parity.hunt.oracles`.
    comparison : Comparison or None
        Of the engine with the reference on this model, None where either gives no fit.
    seed, index : int
        The design it was found on.
    fits : int
        How many fits it took to find and to shrink it.
    """

    engine: str
    version: str
    reference: str
    oracle: str
    key: str
    spec: Spec
    silent: bool
    figures: Mapping[str, float | str] = field(default_factory=dict)
    comparison: Comparison | None = None
    seed: int = 1
    index: int = 0
    fits: int = 0

    @property
    def size(self) -> float:
        """Of the fault: deviance units of a gap or a criterion, else in the quantity's own unit; NaN of none."""
        return float(self.figures.get("gap", self.figures.get("difference", math.nan)))
