"""statsmodels' MixedLM as an engine, from a formula or on the reference's own matrices."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import InvalidArgument, NotExpressible, TooLarge
from lmerbridge.formula import deparse, expand
from lmerbridge.inputs import FactorContrasts, Spec
from lmerbridge.results import Array, Design, Fit
from lmerbridge.translate import (
    Block,
    Built,
    Coding,
    Indices,
    ModelFrame,
    Nesting,
    Used,
    fill,
    fit_foreign,
    full_rank,
    key_of,
    lme4_order,
    mixedlm_fit,
    model_frame,
    nesting,
    quote,
    refuse_kind,
    refuse_lme4s,
    refuse_structures,
)

METHODS = ("bfgs", "lbfgs", "cg")  # MixedLM.fit's own, each tried where the one before did not converge
MAX_BYTES = 200e6
MAX_SECONDS = 120.0
REASONS = {
    "glmm": "statsmodels has no maximum likelihood of such a model: its BayesMixedGLM has priors, and its GEE "
    "estimates means over all groups, which are other numbers than those within a group."
}
SECONDS = 3e-9  # a fit's time over rows times squared random effects: crossed, 1000 to 4000 rows


class Statsmodels:
    """``MixedLM.from_formula``: statsmodels and patsy make the design.

    ``start`` and ``control`` are lme4's own, and not expressible; weights are not either.

    Parameters
    ----------
    method : str or None
        One of ``options``, alone; None is MixedLM's default, each of three where the one before did not converge.
    """

    capabilities: frozenset[str] = frozenset()
    reasons = REASONS
    options = (*METHODS, "powell", "nm")

    def __init__(self, method: str | None = None) -> None:
        self.method = method

    @property
    def name(self) -> str:
        """``statsmodels``, or ``statsmodels[method]``."""
        return f"statsmodels[{self.method}]" if self.method else "statsmodels"

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`."""
        _refuse(spec)
        frame = model_frame(spec)
        used = Used(frame.response, frame.offset, frame.rows, frame.rows_dropped)
        methods = (self.method,) if self.method else METHODS
        return _fit(self.name, spec, used, lambda: _from_formula(frame, spec.contrasts), methods)


class StatsmodelsShared:
    """``MixedLM`` on the matrices in ``spec.design``: the estimator alone is tested."""

    name = "statsmodels[shared]"
    capabilities: frozenset[str] = frozenset({"shared_design"})
    reasons = REASONS

    def fit(self, spec: Spec) -> Fit:
        """Fit the model: see `lmerbridge.engines.Engine`."""
        _refuse(spec)
        design = spec.design
        if design is None:
            raise InvalidArgument(f"spec.design is None; {self.name} fits the matrices of a reference.")
        if not np.all(design.weights == 1.0):
            raise NotExpressible("MixedLM has no weights.")
        used = Used(design.y, design.offset, design.rows, len(spec.rows_in_subset()) - len(design.rows))
        return _fit(self.name, spec, used, lambda: _from_design(design))


def _refuse(spec: Spec) -> None:
    refuse_kind(spec, "statsmodels", (), REASONS)
    if spec.weights is not None:
        raise NotExpressible("MixedLM has no weights.")
    refuse_lme4s(spec, "MixedLM")
    refuse_structures(spec, "MixedLM")


def _from_formula(frame: ModelFrame, contrasts: FactorContrasts | None) -> Built:
    from statsmodels.formula import options
    from statsmodels.regression.mixed_linear_model import MixedLM

    if options.formula_engine != "patsy":
        raise NotExpressible(f"statsmodels is set to read formulas with {options.formula_engine}, not patsy.")
    coding = Coding(frame.variables)
    fixed = coding.matrix(frame.formula.terms, contrasts)
    coded = [coding.matrix(expand(bar.lhs)) for bar in frame.formula.random]
    groups = [frame.groupings[bar.group_name] for bar in frame.formula.random]
    order = lme4_order([len(g.levels) for g in groups])
    blocks = [
        Block(
            frame.formula.random[i].group_name,
            coded[i].names,
            groups[i].levels,
            groups[i].codes,
            coded[i].columns,
        )
        for i in order
    ]
    found = nesting(blocks)
    _check_size(blocks, found)
    data = coding.data.copy()
    response = _add(data, deparse(frame.formula.response), frame.response - frame.offset)
    keys = {b.group: _add(data, b.group, b.codes) for b in blocks}
    components = {f"{blocks[i].group}: {blocks[i].terms[0]}": i for i in found.inner}
    outer = None if found.outer is None else coded[order[found.outer]]
    model = MixedLM.from_formula(
        f"{quote(response)} ~ {fixed.text}",
        data,
        re_formula=outer and outer.text,
        vc_formula={name: _component(data, keys, blocks[i]) for name, i in components.items()} or None,
        groups=_add(data, "cell", found.cells) if found.outer is None else keys[blocks[found.outer].group],
        eval_env=coding.environment,
    )
    outer_order = np.arange(0) if outer is None else outer.order
    return Built(model, fixed.names, fixed.order, tuple(blocks), found.outer, outer_order, components)


