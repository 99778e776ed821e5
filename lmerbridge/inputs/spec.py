"""What is to be fitted: a formula, a frame, and the arguments lme4's lmer takes."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import Any, ClassVar, Literal, Self, TypeAlias, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from pandas.api.types import is_bool_dtype

from lmerbridge.errors import FormulaError, InvalidArgument, MissingColumns, amount
from lmerbridge.formula import CONTRASTS, VALUES, Call, Formula, Name, check_left, deparse, is_plain, parse
from lmerbridge.inputs import control
from lmerbridge.inputs.control import Control
from lmerbridge.results import LMM, Array, Design, Kind

RowVector: TypeAlias = str | Sequence[float] | NDArray[Any] | pd.Series | None
NaAction = Literal["omit", "exclude", "fail"]
DoubleBar = Literal["split", "diag_special"]
FactorContrasts: TypeAlias = Mapping[str, str | NDArray[Any] | pd.DataFrame]
Start: TypeAlias = Sequence[float] | Array | Mapping[str, Sequence[float] | Array]
WORDS = {"na_action": get_args(NaAction), "double_bar": get_args(DoubleBar), "contrasts": CONTRASTS}
OWN = ("data", "weights", "offset", "subset", "contrasts", "start", "control", "design")  # what can be changed in place
ALLOWED = re.compile(r"[A-Za-z][A-Za-z0-9.]*::(?:[A-Za-z]|\.(?![0-9]))[A-Za-z0-9._]*")


@dataclass(frozen=True, eq=False, kw_only=True)
class Spec:
    """One model to fit, the same for every engine.

    Attributes
    ----------
    formula : str
        R's formula text.
    data : DataFrame
    reml : bool
        REML (True) or maximum likelihood.
    weights, offset : column name, array of one number per row, or None
    subset : column name of booleans, boolean array of one value per row, or None
    na_action : {"omit", "exclude", "fail"} or None
        What happens to rows that lack a value. None is "omit" with a warning.
    contrasts : mapping of factor to the name of R's contrast function or to a matrix, or None
    start : array, mapping or None
        Starting theta, alone or as ``{"theta": ...}``.
    control : LmerControl, mapping or None
        Arguments of ``lme4::lmerControl``, as a mapping by R's names; ``optCtrl`` is a mapping of its own.
    allow : tuple of str
        Functions the formula may call beyond those it always may, as ``"package::function"``.
    double_bar : {"split", "diag_special"}
        What ``(x || g)`` means: a random term for each of its terms, or one with ``diag(x | g)``.
    design : Design or None
        The reference's own matrices, for engines that are to be tested on the estimator alone.
    kind : Kind
        Which kind of mixed model it is.
    """

    formula: str
    data: pd.DataFrame
    reml: bool = True
    weights: RowVector = None
    offset: RowVector = None
    subset: RowVector = None
    na_action: NaAction | None = None
    contrasts: FactorContrasts | None = None
    start: Start | None = None
    control: Control | Mapping[str, Any] | None = None
    allow: Sequence[str] = ()
    double_bar: DoubleBar = "split"
    design: Design | None = None
    kind: Kind = LMM

    vectors: ClassVar[tuple[str, ...]] = ("weights", "offset", "subset")  # arguments with a value per row

    def __post_init__(self) -> None:
        if not isinstance(self.formula, str):
            raise FormulaError(f"the formula is {self.formula!r}; text such as 'y ~ x + (1 | g)' is expected.")
        if not isinstance(self.data, pd.DataFrame):
            raise InvalidArgument(f"data is a {type(self.data).__name__}; a pandas DataFrame is expected.")
        if not isinstance(self.reml, bool | np.bool_):
            raise InvalidArgument(f"reml is {self.reml!r}; True (REML) or False (ML) is expected.")
        for argument, words in WORDS.items():
            object.__setattr__(self, argument, _spelled(getattr(self, argument), words))
        if not isinstance(self.na_action, str | None) or self.na_action not in (None, "omit", "exclude", "fail"):
            raise InvalidArgument(f"na_action is {self.na_action!r}; 'omit', 'exclude' or 'fail' is expected.")
        if not isinstance(self.double_bar, str) or self.double_bar not in ("split", "diag_special"):
            raise InvalidArgument(f"double_bar is {self.double_bar!r}; 'split' or 'diag_special' is expected.")
        for argument in ("contrasts", "control"):
            given = getattr(self, argument)
            if isinstance(given, getattr(control, self.kind.control)):
                continue
            if given is not None and not (isinstance(given, Mapping) and all(isinstance(key, str) for key in given)):
                kind = f"a {self.kind.control}, or " * (argument == "control")
                raise InvalidArgument(f"{argument} is {given!r}; {kind}a mapping with names for keys, is expected.")
        object.__setattr__(self, "allow", check_allow(self.allow))

    def copy(self) -> Spec:
        """Return the same model on data of its own.

        What is changed in it in place changes nothing here. pandas' copy-on-write alone does not see to that: a shallow
        copy's ``.array`` writes through.
        """
        return replace(self, **{name: deepcopy(getattr(self, name)) for name in OWN})

    @cached_property
    def parsed(self) -> Formula:
        """The formula as a value, its dot expanded to the other columns and its double bars as ``double_bar`` says.

        Raises
        ------
        FormulaError, UnsafeFormula
            It is no formula of such a model.
        InvalidArgument
            Its dot stands for a column that is not named by text.
        """
        formula = _read(self.formula, self.functions, self.own_values, self.kind.functions)
        formula = formula.expand_dot(text_names(self.data))
        return formula.diagonal() if self.double_bar == "diag_special" else formula

    @property
    def functions(self) -> tuple[str, ...]:
        """Functions that the formula may call beyond those it always may."""
        return (*self.allow, *self.kind.functions)

    @property
    def response_columns(self) -> tuple[str, ...]:
        """Names that the columns of the response have, or would have if they were columns of the data."""
        response = self.parsed.response
        whole = isinstance(response, Call) and response.function in self.kind.functions
        parts = response.args if isinstance(response, Call) and whole else (response,)
        return tuple(part.name if isinstance(part, Name) else deparse(part) for part in parts)

    def quick(self) -> Self:
        """Return a specification of the same design whose fit is quick: its estimates do not count."""
        return replace(self, control={**self.controls, "optimizer": None})

    @property
    def particulars(self) -> dict[str, bool | int | float | str | None]:
        """Arguments of the R function that fits such a model and no other."""
        return {"reml": bool(self.reml)}

    @property
    def own_values(self) -> frozenset[str]:
        """Columns that have the names of R's own values, ``T``, ``F`` and ``pi``, over which they win."""
        return VALUES.intersection(name for name in self.data.columns if isinstance(name, str))

    @property
    def controls(self) -> Mapping[str, Any]:
        """Arguments of ``lme4::lmerControl`` by R's names, none where the defaults hold."""
        return self.control or {} if isinstance(self.control, Mapping | None) else self.control.arguments()

    def per_row(self, argument: str) -> pd.Series | None:
        """Return one value per row of the frame for an argument given as a column name or an array, or None.

        Raises
        ------
        MissingColumns
            A name that the data lacks.
        InvalidArgument
            An array of another length than the frame, or a Series with another index; weights or an offset
            that are not numbers.
        """
        given: RowVector = getattr(self, argument)
        if given is None:
            return None
        values = self._column(argument, given) if isinstance(given, str) else self._row_vector(argument, given)
        if argument != "subset" and values.dtype.kind not in "iuf":
            raise InvalidArgument(f"{argument} has dtype {values.dtype}; numbers are expected.")
        return values.set_axis(range(len(self.data)))

    def _column(self, argument: str, name: str) -> pd.Series:
        if name not in self.data.columns:
            error = MissingColumns([name], self.data.columns, where=argument)
            if not is_plain(name):
                computed = "one value per row, as in 1 / data['z']"
                error.args = (f"{error} Text is the name of a column; {argument}= also takes an array of {computed}.",)
            raise error
        values = self.data[name]
        if isinstance(values, pd.DataFrame):
            raise InvalidArgument(f"{argument} is {name!r}, the name of several columns; rename all but one.")
        return values

    def _row_vector(self, argument: str, given: Sequence[float] | NDArray[Any] | pd.Series) -> pd.Series:
        if isinstance(given, pd.Series) and not given.index.equals(self.data.index):
            raise InvalidArgument(
                f"{argument} is a Series with another index than the data; align it first, "
                "or pass its values with .to_numpy()."
            )
        if np.ndim(given) != 1 or len(given) != len(self.data):
            raise InvalidArgument(
                f"{argument} has shape {np.shape(given)}; one value per row is expected, {len(self.data)} in all."
            )
        return pd.Series(given)

    def count_missing(self, variables: Iterable[str]) -> dict[str, int]:
        """Return the number of rows of the subset that lack a value, by column, weights and offset included."""
        columns = {name: self.data[name] for name in variables}
        arguments = (name for name in self.vectors if name != "subset")
        others = [name for name in arguments if not _is_in(getattr(self, name), columns)]
        columns |= {name: values for name in others if (values := self.per_row(name)) is not None}
        rows = self.rows_in_subset()
        counts = {name: int(values.isna().to_numpy()[rows].sum()) for name, values in columns.items()}
        return {name: count for name, count in counts.items() if count}

    @property
    def padded_rows(self) -> NDArray[np.int64] | None:
        """Positions of the rows that fitted values keep under ``na_action="exclude"``, else None."""
        return self.rows_in_subset() if self.na_action == "exclude" else None

    def rows_in_subset(self) -> NDArray[np.int64]:
        """Return the positions from 0 of the rows that ``subset`` picks, all where there is none."""
        mask = self.per_row("subset")
        if mask is None:
            return np.arange(len(self.data))
        if not is_bool_dtype(mask.dtype):
            raise InvalidArgument(
                f"subset has dtype {mask.dtype}; one boolean per row is expected, such as data.x > 0."
            )
        if mask.isna().any():
            raise InvalidArgument(
                f"subset lacks a value in {amount(int(mask.isna().sum()), 'row')}; each is to be True or False."
            )
        if not mask.any():
            raise InvalidArgument("subset picks no row; some must be True.")
        return np.flatnonzero(mask.to_numpy("bool"))


