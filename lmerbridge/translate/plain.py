"""A model as columns with plain names and formulas of them: what a package can read whose formulas are simpler."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import NotExpressible
from lmerbridge.formula import deparse, expand
from lmerbridge.inputs import Spec
from lmerbridge.results import Array, Design, Fit, LogLik, Provenance, VarCorr, covariance
from lmerbridge.translate.coding import Coding, named_contrasts
from lmerbridge.translate.described import covariance_blocks, group_modes
from lmerbridge.translate.modelframe import ModelFrame, model_frame
from lmerbridge.translate.nesting import Block, lme4_order

PLAIN = re.compile(r"v(\d+)_")


@dataclass(frozen=True, eq=False)
class PlainEstimates:
    """What a package has found, in its own order of fixed terms and in the order of `Plain.blocks`.

    Attributes
    ----------
    terms : sequence of str
        Its own names of the columns of ``x``.
    x : ndarray, shape (n, p)
    beta, covariance : ndarray, shapes (p,) and (p, p)
    sigma, loglik : float
    npar : int
    covariances, modes : list of ndarray, shapes (k, k) and (levels, k)
    fitted, residuals : ndarray, shape (n,)
    converged : bool
    optimizer : str
    """

    terms: list[str]
    x: Array
    beta: Array
    covariance: Array
    sigma: float
    loglik: float
    npar: int
    covariances: list[Array]
    modes: list[Array]
    fitted: Array
    residuals: Array
    converged: bool
    optimizer: str


class Plain:
    """A model as columns of plain names.

    Every variable of the fixed part is a column ``v0_``, ``v1_``, ... that holds its values, so that functions are
    evaluated, and the package codes factors and interactions itself. Random term ``i`` has a column ``g0_``, ... of
    its factor's codes from 0, and of each of its own columns, as R has them, ``z0_0_``, ...

    Parameters
    ----------
    spec : Spec
    """

    def __init__(self, spec: Spec) -> None:
        self.spec, self.frame = spec, model_frame(spec)
        coding = Coding(self.frame.variables)
        pieces = [(label, name) for label in coding.pieces for name in coding.pieces[label]]
        self.names = {f"v{i}_": name for i, (_, name) in enumerate(pieces)}
        self._of = {name: key for key, name in self.names.items()}
        self._pieces = {label: [self._of[name] for name in piece] for label, piece in coding.pieces.items()}
        self._values = {self._of[name]: coding.pieces[label][name] for label, name in pieces}
        self.blocks = _blocks(self.frame, coding)

    @cached_property
    def data(self) -> pd.DataFrame:
        """All columns over the rows used, the response under the name ``y_``."""
        found: dict[str, Any] = {"y_": self.frame.response, **self._values}
        for i, block in enumerate(self.blocks):
            found[f"g{i}_"] = block.codes
            found |= {f"z{i}_{j}_": block.columns[:, j] for j in range(block.width)}
        return pd.DataFrame(found)

    def fixed(self, factor: Callable[[str], str] = str) -> str:
        """Write the fixed part.

        ``factor`` writes the name of a variable in the package's own way.
        """
        terms = self.frame.formula.terms
        products = [
            ":".join(map(factor, names))
            for nodes in terms.products
            for names in product(*(self._pieces[deparse(node)] for node in nodes))
        ]
        return " + ".join(["1" if terms.intercept else "0", *products])

    @property
    def bars(self) -> list[str]:
        """Write the random terms."""
        return [_bar(i, block) for i, block in enumerate(self.blocks)]

    @cached_property
    def weights(self) -> Array | None:
        """Weights of the rows used."""
        given = self.spec.per_row("weights")
        if given is None:
            return None
        weights = given.to_numpy(np.float64)[self.frame.rows]
        if not np.all(weights > 0):
            raise NotExpressible("a weight is missing or not above zero, which lme4 alone has a meaning for.")
        return weights

    @property
    def offset(self) -> Array | None:
        """The offset, where there is one."""
        return self.frame.offset if np.any(self.frame.offset) else None

    def contrasts(self) -> dict[str, str]:
        """R's contrast functions that were asked for, by plain name."""
        given = self.spec.contrasts or {}
        return {key: named_contrasts(name, given[name]) for key, name in self.names.items() if name in given}

    def fit(self, engine: str, package: str, found: PlainEstimates) -> Fit:
        """Say what a package has found in R's words."""
        roots = [covariance.lower_root(c / found.sigma**2) for c in found.covariances]
        spec, frame = self.spec, self.frame
        terms = tuple(_r_name(term, self.names) for term in found.terms)
        ones = np.ones(len(frame.rows))
        weights = ones if self.weights is None else self.weights
        random = tuple(block.random_term for block in self.blocks)
        return Fit(
            engine=engine,
            formula=frame.formula.text,
            reml=bool(spec.reml),
            terms=terms,
            beta=found.beta,
            covariance=found.covariance,
            varcorr=VarCorr(covariance_blocks(self.blocks, found.covariances), found.sigma),
            modes=group_modes(self.blocks, found.modes),
            theta=covariance.join(roots),
            sigma=found.sigma,
            loglik=LogLik(found.loglik, found.npar, len(frame.rows), bool(spec.reml)),
            criterion=-2.0 * found.loglik,
            fitted_values=found.fitted,
            residual_values=found.residuals,
            rows=frame.rows,
            index=spec.data.index,
            rows_dropped=frame.rows_dropped,
            _padded_rows=spec.padded_rows,
            singular=any(map(covariance.singular, roots)),
            converged=found.converged,
            provenance=_provenance(engine, package, found.optimizer),
            _design=Design(terms, found.x, frame.response, weights, frame.offset, frame.rows, random),
        )


def _provenance(engine: str, package: str, optimizer: str) -> Provenance:
    others = tuple((name, version(name)) for name in ("numpy", "scipy", "pandas"))
    return Provenance(engine, version(package), optimizer, others)


def _r_name(term: str, names: Mapping[str, str]) -> str:
    """Put R's names of variables into a package's name of a column."""
    return PLAIN.sub(lambda found: names.get(found[0], found[0]), term)


def _bar(i: int, block: Block) -> str:
    columns = ["1" if term == "(Intercept)" else f"z{i}_{j}_" for j, term in enumerate(block.terms)]
    return f"({' + '.join(columns if '1' in columns else ['0', *columns])} | g{i}_)"


def _blocks(frame: ModelFrame, coding: Coding) -> tuple[Block, ...]:
    """Random terms in lme4's order, their columns as R has them."""
    blocks = []
    for bar in frame.formula.random:
        coded, group = coding.matrix(expand(bar.lhs)), frame.groupings[bar.group_name]
        ones = np.ones((len(frame.rows), 1))
        columns = coded.columns if coding.pieces else ones  # without variables patsy does not know how many rows
        blocks.append(Block(bar.group_name, coded.names, group.levels, group.codes, columns))
    return tuple(blocks[i] for i in lme4_order([len(block.levels) for block in blocks]))
