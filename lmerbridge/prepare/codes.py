"""Levels of nested factors under labels that name one unit each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs import Frame, check_signature, pandas_frame
from lmerbridge.prepare.columns import ESCAPE, Prepared, check_columns, check_new, groups_of


@dataclass(frozen=True, eq=False)
class Codes(Prepared):
    """A frame with a column of levels that keep their parents.

    Attributes
    ----------
    frame : DataFrame
        The frame given, with the new column, a categorical, at its end.
    name : str
        Of the new column.
    levels : DataFrame
        One row per level, in their order: its ``code`` from 1, its ``label``, its parts under the names of their
        columns, and its ``rows``.
    """

    name: str
    levels: pd.DataFrame

    def __str__(self) -> str:
        return f"{self.name}: {len(self.levels)} levels\n{self.levels.to_string(index=False)}"

    __repr__ = __str__

    @property
    def codes(self) -> pd.Series:
        """The levels as whole numbers from 1, in their order, missing where a part is."""
        codes = np.asarray(self.frame[self.name].cat.codes, np.int64)
        return pd.Series(codes + 1, self.frame.index, name=self.name).astype("Int64").mask(codes < 0)


@check_signature
def code_levels(frame: Frame, columns: Sequence[str], *, name: str | None = None, sep: str = "/") -> Codes:
    """Make labels that name one unit each of labels that repeat in each parent: no R is started.

    Parameters
    ----------
    frame : DataFrame
    columns : sequence of str
        Two columns or more that group, the outermost first: ``["school", "class"]``.
    name : str, optional
        Of the new column. The default joins the names: ``"school/class"`` is ``school_class``.
    sep : str
        Between the parts of a label. Where a part holds its first character, a backslash stands before that, so that
        two units never share a label.

    Returns
    -------
    Codes
        The levels are ordered by the outermost column, then by the next, each in its own order. They are no ordered
        factor: a fixed effect of it has treatment contrasts.

    Raises
    ------
    MissingColumns
        The frame lacks a column.
    InvalidArgument
        Fewer than two columns, a new column that is there already, or an empty ``sep``.

    Source: what ``(1 | school/class)`` groups by, as a column.

    Examples
    --------
    >>> import pandas as pd
    >>> pupils = pd.DataFrame({"school": ["b", "a", "a"], "class": [1, 2, 1]})
    >>> code_levels(pupils, ["school", "class"]).frame
      school  class school_class
    0      b      1          b/1
    1      a      2          a/2
    2      a      1          a/1
    """
    data = pandas_frame(frame)
    names = check_columns(data, columns, "columns")
    if len(names) < 2:
        raise InvalidArgument(f"columns is {names!r}; two columns or more are expected, the outermost first.")
    if not sep or ESCAPE in sep:
        raise InvalidArgument(f"sep is {sep!r}; text without a backslash is expected, such as '/'.")
    new = "_".join(names) if name is None else name
    if not new:
        raise InvalidArgument("name is empty; the name of a column is expected.")
    check_new(data, [new], "give name=")
    parts = [groups_of(data, [each]) for each in names]
    whole = groups_of(data, names, sep)
    first = np.unique(whole.codes[whole.there], return_index=True)[1]
    rows = np.flatnonzero(whole.there)[first]
    pieces = {each: [part.labels[code] for code in part.codes[rows]] for each, part in zip(names, parts, strict=True)}
    told = {"code": range(1, len(rows) + 1), "label": list(whole.labels), **pieces, "rows": whole.sizes}
    coded = pd.Categorical.from_codes(whole.codes, pd.Index(whole.labels, dtype=object))
    return Codes(data.assign(**{new: coded}), new, pd.DataFrame(told))
