"""Random parts that are simpler than a model's: without correlations, without its smallest component."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lmerbridge.formula import ONE, Bar, Call, Constant, Formula, Node, Number, deparse, expand, join_trees
from lmerbridge.inputs import Spec
from lmerbridge.results import CovarianceBlock, Design, Fit, RandomTerm

Bars = tuple[Bar, ...]
Product = tuple[Node, ...]  # the variables of one term; none for the intercept
ZERO = 1e-8  # of the residual variance: what lme4's limit of 1e-4 of its root calls zero
BASES = ("poly", "ns", "bs")  # whose columns are numbers, several of them


@dataclass(frozen=True)
class Component:
    """One term of a random term: its variables, none for the intercept, and its columns among the block's."""

    bar: Bar
    product: Product
    columns: tuple[int, ...]

    @property
    def name(self) -> str:
        """The component as a random term of a formula."""
        lhs, group = (":".join(map(deparse, nodes)) for nodes in (self.product, self.bar.group))
        return f"({lhs or '1'} | {group})"


def without_correlations(fit: Fit, formula: Formula) -> tuple[Bar, ...] | None:
    """Return the random terms with each component a term of its own, None where none can be parted.

    A factor's columns stay together: `0 + f` has one more of them beside an intercept, which is no simpler model.
    """
    blocks = _pairs(fit, formula)
    parted = [_part(bar, next((block for other, block in blocks if other is bar), None)) for bar in formula.random]
    found = tuple(bar for bars in parted for bar in bars)
    return found if len(found) > len(parted) else None


def _part(bar: Bar, block: CovarianceBlock | None) -> list[Bar]:
    products = products_of(bar)
    if (
        block is None
        or bar.kind != "us"
        or len(products) < 2
        or not all(_is_numeric(product, block) for product in products)
    ):
        return [bar]
    return [replace(bar, lhs=_lhs([product])) for product in products]


def smallest_component(fit: Fit, formula: Formula, design: Design) -> Component | None:
    """Return the component to leave out: one of zero, or else the slope that contributes least, or an intercept.

    A component stays where a product of its variables and others varies by the same group. An intercept stays where
    it is correlated with slopes, and, unless it is zero, where there is a slope by the same group.
    """
    sizes: dict[Component, float] = {}
    for bar, block in _pairs(fit, formula):
        term = _term_of(design, block)
        sizes |= {component: _contribution(component, block, term) for component in _components(bar, block)}
    zeros = [c for c, size in sizes.items() if size <= ZERO * fit.sigma**2 and _may_go(c, sizes)]
    slopes = [c for c in sizes if c.product and _may_go(c, sizes)]
    alone = [c for c in sizes if not any(o.product and o.bar.group == c.bar.group for o in sizes)]
    allowed = zeros or slopes or alone
    return min(allowed, key=sizes.__getitem__) if allowed else None


def without_component(formula: Formula, component: Component) -> tuple[Bar, ...]:
    """Return the random terms without a component, a factor without an intercept replaced by one."""
    others = [bar for bar in formula.random if bar != component.bar]
    left = [product for product in products_of(component.bar) if product != component.product]
    intercept = any(bar.group == component.bar.group and () in products_of(bar) for bar in others)
    if left and component.bar.kind in ("us", "diag"):
        smaller = [replace(component.bar, lhs=_lhs(left))]
    elif component.bar.kind == "us" and len(component.columns) > 1 and not (intercept or _is_basis(component.product)):
        smaller = [replace(component.bar, lhs=ONE)]
    else:
        smaller = []
    at = formula.random.index(component.bar)
    return (*formula.random[:at], *smaller, *(bar for bar in formula.random[at:] if bar != component.bar))


def with_random(spec: Spec, bars: Iterable[Bar]) -> Spec:
    """Return the specification with other random terms, from lme4's own start, without contrasts of unused factors."""
    formula = spec.parsed
    right = join_trees("+", [formula.fixed, *map(_node, bars)])
    changed = replace(spec, formula=deparse(Call("~", (formula.response, right))), start=None)
    if not spec.contrasts:
        return changed
    used = changed.parsed.variables
    return replace(changed, contrasts={name: given for name, given in spec.contrasts.items() if name in used} or None)


def products_of(bar: Bar) -> list[Product]:
    """Return the components of a random term by their variables, none for the intercept."""
    terms = expand(bar.lhs)
    return [()] * terms.intercept + list(terms.products)


