"""A model as columns with plain names and formulas of them: what a package can read whose formulas are simpler."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from importlib.metadata import version
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, NotExpressible
from lmerbridge.formula import deparse, expand
from lmerbridge.inputs import Spec
from lmerbridge.results import Array, Design, Family, Fit, LogLik, Provenance, VarCorr, covariance
from lmerbridge.results.glm import Response
from lmerbridge.results.links import mean, predictor
from lmerbridge.translate.coding import Coded, Coding, named_contrasts
from lmerbridge.translate.described import LINEAR, covariance_blocks, group_modes, lower_roots
from lmerbridge.translate.modelframe import ModelFrame, model_frame
from lmerbridge.translate.nesting import Block, lme4_order

VARIABLE, LEVEL = re.compile(r"v\d+_"), re.compile(r"l(\d+)_")
WHOLE = 1e-8  # how far a count may be off a whole number by rounding
INTERCEPTS = ("(Intercept)", "Intercept", "1")


@dataclass(frozen=True, eq=False, kw_only=True)
class PlainEstimates:
    """What a package has found, in its own order of fixed terms and in the order of `Plain.blocks`.

    Attributes
    ----------
    beta : array_like, shape (p,)
    covariance : array_like, shape (p, p), or None
        Of ``beta``.
    std_errors : array_like, shape (p,), or None
        In place of ``covariance``, from a package that tells no more.
    sigma, loglik : float
        ``sigma`` is the residual standard deviation, and of a generalized model the root of a dispersion that is
        estimated, or 1.
    covariances, modes : sequence of array_like, shapes (k, k) and (levels, k)
        `Plain.covariances` and `Plain.modes` make them of tables by name.
    fitted : array_like, shape (n,)
        With the offset, unless `Plain` took it from the response. Of a generalized model the conditional means, on the
        scale of the response.
    converged : bool
    nb_theta : float
        Shape of a negative binomial family that is estimated.
    terms : sequence of str, optional
        The package's own names of the fixed terms. Without them they are those of `Plain.x`.
    x : array_like, shape (n, p), optional
        The package's own matrix of them. Without one the terms are compared by their names alone.
    npar : int, optional
        Without it the fixed effects, the covariances' own numbers and the residual variance, dispersion or shape that
        is estimated are counted.
    residuals : array_like, shape (n,), optional
        Without them they are the response less ``fitted``, and of a generalized model those of the deviance.
    optimizer : str

    Raises
    ------
    InvalidArgument
        Both or neither of ``covariance`` and ``std_errors`` are given.
    """

    beta: Any
    covariance: Any = None
    std_errors: Any = None
    sigma: float = 1.0
    loglik: float
    covariances: Sequence[Any]
    modes: Sequence[Any]
    fitted: Any
    converged: bool
    nb_theta: float = math.nan
    terms: Sequence[str] | None = None
    x: Any = None
    npar: int | None = None
    residuals: Any = None
    optimizer: str = ""

    def __post_init__(self) -> None:
        """Check that the uncertainty of ``beta`` is given once."""
        if (self.covariance is None) == (self.std_errors is None):
            which = "neither" if self.covariance is None else "both"
            raise InvalidArgument(f"{which} of covariance and std_errors came; one of the two is expected.")

    @property
    def known_covariance(self) -> Array:
        """Covariance of ``beta``, NaN off the diagonal where only standard errors are told."""
        if self.std_errors is None:
            return _doubles(self.covariance)
        squares = _doubles(self.std_errors) ** 2
        return np.where(np.eye(len(squares), dtype=bool), squares, np.nan)


class Plain:
    """A model as columns of plain names.

    Every variable of the fixed part is a column ``v0_``, ``v1_``, ... that holds its values, so that functions are
    evaluated, and the package codes factors and interactions itself. Random term ``i`` has a column ``g0_``, ... of
    its factor's codes from 0, and of each of its own columns, as R has them, ``z0_0_``, ... A column that is a variable
    of the fixed part bears that variable's name.

    Parameters
    ----------
    spec : Spec
    subtract : bool
        Take the offset from the response, for a package that has none: the fit gets it back.
    """

    def __init__(self, spec: Spec, subtract: bool = False) -> None:
        self.spec, self.frame, self._subtract = spec, model_frame(spec), subtract
        self._coding = coding = Coding(self.frame.variables)
        pieces = [(label, name) for label in coding.pieces for name in coding.pieces[label]]
        self.names = {f"v{i}_": name for i, (_, name) in enumerate(pieces)}
        self._of = {name: key for key, name in self.names.items()}
        self._pieces = {label: [self._of[name] for name in piece] for label, piece in coding.pieces.items()}
        self._values = {self._of[name]: coding.pieces[label][name] for label, name in pieces}
        self.blocks = _blocks(self.frame, coding)

    @cached_property
    def data(self) -> pd.DataFrame:
        """All columns over the rows used, the response under the name ``y_``.

        A binomial response is a proportion, and ``s_`` and ``f_`` are the numbers of successes and failures.
        """
        found: dict[str, Any] = {"y_": self.frame.response - self._subtracted, **self._values}
        if self.family == "binomial":
            successes = near_whole(self.frame.response * self._all_weights)
            found |= {"s_": successes, "f_": self._all_weights - successes}
        for i, block in enumerate(self.blocks):
            found[f"g{i}_"] = block.codes
            found |= {f"z{i}_{j}_": block.columns[:, j] for j in range(block.width)}
        return pd.DataFrame(found)

    @cached_property
    def text(self) -> pd.DataFrame:
        """The same columns, each factor as texts ``l0_``, ``l1_``, ... that sort as its levels do."""
        codes = {f"g{i}_": block.codes for i, block in enumerate(self.blocks)}
        codes |= {key: v.codes for key, v in self._values.items() if isinstance(v, pd.Categorical)}
        return self.data.assign(**{key: _texts(values) for key, values in codes.items()})

    @cached_property
    def _coded(self) -> Coded:
        return self._coding.matrix(self.frame.formula.terms, self.spec.contrasts)

    @property
    def x(self) -> Array:
        """The matrix of the fixed part as R codes it, for a package that takes no formula."""
        return self._coded.columns if self._coding.pieces else np.ones((len(self.frame.rows), 1))

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

    @cached_property
    def columns(self) -> list[list[str]]:
        """Names of the columns of each random term, ``1`` for an intercept."""
        mains = (deparse(nodes[0]) for nodes in self.frame.formula.terms.products if len(nodes) == 1)
        own = {name: self._of[name] for label in mains for name in self._coding.pieces[label]}

        def name(i: int, j: int) -> str:
            term, column = self.blocks[i].terms[j], self.blocks[i].columns[:, j]
            is_own = term in own and np.array_equal(self._values[own[term]], column)  # else a level's, named alike
            return "1" if term == INTERCEPTS[0] else own[term] if is_own else f"z{i}_{j}_"

        return [[name(i, j) for j in range(block.width)] for i, block in enumerate(self.blocks)]

    @property
    def lefts(self) -> list[str]:
        """Write the left-hand sides of the random terms."""
        return [" + ".join(names if "1" in names else ["0", *names]) for names in self.columns]

    @property
    def bars(self) -> list[str]:
        """Write the random terms."""
        return [f"({left} | g{i}_)" for i, left in enumerate(self.lefts)]

    @property
    def formula(self) -> str:
        """Write the whole model."""
        return f"y_ ~ {' + '.join([self.fixed(), *self.bars])}"

    def covariances(self, places: Iterable[tuple[str, str, str]], values: Iterable[float]) -> list[Array]:
        """Sort the elements of covariance matrices, each with its group and two terms, into matrices.

        Groups and terms are named as in `bars`, an intercept in any of the usual ways.
        """
        found = [np.full((block.width, block.width), np.nan) for block in self.blocks]
        for (group, one, other), value in zip(places, values, strict=True):
            i, j, k = *self._place(group, one), self._place(group, other)[1]
            found[i][j, k] = found[i][k, j] = value
        return found

    def modes(self, places: Iterable[tuple[str, object, str]], values: Iterable[float]) -> list[Array]:
        """Sort conditional modes, each with its group, level and term, into tables.

        A level is a code of `data` or a text of `text`.
        """
        found = [np.full((len(block.levels), block.width), np.nan) for block in self.blocks]
        for (group, level, term), value in zip(places, values, strict=True):
            i, j = self._place(group, term)
            found[i][int(str(level).strip("l_")), j] = value
        return found

    def _place(self, group: str, term: str) -> tuple[int, int]:
        """Return the position of a group's block, and of a term in it."""
        i = int(group[1:-1])
        return i, self.columns[i].index("1" if term in INTERCEPTS else term)

    @property
    def family(self) -> str:
        """R's name of the family, ``gaussian`` of a linear model."""
        return self.spec.kind.family

    @property
    def link(self) -> str:
        """R's name of the link."""
        return self.spec.kind.link

    @property
    def shape(self) -> float | None:
        """The shape of a negative binomial family where it is known."""
        return getattr(self.spec, "shape", None)

    @property
    def nodes(self) -> int:
        """Nodes of the quadrature, 1 for Laplace's approximation and for a linear model."""
        return int(getattr(self.spec, "n_agq", 1))

    @cached_property
    def weights(self) -> Array | None:
        """Weights of the rows used, which are the numbers of trials where the response is binomial."""
        given = self.spec.per_row("weights") is not None or self.family == "binomial"
        return self._all_weights if given and (self.family != "binomial" or np.any(self._all_weights != 1)) else None

    @cached_property
    def _all_weights(self) -> Array:
        given = self.spec.per_row("weights")
        of_rows = 1.0 if given is None else given.to_numpy(np.float64)[self.frame.rows]
        weights = self.frame.trials * of_rows
        if not np.all(weights > 0):
            raise NotExpressible("a weight is missing or not above zero, which lme4 alone has a meaning for.")
        return weights

    @property
    def offset(self) -> Array | None:
        """The offset, where there is one that is not taken from the response."""
        return self.frame.offset if np.any(self.frame.offset - self._subtracted) else None

    @property
    def _subtracted(self) -> Array:
        return self.frame.offset * self._subtract

    def contrasts(self) -> dict[str, str]:
        """R's contrast functions that were asked for, by plain name."""
        given = self.spec.contrasts or {}
        return {key: named_contrasts(name, given[name]) for key, name in self.names.items() if name in given}

    def mean(self, eta: Any) -> Array:  # noqa: ANN401 - whatever a package has its numbers in
        """Return the means of the response at values of the linear predictor, the offset in them."""
        found: Array = mean(self.link, _doubles(eta))[0]
        return found

    def fit(self, engine: str, package: str, found: PlainEstimates) -> Fit:
        """Say what a package has found in R's words."""
        covariances, modes = ([np.asarray(v, dtype=np.float64) for v in of] for of in (found.covariances, found.modes))
        spec, frame, beta, kind = self.spec, self.frame, _doubles(found.beta), self.spec.kind
        sigma, loglik, fitted = float(found.sigma), float(found.loglik), _doubles(found.fitted) + self._subtracted
        roots = lower_roots(kind, covariances, sigma)
        theta = covariance.join(roots)
        terms = self._coded.names if found.terms is None else tuple(map(self._r_name, found.terms))
        x = self.x if found.terms is None else found.x
        others = kind.others if self.shape is None else 0
        npar = len(beta) + len(theta) + others if found.npar is None else int(found.npar)
        blocks = covariance_blocks(self.blocks, covariances)
        varcorr = VarCorr(blocks, sigma, has_residual=bool(kind.scale(sigma)), link=kind.link)
        shape = float(found.nb_theta) if self.shape is None else self.shape
        return Fit(
            engine=engine,
            formula=frame.formula.text,
            reml=bool(spec.reml),
            kind=kind,
            terms=terms,
            beta=beta,
            covariance=found.known_covariance,
            only_std_errors=found.std_errors is not None,
            varcorr=varcorr.about(terms, beta, weighted=spec.weights is not None),
            modes=group_modes(self.blocks, modes),
            theta=theta,
            sigma=sigma,
            nb_theta=shape,
            loglik=LogLik(loglik, npar, len(frame.rows), bool(spec.reml)),
            criterion=-2.0 * loglik,
            fitted_values=fitted,
            residual_values=self._residuals(fitted, found, shape),
            rows=frame.rows,
            index=spec.data.index,
            rows_dropped=frame.rows_dropped,
            _padded_rows=spec.padded_rows,
            singular=any(map(covariance.singular, roots)),
            converged=bool(found.converged),
            provenance=_provenance(engine, package, found.optimizer),
            _design=None if x is None else self._design(terms, _doubles(x)),
        )

    def _residuals(self, fitted: Array, found: PlainEstimates, shape: float) -> Array:
        if found.residuals is not None:
            return _doubles(found.residuals)
        if self.spec.kind.name == LINEAR:
            return self.frame.response - fitted
        family = Family(self.family, self.link, None if math.isnan(shape) else shape)
        rows = Response(family, self.frame.response, self._all_weights, predictor(self.link, fitted), shape)
        return rows.deviance_residuals

    def _design(self, terms: tuple[str, ...], x: Array) -> Design:
        frame, random = self.frame, tuple(block.random_term for block in self.blocks)
        return Design(terms, x, frame.response, self._all_weights, frame.offset, frame.rows, random)

    def _r_name(self, term: str) -> str:
        """Put R's names of variables and levels into a package's name of a column.

        The levels belong to the factors in their order, wherever a package writes them: ``v0_[T.l1_]:v1_``, or
        ``v0_:v1_:l1_``.
        """
        if term in INTERCEPTS:
            return INTERCEPTS[0]
        keys, codes = [key for key in VARIABLE.findall(term) if key in self.names], LEVEL.findall(term)
        levels = {key: self._values[key] for key in keys if isinstance(self._values[key], pd.Categorical)}
        if not codes or len(codes) != len(levels):
            return VARIABLE.sub(lambda found: self.names.get(found[0], found[0]), term)
        suffix = {key: v.categories[int(code)] for (key, v), code in zip(levels.items(), codes, strict=True)}
        return ":".join(f"{self.names[key]}{suffix.get(key, '')}" for key in keys)


