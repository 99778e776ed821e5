"""A model formula as a value, read without R."""

from lmerbridge.formula.allowed import check_left
from lmerbridge.formula.change import hide_comparisons, read_change, show_comparisons
from lmerbridge.formula.formula import Formula, parse, parse_fixed, parse_list, parse_right
from lmerbridge.formula.nonlinear import SELF_STARTING, Nonlinear, parse_nonlinear
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import ONE, Bar, write_out
from lmerbridge.formula.syntax import (
    CONTRASTS,
    FUNCTIONS,
    VALUES,
    Call,
    Constant,
    Name,
    Node,
    Number,
    String,
    abbreviate,
    deparse,
    fold,
    is_plain,
    join_trees,
    number_text,
    source,
    tree_names,
    walk,
)
from lmerbridge.formula.terms import Terms, expand

__all__ = [
    "CONTRASTS",
    "FUNCTIONS",
    "ONE",
    "SELF_STARTING",
    "VALUES",
    "Bar",
    "Call",
    "Constant",
    "Formula",
    "Name",
    "Node",
    "Nonlinear",
    "Number",
    "String",
    "Terms",
    "abbreviate",
    "check_left",
    "deparse",
    "expand",
    "fold",
    "hide_comparisons",
    "is_plain",
    "join_trees",
    "number_text",
    "parse",
    "parse_fixed",
    "parse_list",
    "parse_nonlinear",
    "parse_right",
    "read_change",
    "read_expression",
    "show_comparisons",
    "source",
    "tree_names",
    "walk",
    "write_out",
]