def _component(data: pd.DataFrame, keys: Mapping[str, str], block: Block) -> str:
    """One coefficient a level, with one variance."""
    factor, (term,) = f"0 + C({quote(keys[block.group])})", block.terms
    return factor if term == "(Intercept)" else f"{factor}:{quote(_add(data, term, block.columns[:, 0]))}"


def _add(data: pd.DataFrame, name: str, values: NDArray[Any]) -> str:
    """Add a column under a free name, unless it is there, and return the name."""
    key = key_of(name)
    while key in data and not (data[key].dtype == values.dtype and np.array_equal(data[key], values)):
        key += " "
    data[key] = values
    return key


def _from_design(design: Design) -> Built:
    from statsmodels.regression.mixed_linear_model import MixedLM, VCSpec

    blocks = fill([Block.of(term) for term in design.random])
    found = nesting(blocks)
    _check_size(blocks, found)
    outer = None if found.outer is None else blocks[found.outer]
    cells = found.cells if outer is None else outer.codes
    rows = [np.flatnonzero(cells == label) for label in np.unique(cells)]
    components = {f"{blocks[i].group}: {blocks[i].terms[0]}": i for i in found.inner}
    matrices = [[_indicators(blocks[i], within) for within in rows] for i in components.values()]
    names = [[list(map(str, range(m.shape[1]))) for m in component] for component in matrices]
    model = MixedLM(
        design.y - design.offset,
        design.x,
        groups=cells,
        exog_re=None if outer is None else outer.columns,
        exog_vc=VCSpec(list(components), names, matrices),
    )
    order, outer_order = np.arange(len(design.terms)), np.arange(0 if outer is None else outer.width)
    return Built(model, design.terms, order, tuple(blocks), found.outer, outer_order, components)


def _indicators(block: Block, rows: Indices) -> Array:
    """Return a component's matrix over some rows, with one column per level that occurs there."""
    levels, column = np.unique(block.codes[rows], return_inverse=True)
    return np.where(column[:, None] == np.arange(len(levels)), block.columns[rows], 0.0)


def _check_size(blocks: Sequence[Block], found: Nesting) -> None:
    """MixedLM keeps a dense matrix a group, and factors one as wide as the group has random effects."""
    n = np.bincount(found.cells).astype(float)
    q = sum((_levels_within(blocks[i].codes, found.cells) for i in found.inner), np.zeros(len(n)))
    size, seconds = 8 * float(n @ q), SECONDS * float(n @ q**2)
    if size > MAX_BYTES or seconds > MAX_SECONDS:
        raise TooLarge(f"MixedLM would need dense matrices of {size / 1e6:.0f} MB and about {seconds:.0f} s.")


def _levels_within(codes: Indices, cells: Indices) -> Array:
    pairs = np.unique(np.stack([cells, codes]), axis=1)
    return np.bincount(pairs[0], minlength=int(cells.max()) + 1).astype(float)


def _fit(name: str, spec: Spec, used: Used, build: Callable[[], Built], methods: Sequence[str] = METHODS) -> Fit:
    """Build a model and fit it.

    The optimizers that were tried are read from the warnings of statsmodels.
    """

    def build_and_fit() -> Fit:
        built = full_rank(build())
        return mixedlm_fit(name, spec, used, built, built.model.fit(reml=bool(spec.reml), method=list(methods)))

    fit = fit_foreign("statsmodels", build_and_fit)
    tried = methods[: 1 + sum("Retrying MixedLM optimization" in c.text for c in fit.conditions)]
    return replace(fit, provenance=replace(fit.provenance, optimizer=", then ".join(tried)))
