"""Numeric predictors centred and scaled, and the estimates mapped back to their own units."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype, is_numeric_dtype

from lmerbridge.errors import MissingColumns
from lmerbridge.formula import Call, Node, tree_names, walk
from lmerbridge.inputs import Spec
from lmerbridge.results import Array, CovarianceBlock, Design, Fit, RandomTerm, VarCorr, join, labels, shown, split

if TYPE_CHECKING:
    from lmerbridge.formula import Formula

AFFINE = frozenset(("I", "(", "+", "-", "*", "/", "^", "poly", "ns", "bs", "scale"))  # calls a shift may go into
FAR = 100.0  # times one, or a standard deviation
SPAN = 1e-7  # of a column's largest value: what may be left of it by columns that span it


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Scaling:
    """Numeric columns less a centre, over a scale.

    Attributes
    ----------
    frame : DataFrame
        By column: ``center`` and ``scale``, in the column's unit.
    """

    frame: pd.DataFrame

    def apply(self, data: pd.DataFrame) -> pd.DataFrame:
        """Return data with the columns centred and scaled, the others as they are.

        Raises
        ------
        MissingColumns
            The data lack one of them.

        Examples
        --------
        >>> import pandas as pd
        >>> scaling = Scaling(pd.DataFrame({"center": [10.0], "scale": [2.0]}, index=["x"]))
        >>> scaling.apply(pd.DataFrame({"x": [10, 14]})).x.tolist()
        [0.0, 2.0]
        """
        if lacking := [name for name in self.frame.index if name not in data.columns]:
            raise MissingColumns(lacking, data.columns, where="the scaling")
        scaled = {
            name: (_numbers(data[name]) - center) / scale
            for name, center, scale in self.frame[["center", "scale"]].itertuples()
        }
        return data.assign(**scaled)

    def of(self, data: pd.DataFrame) -> Scaling:
        """Return the scaling of the columns that some data have."""
        return Scaling(self.frame.loc[self.frame.index.isin(data.columns)])

    @property
    def extreme(self) -> bool:
        """Whether a column is far from the size of one, or from zero in its own standard deviations."""
        scale, center = self.frame["scale"], self.frame["center"]
        return bool(((scale > FAR) | (scale < 1 / FAR) | (center.abs() > FAR * scale)).any())

    def without_center(self, names: list[str]) -> Scaling:
        """Return the scaling that leaves the mean of some columns as it is."""
        return Scaling(self.frame.assign(center=self.frame["center"].where(~self.frame.index.isin(names), 0.0)))


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class Mapped:
    """Estimates of a fit to scaled columns, in the units of the original columns.

    Attributes
    ----------
    fixef : Series
    vcov : DataFrame, shape (p, p)
    varcorr : VarCorr
    theta : ndarray
    criterion : float
        The REML criterion or deviance. That of REML holds the Jacobian of the fixed columns.
    """

    fixef: pd.Series
    vcov: pd.DataFrame
    varcorr: VarCorr
    theta: Array
    criterion: float


def numeric_scaling(spec: Spec, rows: NDArray[np.int64]) -> Scaling:
    """Return the mean and standard deviation, over some rows, of each numeric column that may be scaled."""
    values = {name: _numbers(spec.data[name].iloc[rows]) for name in _scalable(spec)}
    found = {name: (float(x.mean()), float(x.std())) for name, x in values.items()}
    kept = {name: pair for name, pair in found.items() if np.isfinite(pair).all() and pair[1] > 0}
    return Scaling(pd.DataFrame.from_dict(kept, orient="index", columns=["center", "scale"], dtype=float))


def _scalable(spec: Spec) -> list[str]:
    """Return numeric columns of the fixed and random parts that stand alone or in arithmetic wherever they stand."""
    given = {name for name in (spec.weights, spec.offset, spec.subset) if isinstance(name, str)}
    barred = given.union(*map(tree_names, _fixed_in_place(spec.parsed)))
    free = dict.fromkeys(name for node in spec.parsed.design_variables for name in tree_names(node))
    return [name for name in free if name not in barred and _is_number(spec.data[name])]


def _fixed_in_place(formula: Formula) -> Iterator[Node]:
    """Yield the parts of a formula whose columns are to stay: response, offsets, groups, calls of other functions."""
    yield formula.response
    yield from formula.terms.offsets
    for bar in formula.random:
        yield from bar.group
    for variable in formula.design_variables:
        if any(isinstance(node, Call) and node.function not in AFFINE for node in walk(variable)):
            yield variable


def _numbers(column: pd.Series) -> pd.Series:
    return pd.Series(column.to_numpy(float, na_value=np.nan), index=column.index)


def _is_number(column: pd.Series) -> bool:
    return is_numeric_dtype(column.dtype) and not is_bool_dtype(column.dtype)


def scaled_spec(spec: Spec, scaling: Scaling) -> Spec:
    """Return the specification on scaled columns, with lme4's own start."""
    controls = {name: value for name, value in spec.controls.items() if name != "autoscale"}
    return replace(spec, data=scaling.apply(spec.data), start=None, control=controls or None)


