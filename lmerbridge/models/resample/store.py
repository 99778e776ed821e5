"""A folder that keeps the refits of a bootstrap, so that the same call goes on after its process was killed."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterator, Sequence
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument
from lmerbridge.files import write_files
from lmerbridge.inputs import draw_seed
from lmerbridge.results import Array, Fit
from lmerbridge.setup.extras import import_extra

KEY = b"lmerbridge.bootstrap"  # of what a file says it is of
PURPOSE = "a store of replicates"
Rows = NDArray[np.int64]


class Store:
    """A folder of Parquet files, one per chunk of refits, each of which says what fit and what call it is of.

    Parameters
    ----------
    path : path
        It is made where there is none.
    fit : Fit
    **call
        What else the numbers depend on, by argument of `bootstrap`. A seed of None is that of the store, or a new one.

    Raises
    ------
    InvalidArgument
        It is no folder, or one of another fit or call.
    SetupError
        pyarrow is not installed.
    """

    def __init__(self, path: str | os.PathLike[str], fit: Fit, **call: Any) -> None:  # noqa: ANN401  # as JSON has it
        self._parquet = import_extra("pyarrow.parquet", "arrow", PURPOSE)
        self.path = _folder(path)
        self._names = _columns(len(fit.theta), len(fit.beta))
        self._files = sorted(self.path.glob("*.parquet"))
        self.held: Rows = np.empty(0, np.int64)
        self._of = {"formula": fit.formula, **call, "lme4": fit.provenance.version, "fit": fingerprint(fit)}
        for file in self._files:
            self._check(file)
        self.seed = self._of["seed"] = draw_seed(self._of["seed"])

    def read(self) -> Iterator[tuple[Rows, Array, list[str], tuple[()]]]:
        """Yield the chunks it holds: numbers of replicates, their values, why they failed, and no warnings."""
        for file in self._files:
            table = self._read(self._parquet.read_table, file)
            rows = table["replicate"].to_numpy()
            self.held = np.concatenate([self.held, rows])
            values = np.column_stack([table[name].to_numpy() for name in self._names])
            yield rows, values, table["error"].to_pylist(), ()

    def append(self, rows: Rows, values: Array, errors: Sequence[str]) -> None:
        """Write a chunk to a file of its own, all of it or nothing."""
        arrow = import_extra("pyarrow", "arrow", PURPOSE)
        whole = values if values.size else np.full((len(rows), len(self._names)), np.nan)
        columns = {"replicate": rows, "error": list(errors), **dict(zip(self._names, whole.T, strict=True))}
        table = arrow.table(columns).replace_schema_metadata({KEY: json.dumps(self._of)})
        content = io.BytesIO()
        self._parquet.write_table(table, content)
        write_files({self.path / f"replicates-{rows[0]:09d}.parquet": content.getvalue()})

    def _check(self, file: Path) -> None:
        """Check that a file is of this fit and call."""
        told = (self._read(self._parquet.read_schema, file).metadata or {}).get(KEY)
        if told is None:
            raise InvalidArgument(
                f"{file} holds no replicates; a folder that this call made, or a new one, is expected."
            )
        theirs: dict[str, Any] = json.loads(told)
        if self._of["seed"] is None:
            self._of["seed"] = theirs["seed"]
        for name, own in self._of.items():
            if theirs.get(name) != own:
                what = f"{name} {theirs.get(name)!r}; {own!r} is asked for" if name != "fit" else "another fit"
                raise InvalidArgument(f"the store {self.path} holds replicates of {what}. Name another folder.")

    def _read(self, reader: Any, file: Path) -> Any:  # noqa: ANN401  # pyarrow has no types
        try:
            return reader(file)
        except (OSError, ValueError) as error:  # pyarrow's own are such
            raise InvalidArgument(
                f"{file} cannot be read: {error}; delete it, and its replicates are made anew."
            ) from error


def fingerprint(fit: Fit) -> str:
    """Return a text that tells the numbers of a fit from those of any other."""
    parts = (fit.beta, fit.theta, fit.sigma, fit.criterion, fit.covariance, fit.fitted_values, fit.residual_values)
    digest = sha256(repr((fit.kind.name, fit.kind.family, fit.kind.link, fit.reml)).encode())
    for part in parts:
        digest.update(np.ascontiguousarray(part, np.float64).tobytes())
    return digest.hexdigest()


def _columns(ntheta: int, p: int) -> list[str]:
    """Name the values of a refit, in R's order."""
    theta = [f"theta_{i}" for i in range(1, ntheta + 1)]
    beta = [f"beta_{i}" for i in range(1, p + 1)]
    unscaled = [f"unscaled_{i}_{j}" for j in range(1, p + 1) for i in range(1, p + 1)]
    return ["criterion", "sigma", "singular", "converged", *theta, *beta, *unscaled]


def _folder(path: str | os.PathLike[str]) -> Path:
    """Make a folder, if there is none."""
    try:
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError, TypeError) as error:
        raise InvalidArgument(f"store is {path!r}, and no folder can be made there: {error}.") from error
    if not str(path):
        raise InvalidArgument("store is empty; the path of a folder is expected.")
    return folder
