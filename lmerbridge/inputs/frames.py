"""Frames of other libraries (polars, pyarrow, duckdb, ...) as pandas ones, through Arrow's own interface.

Not through narwhals, whose `to_pandas` turns integers with a missing one into doubles: an Arrow-backed frame keeps
every value and type, and what is not used is not copied.
"""

from __future__ import annotations

from typing import Annotated, Any, Protocol, TypeAlias, runtime_checkable

import pandas as pd

from lmerbridge.errors import InvalidArgument
from lmerbridge.setup.extras import import_extra


@runtime_checkable
class ArrowStream(Protocol):
    """A frame that exports its columns as Arrow's C stream."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object: ...


Frame: TypeAlias = Annotated[pd.DataFrame | ArrowStream, "see `pandas_frame`"]


def pandas_frame(data: object) -> pd.DataFrame:
    """Return a frame of any library as a pandas one.

    A pandas frame is returned as it is.

    Parameters
    ----------
    data : DataFrame, or object with ``__arrow_c_stream__``

    Returns
    -------
    DataFrame
        Its columns are Arrow's own memory; only polars' text is copied, whose layout pandas cannot read. polars'
        Categorical is text as well: its categories have no order but the alphabet's.

    Raises
    ------
    InvalidArgument
        It is no frame, or Arrow has no form for one of its columns.
    SetupError
        It is not of pandas, and pyarrow is not installed.

    Examples
    --------
    >>> import pyarrow
    >>> pandas_frame(pyarrow.table({"x": [1, None]})).dtypes["x"]
    int64[pyarrow]
    """
    if isinstance(data, pd.DataFrame):
        return data
    if not isinstance(data, ArrowStream):
        kind = type(data).__name__
        raise InvalidArgument(
            f"data is a {kind}; a DataFrame of pandas, polars or any library that speaks Arrow is expected"
            f"{': .collect() it first.' if hasattr(data, 'collect') else '.'}"
        )
    pa = import_extra("pyarrow", "arrow", f"data as a {type(data).__name__}")
    try:
        frame: pd.DataFrame = _readable(pa.table(data), pa).to_pandas(types_mapper=pd.ArrowDtype, ignore_metadata=True)
    except (pa.ArrowException, TypeError, ValueError, NotImplementedError) as error:
        told = f"data is a {type(data).__name__}, which Arrow cannot read as a table ({error})"
        raise InvalidArgument(f"{told}; a DataFrame is expected.") from error
    return frame


def _readable(table: Any, pa: Any) -> Any:  # noqa: ANN401  # pyarrow's, which has no types
    """Return a table with text in the layout that pandas reads.

    polars' Categorical becomes text.
    """

    def plain(kind: Any) -> Any:  # noqa: ANN401
        if pa.types.is_dictionary(kind):
            return pa.dictionary(kind.index_type, plain(kind.value_type), kind.ordered)
        return pa.large_string() if str(kind) == "string_view" else kind

    fields = [field.with_type(plain(field.type)) for field in table.schema]
    texts = [field.with_type(field.type.value_type) if _is_categorical(field) else field for field in fields]
    return table.cast(pa.schema(fields)).cast(pa.schema(texts))


def _is_categorical(field: Any) -> bool:  # noqa: ANN401
    return any(key.startswith(b"_PL_CATEGORICAL") for key in field.metadata or ())