def change_of_basis(scaled: Design, original: Design) -> tuple[Array, list[Array]] | None:
    """Return the matrices by which scaled columns, fixed and of each random term, make the original ones.

    None stands for columns that do not.
    """
    pairs = [(scaled.x, original.x)]
    pairs += [(_columns(s), _columns(o)) for s, o in zip(scaled.random, original.random, strict=True)]
    found = [_basis(s, o) for s, o in pairs]
    bases = [basis for basis in found if basis is not None]
    return (bases[0], bases[1:]) if len(bases) == len(pairs) else None


def _columns(term: RandomTerm) -> Array:
    """Return the columns of a random term, one row per row of the data."""
    import scipy.sparse as sp  # slow to load

    return (term.z @ sp.kron(np.ones((len(term.levels), 1)), sp.eye_array(term.width))).toarray()


def _basis(scaled: Array, original: Array) -> Array | None:
    if scaled.shape != original.shape:
        return None
    size = np.abs(original).max(axis=0, initial=0.0)
    basis = np.asarray(np.linalg.lstsq(scaled, original, rcond=None)[0], np.float64)
    left = np.abs(scaled @ basis - original).max(axis=0, initial=0.0)
    return basis if (left <= SPAN * size).all() else None


def map_back(fit: Fit, scaled: Design, original: Design, names: Fit) -> Mapped | None:
    """Return the estimates of a fit to scaled columns in the units of the original columns, as `names` calls them.

    None stands for a model that is another on those columns, as one whose covariance structure a change of columns
    does not keep.
    """
    bases = change_of_basis(scaled, original)
    if bases is None:
        return None
    fixed, random = bases
    if not all(_keeps(block, basis) for block, basis in zip(fit.varcorr, random, strict=True)):
        return None
    inverse = np.linalg.inv(fixed)
    roots = [_lower(np.linalg.inv(c) @ t) for c, t in zip(random, split(fit.theta, scaled.widths), strict=True)]
    blocks = (block.with_factor(root, fit.sigma) for block, root in zip(names.varcorr, roots, strict=True))
    terms = labels(names.terms)
    return Mapped(
        pd.Series(inverse @ fit.beta, index=terms, name="fixef"),
        pd.DataFrame(inverse @ fit.covariance @ inverse.T, index=terms, columns=terms),
        VarCorr(tuple(blocks), fit.sigma),
        join(roots),
        fit.criterion + (2.0 * float(np.linalg.slogdet(fixed)[1]) if fit.reml else 0.0),
    )


def _keeps(block: CovarianceBlock, basis: Array) -> bool:
    """Whether a covariance of some structure has it still after a change of columns."""
    if block.kind == "us":
        return True
    diagonal = np.diag(basis)
    alone = np.allclose(basis, np.diag(diagonal), atol=SPAN * np.abs(diagonal).max())
    return alone and ((block.kind == "diag" and not block.hom) or np.allclose(diagonal, diagonal[0]))


def _lower(root: NDArray[Any]) -> Array:
    """Return the lower triangular factor with the same product, its diagonal not negative."""
    lower = np.linalg.qr(root.T).R.T
    return np.tril(lower * np.where(np.diag(lower) < 0, -1.0, 1.0))
