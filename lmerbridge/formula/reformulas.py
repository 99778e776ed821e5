"""A formula's random terms, and the formula without them: R's package reformulas, and lme4 before it.

The formula is read and checked as `lmer` reads it; each function takes and returns its text.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from lmerbridge.formula.formula import Formula, parse, parse_right
from lmerbridge.formula.parser import read_expression
from lmerbridge.formula.random import BARS, expand_bars
from lmerbridge.formula.syntax import Call, Name, Node, deparse, fold, join_trees, with_args


@dataclass(frozen=True)
class RandomTermText:
    """One random term with one covariance matrix.

    Attributes
    ----------
    lhs : str
        What varies.
    group : str
        The grouping factor, by lme4's name.
    kind : {"us", "diag", "cs", "ar1"}
        Structure of the covariance; ``us`` is none.
    hom : bool
        Whether all its columns have one variance.
    """

    lhs: str
    group: str
    kind: str
    hom: bool

    def __str__(self) -> str:
        return f"{self.lhs} | {self.group}"


def random_terms(formula: str) -> tuple[RandomTermText, ...]:
    """Return the random terms of a formula, ``||`` and ``/`` written out as lme4 does.

    Examples
    --------
    >>> [(term.lhs, term.group) for term in random_terms("y ~ x + (x || g/h)")]
    [('1', 'h:g'), ('1', 'g'), ('0 + x', 'h:g'), ('0 + x', 'g')]
    """
    return tuple(RandomTermText(deparse(bar.lhs), bar.group_name, bar.kind, bar.hom) for bar in _parse(formula).random)


def findbars(formula: str) -> tuple[str, ...]:
    """Return the random terms as text: ``findbars``.

    Examples
    --------
    >>> findbars("y ~ x + (x || g)")
    ('1 | g', '0 + x | g')
    """
    return tuple(map(str, random_terms(formula)))


def nobars(formula: str) -> str:
    """Return the formula without its random terms: ``nobars``.

    Examples
    --------
    >>> nobars("y ~ x + (x | g)"), nobars("~ (1 | g)")
    ('y ~ x', '~1')
    """
    parsed = _parse(formula)
    return _with_right(formula, lambda _: parsed.fixed)


def re_only(formula: str) -> str:
    """Return the random terms as a formula of one side: lme4's ``reOnly``, without the ``us()`` of its later versions.

    Examples
    --------
    >>> re_only("y ~ x + (x || g)")
    '~(1 | g) + (0 + x | g)'
    """
    return "~" + " + ".join(f"({bar})" for bar in findbars(formula))


def subbars(formula: str) -> str:
    """Return the formula with ``+`` for every bar, which names all that the model needs: ``subbars``.

    Examples
    --------
    >>> subbars("y ~ x + (x | g/h)")
    'y ~ x + (x + g/h)'
    """
    _parse(formula)
    return _with_right(formula, lambda right: fold(right, _plus))


def expand_double_verts(formula: str) -> str:
    """Return the formula with ``||`` written out: ``expandDoubleVerts``.

    Examples
    --------
    >>> expand_double_verts("y ~ x + (x || g/h)")
    'y ~ x + ((1 | g/h) + (0 + x | g/h))'
    """
    _parse(formula)
    return _with_right(formula, lambda right: fold(right, _expand))


def _parse(formula: str) -> Formula:
    tree = read_expression(formula)
    return parse_right(formula) if isinstance(tree, Call) and len(tree.args) == 1 else parse(formula)


def _with_right(formula: str, change: Callable[[Node], Node]) -> str:
    tree = read_expression(formula)
    assert isinstance(tree, Call)  # noqa: S101 - it has been parsed
    return deparse(Call("~", (*tree.args[:-1], change(tree.args[-1]))))


def _plus(node: Node, args: tuple[Node, ...]) -> Node:
    return Call("+", args) if isinstance(node, Call) and node.function in BARS else with_args(node, args)


def _expand(node: Node, args: tuple[Node, ...]) -> Node:
    match node:
        case Call("||", (_, group)):
            parts = expand_bars((Call("||", (node.args[0], Name("g"))),))
            return join_trees("+", [Call("(", (Call("|", (part.lhs, group)),)) for part in parts])
    return with_args(node, args)
