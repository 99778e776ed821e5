"""R's terms in patsy's words: the text to give to it, and R's names for the columns it returns."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.errors import NotExpressible
from lmerbridge.formula import Name, Node, Terms, deparse
from lmerbridge.translate.transform import Variable

POLYNOMIALS = (".L", ".Q", ".C")
SUFFIXES: dict[str, Callable[[Sequence[str]], list[str]]] = {
    "contr.treatment": lambda levels: list(levels[1:]),
    "contr.sum": lambda levels: [str(i) for i in range(1, len(levels))],
    "contr.helmert": lambda levels: [str(i) for i in range(1, len(levels))],
    "contr.poly": lambda levels: [*POLYNOMIALS, *(f"^{i}" for i in range(4, len(levels)))][: len(levels) - 1],
}
PATSY_NAMES = {"contr.sum": "Sum", "contr.helmert": "Helmert", "contr.poly": "Poly"}


@dataclass(frozen=True, eq=False)
class Coded:
    """A design matrix made by patsy.

    Attributes
    ----------
    text : str
        The formula given to patsy.
    names : tuple of str
        R's names of the columns, in R's order.
    columns : ndarray, shape (n, k)
        In R's order.
    order : ndarray of int, shape (k,)
        Where patsy has each of them.
    """

    text: str
    names: tuple[str, ...]
    columns: NDArray[np.float64]
    order: NDArray[np.intp]


class Contrast:
    """One of patsy's contrasts, used where R uses contrasts: a factor without its margin gets indicators."""

    def __init__(self, name: str) -> None:
        import patsy

        self.contrast, self.indicators = getattr(patsy, name)(), patsy.Treatment()

    def code_with_intercept(self, levels: Sequence[str]) -> object:
        """Code a factor in full."""
        return self.indicators.code_with_intercept(levels)

    def code_without_intercept(self, levels: Sequence[str]) -> object:
        """Code a factor beside its margin."""
        return self.contrast.code_without_intercept(levels)


class Coding:
    """Variables as patsy is to see them.

    Parameters
    ----------
    variables : mapping of R's label to Variable

    Attributes
    ----------
    data : DataFrame
        A column a variable; of a matrix, a column each of its columns, named as R names them.
    """

    def __init__(self, variables: Mapping[str, Variable]) -> None:
        self.variables = variables
        self.pieces = {label: _pieces(label, values) for label, values in variables.items()}
        self.data = pd.DataFrame({key_of(name): v for piece in self.pieces.values() for name, v in piece.items()})

    @property
    def environment(self) -> dict[str, Contrast]:
        """What the texts refer to beside the data."""
        return {_python(kind): Contrast(name) for kind, name in PATSY_NAMES.items()}

    def matrix(self, terms: Terms, contrasts: Mapping[str, Any] | None = None) -> Coded:
        """Let patsy code the terms.

        Parameters
        ----------
        terms : Terms
        contrasts : mapping of factor to the name of R's contrast function or to a matrix
            Else polynomials for ordered factors, treatments for others.

        Raises
        ------
        NotExpressible
            A contrast function without a counterpart in patsy.
        """
        import patsy

        kinds = {deparse(node): self._kind(node, contrasts or {}) for product in terms.products for node in product}
        position: dict[frozenset[Any], int] = {frozenset(): -1}
        owners = {}
        texts = ["1" if terms.intercept else "0"]
        for i, product in enumerate(terms.products):
            labels = [deparse(node) for node in product]
            for names in itertools.product(*(self.pieces[label] for label in labels)):
                code = [_text(key_of(n), kinds[label]) for n, label in zip(names, labels, strict=True)]
                factors = [patsy.EvalFactor(text) for text in code]
                owners.update({f: (n, kinds[x]) for f, n, x in zip(factors, names, labels, strict=True)})
                position[frozenset(factors)] = i
                texts.append(":".join(code))
        environment = patsy.EvalEnvironment([self.environment])
        found = patsy.dmatrix(" + ".join(texts), self.data, environment, NA_action="raise")
        named = list(_names(found.design_info, position, owners))
        order = np.array(sorted(range(len(named)), key=lambda j: named[j][0]), dtype=np.intp)
        return Coded(" + ".join(texts), tuple(named[j][1] for j in order), np.asarray(found)[:, order], order)

    def _kind(self, node: Node, contrasts: Mapping[str, Any]) -> str:
        values = self.variables[deparse(node)]
        if not isinstance(values, pd.Categorical):
            return ""
        label = node.name if isinstance(node, Name) else deparse(node)
        kind = named_contrasts(label, contrasts.get(label, "contr.poly" if values.ordered else "contr.treatment"))
        if kind not in SUFFIXES:
            raise NotExpressible(f"the contrasts {kind!r} of {label} have no counterpart in patsy.")
        return kind


def named_contrasts(factor: str, given: object) -> str:
    """Return the name of R's contrast function, and refuse a matrix.

    Raises
    ------
    NotExpressible
    """
    if isinstance(given, str):
        return given
    raise NotExpressible(f"the contrasts of {factor} are a matrix, which only engines in R are given.")


def quote(key: str) -> str:
    """Name a column of the data in patsy's language: patsy evaluates it, so a name is always text in it, never code."""
    return f"Q({key!r})"


def key_of(name: str) -> str:
    """Name a column of the data so that it hides none of the names that texts use, such as ``C`` and ``Q``."""
    return f" {name}"


def _python(kind: str) -> str:
    return kind.replace(".", "_")


def _text(key: str, kind: str) -> str:
    return f"C({quote(key)}, {_python(kind)})" if kind in PATSY_NAMES else quote(key)


def _pieces(label: str, values: Variable) -> dict[str, Any]:
    """Columns by R's names."""
    if isinstance(values, pd.Categorical) or values.ndim == 1:
        return {label: values}
    return {f"{label}{j + 1}": values[:, j] for j in range(values.shape[1])}


def _names(
    info: Any,  # noqa: ANN401 - patsy has no types
    position: Mapping[frozenset[Any], int],
    owners: Mapping[Any, tuple[str, str]],
) -> Iterator[tuple[int, str]]:
    """Yield, for each of patsy's columns, the position of its term in R and its name there."""
    for term in info.terms:
        for coded in info.term_codings[term]:
            parts = [_parts(f, coded, info.factor_infos[f], *owners[f]) for f in coded.factors]
            for combination in itertools.product(*reversed(parts)):
                yield position[frozenset(term.factors)], ":".join(reversed(combination)) or "(Intercept)"


def _parts(factor: Any, coded: Any, info: Any, name: str, kind: str) -> list[str]:  # noqa: ANN401 - as above
    if info.type == "numerical":
        return [name]
    levels = [str(level) for level in info.categories]
    full = coded.contrast_matrices[factor].matrix.shape[1] == len(levels)
    return [name + suffix for suffix in (levels if full else SUFFIXES[kind](levels))]
