"""What a user hands in: a model's specification, its control and its data."""

from lmerbridge.inputs.checks import ApproximateDdf, Ddf, check_count, check_ddf, check_level, check_seed
from lmerbridge.inputs.control import OPTIMIZERS, LmerControl
from lmerbridge.inputs.documents import check_type, document, parse_json, words
from lmerbridge.inputs.frames import Frame, pandas_frame
from lmerbridge.inputs.spec import ALLOWED, DoubleBar, NaAction, RowVector, Spec, Start
from lmerbridge.inputs.tables import read_table

__all__ = [
    "ALLOWED",
    "OPTIMIZERS",
    "ApproximateDdf",
    "Ddf",
    "DoubleBar",
    "Frame",
    "LmerControl",
    "NaAction",
    "RowVector",
    "Spec",
    "Start",
    "check_count",
    "check_ddf",
    "check_level",
    "check_seed",
    "check_type",
    "document",
    "pandas_frame",
    "parse_json",
    "read_table",
    "words",
]
