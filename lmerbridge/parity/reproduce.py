"""Scripts that show a finding on their own, in R and in Python, with nothing left out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import astuple, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from lmerbridge.bridge import ClassVector, Factor, Logical, Value, contrasts, encode_table
from lmerbridge.engines import RECORDED
from lmerbridge.errors import InvalidArgument
from lmerbridge.files import write_files
from lmerbridge.inputs import GlmerSpec, Spec
from lmerbridge.parity.cases import FILE, REFERENCES, Case
from lmerbridge.parity.quantities import QuantityRow
from lmerbridge.results import LMM, Family, Fit, Kind, read_family

MISSING = "<NA>"
DATA = "finding.csv"
SHAPELESS = "negative.binomial"  # its shape is estimated
Given = Sequence[tuple[str, str]]


class Exhibit(Protocol):
    """Two fits as a script shows them.

    `verdict.Comparison` is one. It stands above this module, so that a comparison can write its own scripts.
    """

    @property
    def reference(self) -> str:
        """Name of the engine that is the reference."""

    @property
    def candidate(self) -> str:
        """Name of the engine under test."""

    @property
    def reml(self) -> bool:
        """Whether the criterion is that of REML."""

    @property
    def reason(self) -> str:
        """Why the verdict is what it is."""

    @property
    def candidate_theta(self) -> tuple[float, ...]:
        """The candidate's theta in the reference's order."""

    @property
    def rows(self) -> tuple[QuantityRow, ...]:
        """The numbers of both, by their names in R."""

    @property
    def reference_fit(self) -> Fit | None:
        """The reference's fit, where it gave one."""


@dataclass(frozen=True)
class FitCall:
    """What a script fits: a formula, columns of the data by the names of arguments, and how factors are coded.

    A linear model has no family. That of a negative binomial model whose shape is estimated is ``negative.binomial``.
    """

    formula: str
    given: Given
    coding: Mapping[str, Value]
    family: str | Family = ""
    n_agq: int = 1


def r_code(case: Case, comparison: Exhibit) -> str:
    """R alone: lme4's fit, and lme4's own objective at the candidate's theta."""
    return _r_script(_r_data(case, comparison), comparison, _call(case))


def python_code(case: Case, comparison: Exhibit) -> str:
    """The same comparison through this package."""
    place = f"load_dataset({case.dataset!r}, {case.package!r})"
    if case.package == FILE:
        data = [
            "import pandas as pd",
            "from lmerbridge import compare",
            f"data = pd.read_csv({Path(case.dataset).name!r})",
        ]
    elif comparison.reference.startswith(RECORDED):
        data = ["from lmerbridge import compare", "from lmerbridge.engines import find", ""]
        data.append(f"data = find({comparison.reference!r}).{place}")
    else:
        data = ["from lmerbridge import compare, load_dataset", f"data = {place}"]
    if case.rows:
        data.append(f"data = data.query({case.rows!r})")
    return _python_script(data, comparison, _call(case))


def _call(case: Case) -> FitCall:
    given = [(name, column) for name, column in (("weights", case.weights), ("offset", case.offset)) if column]
    return FitCall(case.formula, given, dict(case.contrasts), case.family, case.n_agq)