def _pairs(fit: Fit, formula: Formula) -> list[tuple[Bar, CovarianceBlock]]:
    """Return each random term of the formula and its block, which lme4 puts into another order.

    Terms with longer names choose first, since the columns of a factor `f` begin as those of `f2` do. A term whose
    columns cannot be told by their names has none.
    """
    left = list(fit.varcorr)
    pairs: dict[int, CovarianceBlock] = {}
    for i in sorted(range(len(formula.random)), key=lambda i: -len(deparse(formula.random[i].lhs))):
        found = [block for block in left if _is_of(block, formula.random[i])]
        if found:
            pairs[i] = max(found, key=lambda block: _exact(block, formula.random[i]))
            left.remove(pairs[i])
    return [(formula.random[i], pairs[i]) for i in sorted(pairs)]


def _exact(block: CovarianceBlock, bar: Bar) -> int:
    """Return how many columns are named as a component of the term."""
    names = {_label(product) for product in products_of(bar)}
    return sum(term.replace("`", "") in names for term in block.terms)


def _is_of(block: CovarianceBlock, bar: Bar) -> bool:
    products = products_of(bar)
    intercept = "(Intercept)" in block.terms
    owned = [term for product in products for term in block.terms if _owns(product, term)]
    return block.group == bar.group_name and intercept == (() in products) and set(owned) == set(block.terms)


def _owns(product: Product, term: str) -> bool:
    """Whether a column is of a term, by its name: ``fb:x`` is of ``f:x``."""
    if not product:
        return term == "(Intercept)"
    parts = term.replace("`", "").split(":")
    names = [deparse(node).replace("`", "") for node in product]
    return len(parts) == len(names) and all(part.startswith(name) for part, name in zip(parts, names, strict=True))


def _components(bar: Bar, block: CovarianceBlock) -> list[Component]:
    """Return the components of a random term, none where their columns cannot be told by their names."""
    if bar.kind in ("cs", "ar1"):
        return [Component(bar, products_of(bar)[-1], tuple(range(len(block.terms))))]
    taken: set[int] = set()
    found = []
    for product in sorted(products_of(bar), key=lambda product: -len(_label(product))):  # `xy` before `x`
        columns = tuple(i for i, term in enumerate(block.terms) if i not in taken and _owns(product, term))
        taken.update(columns)
        found.append(Component(bar, product, columns))
    return found if all(component.columns for component in found) else []


def _may_go(component: Component, others: Iterable[Component]) -> bool:
    same = [other for other in others if other.bar.group == component.bar.group and other != component]
    if not component.product:
        return not any(other.bar == component.bar for other in same)
    return not any(set(component.product) < set(other.product) for other in same)


def _contribution(component: Component, block: CovarianceBlock, term: RandomTerm) -> float:
    """Return the variance that a component gives the response, as a mean over rows; of a slope about its mean."""
    import scipy.sparse as sp  # slow to load

    ones = np.ones((len(term.levels), 1))
    picked = [sp.kron(ones, sp.eye_array(term.width).tocsc()[:, [column]]) for column in component.columns]
    columns = np.hstack([(term.z @ pick).toarray() for pick in picked])
    centred = columns - columns.mean(axis=0) if component.product else columns
    covariance = block.covariance[np.ix_(component.columns, component.columns)]
    return float(np.einsum("ni,ij,nj->", centred, covariance, centred)) / len(columns)


def _term_of(design: Design, block: CovarianceBlock) -> RandomTerm:
    return next(term for term in design.random if (term.group, term.terms) == (block.group, block.terms))


def _is_numeric(product: Product, block: CovarianceBlock) -> bool:
    """Whether the columns of a term are numbers, and no indicators of a factor's levels."""
    return not product or _is_basis(product) or _label(product) in [term.replace("`", "") for term in block.terms]


def _is_basis(product: Product) -> bool:
    return any(isinstance(node, Call) and node.function in BASES for node in product)


def _label(product: Product) -> str:
    return ":".join(deparse(node).replace("`", "") for node in product)


def _lhs(products: Sequence[Product]) -> Node:
    slopes = [join_trees(":", product) for product in products if product]
    first = ONE if () in products else Number("0")
    return join_trees("+", [first, *slopes])


def _node(bar: Bar) -> Node:
    term = Call("|", (bar.lhs, join_trees(":", bar.group)))
    if bar.kind == "us":
        return Call("(", (term,))
    hom = Constant("TRUE" if bar.hom else "FALSE")
    return Call(bar.kind, (term, hom), (None, "hom"))
