"""The version of an engine, which its fits tell."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd

from lmerbridge.engines import Engine, find
from lmerbridge.errors import NotExpressible
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.parity.hunt.common import fit_by

Y = (2, 4, 3, 5, 1, 3, 2, 2, 6, 5, 7, 4, 3, 1, 2, 4, 5, 6, 4, 3, 2, 1, 3, 4, 6, 7, 5, 6, 2, 3)


def engine_version(engine: str | Engine) -> str:
    """Return the version that an engine tells with a fit of a few plain numbers, "" where it tells none.

    Raises
    ------
    NotExpressible
        It has no form for a single intercept, of a linear or a binomial model.
    SetupError
        It is not installed.

    Examples
    --------
    >>> engine_version("mixedlm")[0].isdigit()
    True
    """
    refusals = list[NotExpressible]()
    for spec in _probes():
        try:
            return fit_by(find(engine) if isinstance(engine, str) else engine, spec).provenance.version
        except NotExpressible as error:
            refusals.append(error)
    raise refusals[0]


def _probes() -> Iterator[Spec]:
    """Models of which an engine fits one or another."""
    data = pd.DataFrame(
        {"y": map(float, Y), "b": [float(y > 3) for y in Y], "g": [f"g{i // 5}" for i in range(len(Y))]}
    )
    yield from (Spec(formula="y ~ 1 + (1 | g)", data=data, reml=reml) for reml in (False, True))
    yield GlmerSpec(formula="b ~ 1 + (1 | g)", data=data, family="binomial")