def near_whole(values: Array) -> Array:
    """Return products of proportions and trials without the rounding by which they are off whole numbers.

    Examples
    --------
    >>> near_whole(np.array([0.07 * 100, 2.5]))
    array([7. , 2.5])
    """
    whole = np.round(values)
    return np.where(np.abs(values - whole) < WHOLE, whole, values)


@cache
def _version(package: str) -> str:
    """The version of a package, which does not change while it is loaded."""
    return version(package)


def _provenance(engine: str, package: str, optimizer: str) -> Provenance:
    others = tuple((name, _version(name)) for name in ("numpy", "scipy", "pandas"))
    return Provenance(engine, _version(package), optimizer, others)


def _doubles(values: Any) -> Array:  # noqa: ANN401 - whatever a package has its numbers in
    return np.asarray(values, dtype=np.float64)


def _texts(codes: NDArray[np.integer]) -> list[str]:
    width = len(str(codes.max()))
    return [f"l{code:0{width}d}_" for code in codes]


def _blocks(frame: ModelFrame, coding: Coding) -> tuple[Block, ...]:
    """Random terms in lme4's order, their columns as R has them."""
    blocks = []
    for bar in frame.formula.random:
        coded, group = coding.matrix(expand(bar.lhs)), frame.groupings[bar.group_name]
        ones = np.ones((len(frame.rows), 1))
        columns = coded.columns if coding.pieces else ones  # without variables patsy does not know how many rows
        blocks.append(Block(bar.group_name, coded.names, group.levels, group.codes, columns))
    return tuple(blocks[i] for i in lme4_order([len(block.levels) for block in blocks]))
