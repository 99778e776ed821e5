"""A small model as a script writes it: columns of a table, maps of levels, and groups."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
import pandas as pd

from lmerbridge.inputs import Spec
from lmerbridge.results import Array
from lmerbridge.translate import Block, Plain

NUMBERS = ("x", "z")
BASES = ((), ("x",), ("z",), ("x", "z"))  # products of numbers, which a map of a factor's levels multiplies
OWN = re.compile(r"\b(y_|v\d+_|g\d+_|z\d+_\d+_)(?!\w)")
ONES, EXACT = "ones", 1e-12


@dataclass(frozen=True)
class Term:
    """A random term: its columns, and the group of each row, as expressions of ``data``."""

    columns: tuple[str, ...]
    group: str


class Written:
    """A model in expressions of a table ``data``, and in formulas with its names.

    Parameters
    ----------
    spec : Spec
        Without missing values.
    """

    def __init__(self, spec: Spec) -> None:
        self.spec, self.plain = spec, Plain(spec)

    @property
    def fixed_columns(self) -> list[str]:
        """Columns of the fixed part, as R codes them."""
        return [self._expression(column) for column in self.plain.x.T]

    @property
    def terms(self) -> list[Term]:
        """Random terms in lme4's order."""
        return [Term(tuple(map(self._expression, block.columns.T)), self._group(block)) for block in self.plain.blocks]

    @cached_property
    def groups(self) -> list[str]:
        """A column of its own for the groups of each random term."""
        taken: list[str] = []
        for block in self.plain.blocks:
            name = block.group.replace(":", "_")
            taken.append(name + "_" * taken.count(name))
        return taken

    @property
    def derived(self) -> dict[str, str]:
        """Columns that a formula needs beside those of the data, with their expressions."""
        found = {
            name: self._group(block)
            for name, block in zip(self.groups, self.plain.blocks, strict=True)
            if name not in self.spec.data
        }
        for i, names in enumerate(self.plain.columns):
            for j, name in enumerate(names):
                if name.startswith("z"):
                    found[self._names[name]] = self._expression(self.plain.blocks[i].columns[:, j])
        return {name: expression for name, expression in found.items() if name not in self.spec.data}

    @property
    def formula(self) -> str:
        """The whole model in lme4's formula language, of ``data`` and the derived columns."""
        return self.renamed(self.plain.formula)

    @property
    def fixed(self) -> str:
        """The fixed part of that formula."""
        return self.renamed(self.plain.fixed())

    def fixed_coded(self, code: str) -> str:
        """The fixed part where factors with contrasts of their own are written by a template, such as ``C({}, {})``."""
        kinds = self.plain.contrasts()
        return self.renamed(self.plain.fixed(lambda name: code.format(name, kinds[name]) if name in kinds else name))

    @property
    def lefts(self) -> list[str]:
        """The left-hand sides of the random terms."""
        return [self.renamed(left) for left in self.plain.lefts]

    @property
    def bars(self) -> list[str]:
        """The random terms."""
        return [self.renamed(bar) for bar in self.plain.bars]

    @property
    def contrasts(self) -> dict[str, str]:
        """R's contrast functions by factor."""
        return {self.renamed(name): kind for name, kind in self.plain.contrasts().items()}

    def renamed(self, text: str) -> str:
        """Put the names of the data into a formula of plain names."""
        return OWN.sub(lambda found: self._names[found[0]], text)

    @cached_property
    def _names(self) -> dict[str, str]:
        names = {"y_": "y", **self.plain.names, **{f"g{i}_": name for i, name in enumerate(self.groups)}}
        for i, block in enumerate(self.plain.blocks):
            for j in range(block.width):
                text = self._expression(block.columns[:, j])
                known = re.fullmatch(r'data\["(\w+)"\]', text)
                names[f"z{i}_{j}_"] = known[1] if known else f"{self.groups[i]}_{j}"
        return names

    def _group(self, block: Block) -> str:
        return ' + ":" + '.join(f'data["{name}"]' for name in block.group.split(":"))

    def _expression(self, values: Array) -> str:
        """Write a column: numbers, times what the levels of a factor stand for."""
        data = self.spec.data
        for base in BASES:
            if not all(name in data for name in base):
                continue
            product = np.prod([data[name].to_numpy(float) for name in base], axis=0) if base else np.ones(len(data))
            factors = [f'data["{name}"]' for name in base]
            if np.array_equal(values, product):
                return " * ".join(factors) or ONES
            if "f" in data and (levels := _levels(values, product, data["f"])):
                return " * ".join([*factors, f'data["f"].map({levels!r})'])
        return f"np.array({values.tolist()!r})"


def _levels(values: Array, base: Array, factor: pd.Series) -> dict[str, float]:
    """What each level multiplies a column by, empty where none does."""
    found: dict[str, float] = {}
    for level in sorted(factor.unique()):
        rows = (factor == level).to_numpy() & (base != 0)
        ratio = values[rows] / base[rows]
        if len(ratio) == 0 or np.ptp(ratio) > EXACT:
            return {}
        found[str(level)] = float(ratio[0])
    return found if np.allclose(values, base * factor.map(found).to_numpy(float), rtol=EXACT, atol=0) else {}


def without_offset(spec: Spec) -> Spec:
    """The model whose response has its offset taken off."""
    offset = spec.per_row("offset")
    return spec if offset is None else replace(spec, offset=None, data=spec.data.assign(y=spec.data["y"] - offset))