def reproduce(comparison: Exhibit, spec: Spec, language: Literal["r", "python"], folder: str | Path = ".") -> Path:
    """Write a script and a data file that show a finding with nothing else.

    Parameters
    ----------
    comparison : Exhibit
    spec : Spec
        What was fitted.
    language : {"r", "python"}
        R needs lme4 only: it shows lme4's fit, and lme4's objective at the candidate's estimates.
    folder : path
        Where ``finding.R`` or ``finding.py``, and ``finding.csv``, go.

    Returns
    -------
    Path
        The script; it is to be run in its folder.
    """
    if language not in ("r", "python"):
        raise InvalidArgument(f"the language is {language!r}; 'r' or 'python' is expected.")
    arguments: tuple[Literal["weights", "offset"], ...] = ("weights", "offset")
    given = {argument: values for argument in arguments if (values := spec.per_row(argument)) is not None}
    frame = spec.data[list(spec.parsed.variables)].reset_index(drop=True)
    frame = frame.assign(**{f"{argument}_": np.asarray(values) for argument, values in given.items()})
    frame = frame.iloc[spec.rows_in_subset()]
    columns = _columns(spec, frame, [f"{argument}_" for argument in given])
    table = pd.DataFrame({name: _plain(value) for name, value in columns.items()})
    script = Path(folder, "finding.R" if language == "r" else "finding.py")
    write: Callable[..., str] = _r_script if language == "r" else _python_script
    data = list(_r_columns(columns) if language == "r" else _python_columns(columns))
    text = write(data, comparison, _call_of(spec, columns, [(argument, f"{argument}_") for argument in given]))
    write_files({Path(folder, DATA): table.to_csv(index=False, na_rep=MISSING), script: text})
    return script


def r_fit(spec: Spec, file: str) -> tuple[list[str], str]:
    """Return lines of R that fit a model of a file to ``m``, and R's expression of its criterion.

    Weights and an offset are columns of the data, which has no other columns than the model's.
    """
    given = [(name, column) for name in ("weights", "offset") if isinstance(column := getattr(spec, name), str)]
    columns = _columns(spec, spec.data, [column for _, column in given])
    columns = {name: columns[name] for name in map(str, spec.data)}
    fit, criterion = _r_model(LMM, bool(spec.reml), _call_of(spec, columns, given))
    return ["library(lme4)", *_r_columns(columns, file), *fit], criterion


def _columns(spec: Spec, frame: pd.DataFrame, numbers: Sequence[str]) -> dict[str, Value]:
    """The columns of a formula as R is to have them, and others that are numbers."""
    return {**encode_table(frame, spec.parsed).columns, **{name: frame[name].to_numpy(float) for name in numbers}}


def _call_of(spec: Spec, columns: Mapping[str, Value], given: Given) -> FitCall:
    formula = spec.parsed
    coding = contrasts(spec.contrasts, formula, columns, np.arange(len(spec.rows_in_subset())))
    generalized = (_plain_family(spec.family), spec.n_agq) if isinstance(spec, GlmerSpec) else ()
    return FitCall(formula.text, given, coding, *generalized)


def _plain_family(family: str | Family) -> str | Family:
    """A family as text where `read_family` understands it."""
    if isinstance(family, Family) and family.theta is not None:
        return f"{family.name}({family.theta!r})" if family.link == "log" else family
    return str(family)


def _plain(value: Value) -> object:
    """A column as the file holds it: numbers, TRUE and FALSE, or labels."""
    match value:
        case Factor():
            return [value.labels[code] if code >= 0 else None for code in value.codes]
        case Logical():
            return [None if code < 0 else "TRUE" if code else "FALSE" for code in value.codes]
        case ClassVector():
            return value.values
    return value


def _r_columns(values: Mapping[str, Value], file: str = DATA) -> Iterator[str]:
    kinds = ", ".join(f'"{_r_class(value)}"' for value in values.values())
    yield f'd <- read.csv("{file}", check.names = FALSE, na.strings = "{MISSING}", encoding = "UTF-8",'
    yield f"              colClasses = c({kinds}))"
    for name, value in values.items():
        column = f"d[[{_r_text(name)}]]"
        if isinstance(value, Factor):
            levels = ", ".join(map(_r_text, value.labels))
            yield f"{column} <- factor({column}, c({levels}){', ordered = TRUE' * value.ordered})"
        elif isinstance(value, ClassVector):
            classes = ", ".join(map(_r_text, value.classes))
            more = "".join(f", {key} = {_r_text(text)}" for key, text in value.attributes.items())
            yield f"{column} <- structure({column}, class = c({classes}){more})"