@lru_cache(maxsize=256)
def _read(text: str, functions: tuple[str, ...], values: frozenset[str], on_left: frozenset[str]) -> Formula:
    formula = parse(text, functions, values)
    check_left(formula.tree, on_left)
    return formula


def text_names(frame: pd.DataFrame) -> Iterator[str]:
    """Yield the names of a frame's columns, for a formula's ``.`` to stand for."""
    for name in frame.columns:
        if not isinstance(name, str) or name == ".":
            raise InvalidArgument(
                f"the formula's '.' stands for all other columns, and one is named {name!r}; "
                "rename the columns to text other than '.', or name those of the model."
            )
        yield name


def _is_in(given: RowVector, columns: Mapping[str, pd.Series]) -> bool:
    return isinstance(given, str) and given in columns


def check_allow(given: object) -> tuple[str, ...]:
    """Return functions that a formula may call, each as ``"package::function"``."""
    match given:
        case [*names] if all(isinstance(name, str) and ALLOWED.fullmatch(name) for name in names):
            return tuple(map(str, names))
    raise InvalidArgument(f"allow is {given!r}; a list of functions as 'package::function' is expected.")


def _spelled(given: Any, words: Iterable[str]) -> Any:  # noqa: ANN401  # checked after
    """Return a word, or each word of a mapping, as it is written among those expected, whatever its case."""
    if isinstance(given, Mapping):
        return {key: _spelled(value, words) for key, value in given.items()}
    return {word.casefold(): word for word in words}.get(given.casefold(), given) if isinstance(given, str) else given
