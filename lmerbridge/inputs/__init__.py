"""What a user hands in: a model's specification, its control and its data."""

from lmerbridge.inputs.checks import ApproximateDdf, Ddf, as_numbers, draw_seed
from lmerbridge.inputs.control import CROSSPRODUCT, OPTIMIZERS, GlmerControl, LmerControl, NlmerControl
from lmerbridge.inputs.documents import check_type, document, parse_json, words
from lmerbridge.inputs.frames import Frame, pandas_frame
from lmerbridge.inputs.glmerspec import GlmerNbSpec, GlmerSpec
from lmerbridge.inputs.hints import ATTRIBUTES, OF_GLMER, OF_NLMER, hint_of_argument, nearest, unknown_name
from lmerbridge.inputs.nlmerspec import NlmerSpec
from lmerbridge.inputs.signature import check_fields, check_keywords, check_methods, check_signature
from lmerbridge.inputs.spec import (
    ALLOWED,
    DoubleBar,
    FactorContrasts,
    NaAction,
    RowVector,
    Spec,
    Start,
    check_allow,
)
from lmerbridge.inputs.tables import read_table
from lmerbridge.inputs.types import as_typed

__all__ = [
    "ALLOWED",
    "ATTRIBUTES",
    "CROSSPRODUCT",
    "OF_GLMER",
    "OF_NLMER",
    "OPTIMIZERS",
    "ApproximateDdf",
    "Ddf",
    "DoubleBar",
    "FactorContrasts",
    "Frame",
    "GlmerControl",
    "GlmerNbSpec",
    "GlmerSpec",
    "LmerControl",
    "NaAction",
    "NlmerControl",
    "NlmerSpec",
    "RowVector",
    "Spec",
    "Start",
    "as_numbers",
    "as_typed",
    "check_allow",
    "check_fields",
    "check_keywords",
    "check_methods",
    "check_signature",
    "check_type",
    "document",
    "draw_seed",
    "hint_of_argument",
    "nearest",
    "pandas_frame",
    "parse_json",
    "read_table",
    "unknown_name",
    "words",
]