def _r_class(value: Value) -> str:
    return "character" if isinstance(value, Factor) else "logical" if isinstance(value, Logical) else "numeric"


def _r_text(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'


def _python_columns(values: Mapping[str, Value]) -> Iterator[str]:
    yield "import pandas as pd"
    yield "from lmerbridge import compare"
    texts = {name: "str" for name, value in values.items() if isinstance(value, Factor | Logical)}
    yield f'data = pd.read_csv("{DATA}", keep_default_na=False, na_values=[{MISSING!r}], dtype={texts!r},'
    yield '                   float_precision="round_trip")'
    for name, value in values.items():
        column = f"data[{name!r}]"
        if isinstance(value, Factor):
            yield f"{column} = pd.Categorical({column}, {list(value.labels)!r}, ordered={value.ordered})"
        elif isinstance(value, Logical):
            yield f'{column} = {column}.map({{"TRUE": True, "FALSE": False}}).astype("boolean")'
        elif isinstance(value, ClassVector):
            unit = "D" if value.classes[0] == "Date" else "s"
            convert = "pd.to_timedelta" if value.classes[0] == "difftime" else "pd.to_datetime"
            yield f"{column} = {convert}({column}, unit={unit!r})"


def _r_script(data: Sequence[str], comparison: Exhibit, call: FitCall) -> str:
    kind = comparison.reference_fit.kind if comparison.reference_fit else LMM
    fit, criterion = _r_model(kind, comparison.reml, call)
    lines = ["library(lme4)", *data, *fit, f"{criterion}  # {_criterion(comparison)}"]
    if point := _point(comparison, call):
        lines += [
            "objective <- update(m, devFunOnly = TRUE)",
            f"objective(c({point})) - {criterion}  # what {comparison.candidate} lies above lme4",
        ]
    return "\n".join(lines) + "\n"


def _r_model(kind: Kind, reml: bool, call: FitCall) -> tuple[list[str], str]:
    """The lines that fit a model, and its criterion."""
    more = "".join(f", {argument} = {column}" for argument, column in call.given)
    if call.coding:
        coded = ", ".join(f"`{name}` = {_r_contrasts(coding)}" for name, coding in call.coding.items())
        more += f", contrasts = list({coded})"
    if call.family:
        return _r_generalized(call, more)
    return [f"m <- lmer({call.formula}, d, REML = {str(reml).upper()}{more})"], f"{kind.criteria[reml]}(m)"


def _r_generalized(call: FitCall, more: str) -> tuple[list[str], str]:
    """The same, PIRLS as tight as it comes to rest, so that the criterion is that of the estimates."""
    more = (f", nAGQ = {call.n_agq}" if call.n_agq != 1 else "") + more
    name, link, theta = ("", "", None) if call.family == SHAPELESS else astuple(read_family(call.family))
    family = f"{name}({_r_text(link)})" if theta is None else f"MASS::{name}({theta!r}, {_r_text(link)})"
    given = f"{call.formula}, d{f', {family}' if name else ''}{more}, control = glmerControl(tolPwrss = tolerance)"
    lines = [
        "for (tolerance in 10^-(13:7)) {",
        f"  m <- tryCatch({'glmer' if name else 'glmer.nb'}({given}), error = identity)",
        '  if (!inherits(m, "error")) break',
        "}",
        'if (inherits(m, "error")) stop(m)',
    ]
    return lines, "c(-2 * logLik(m))"


def _point(comparison: Exhibit, call: FitCall) -> str:
    """The candidate's theta, and its fixed effects beside it where they are searched for too."""
    theta = comparison.candidate_theta
    if call.family == SHAPELESS:  # the objective has lme4's shape in it
        return ""
    if not call.family or not theta:
        return ", ".join(map(repr, theta))
    fixed = [row.candidate for row in comparison.rows if row.quantity.startswith("fixef[")]
    return ", ".join(map(repr, (*theta, *fixed))) if fixed and all(map(math.isfinite, fixed)) else ""


def _python_script(data: Sequence[str], comparison: Exhibit, call: FitCall) -> str:
    more = f", family={call.family!r}" if call.family else f", reml={comparison.reml}"
    more += f", n_agq={call.n_agq}" if call.n_agq != 1 else ""
    more += "".join(f", {argument}={column!r}" for argument, column in call.given)
    if call.coding:
        coded = ", ".join(f"{name!r}: {_python_contrasts(coding)}" for name, coding in call.coding.items())
        more += f", contrasts={{{coded}}}"
    usual = REFERENCES["generalized" if call.family else "linear"]
    more += f", reference={comparison.reference!r}" if comparison.reference != usual else ""
    lines = [
        *data,
        *(["from lmerbridge import Family"] if isinstance(call.family, Family) else []),
        f"result = compare({call.formula!r}, data, candidate={comparison.candidate!r}{more})",
        "print(result.explain())",
        "print(result.frame.to_string())",
    ]
    return "\n".join(lines) + "\n"


def _r_contrasts(given: Any) -> str:  # noqa: ANN401  # text, or a matrix as R is sent it
    if isinstance(given, str):
        return _r_text(given)
    values, names = ", ".join(map(repr, given["values"].tolist())), ", ".join(map(_r_text, given["names"]))
    named = f", dimnames = list(NULL, c({names}))" if names else ""
    return f"matrix(c({values}), ncol = {given['columns']}{named})"


def _python_contrasts(given: Any) -> str:  # noqa: ANN401  # the same
    if isinstance(given, str):
        return repr(given)
    rows = given["values"].reshape(-1, given["columns"], order="F").tolist()
    return f"pd.DataFrame({rows!r}{', columns=' + repr(given['names']) if given['names'] else ''})"


def _criterion(comparison: Exhibit) -> str:
    fit = comparison.reference_fit
    return repr(fit.criterion) if fit else comparison.reason


def _r_data(case: Case, comparison: Exhibit) -> list[str]:
    """Return the lines of R that load the case's rows.

    Rows that a query of pandas picks are named by their positions.
    """
    if case.package == "statsmodels":
        load = [f'd <- read.csv("{case.dataset}.csv")  # statsmodels/regression/tests/results/{case.dataset}.csv']
    elif case.package == FILE:
        load = [f"d <- read.csv({_r_text(Path(case.dataset).name)}, stringsAsFactors = TRUE)"]
    elif case.package == "lmerbridge":
        load = [
            f'd <- read.csv("{case.dataset}.csv", stringsAsFactors = TRUE)  # written in Python by',
            f'# lmerbridge.load_dataset("{case.dataset}", "lmerbridge").to_csv("{case.dataset}.csv", index=False)',
        ]
    else:
        load = [f'data("{case.dataset}", package = "{case.package}")', f"d <- as.data.frame({case.dataset})"]
    if case.rows:
        fit = comparison.reference_fit  # it knows the rows where there is no R to load the data
        load.append(f"d <- d[c({_rows(fit.index)}), ]" if fit else f"# the rows that pandas picks by {case.rows}")
    return load


def _rows(index: pd.Index[Any]) -> str:
    """Write the rows of a data set of R, by their names where they have some and else by their positions."""
    named = not pd.api.types.is_integer_dtype(index.dtype)
    return ", ".join(map(_r_text, index)) if named else _ranges((index + 1).to_list())


def _ranges(positions: list[int]) -> str:
    """Write positions as R's ranges.

    Examples
    --------
    >>> _ranges([1, 2, 3, 7, 9, 10])
    '1:3, 7, 9:10'
    """
    parts: list[list[int]] = []
    for position in positions:
        if parts and position == parts[-1][-1] + 1:
            parts[-1].append(position)
        else:
            parts.append([position])
    return ", ".join(str(p[0]) if len(p) == 1 else f"{p[0]}:{p[-1]}" for p in parts)
