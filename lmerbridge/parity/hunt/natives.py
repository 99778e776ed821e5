"""How a script calls an engine by itself: what of a model its template is given."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lmerbridge.errors import NotExpressible
from lmerbridge.parity.hunt.model import Written
from lmerbridge.translate import nesting

PYTHON = {  # packages by the name of the engine, as pip knows them
    "statsmodels": "statsmodels",
    "mixedlm": "mixedlm",
    "interlace": "interlace-lme",
    "glmm": "glmm",
    "mixedlm-rs": "mixedlm-rs",
    "lme-python": "lme-python[pandas]",
    "gpboost": "gpboost",
}
R = ("lme4", "nlme", "mgcv", "glmmTMB")
SUBTRACT = ("mixedlm-rs", "lme-python")  # they have no offset
UNCORRELATED = ("gpboost",)  # it has standard errors without their covariances
LIKELIHOODS = {"gaussian": "gaussian", "poisson": "poisson", "binomial": "binomial_logit"}  # as gpboost names them
BY_NAME = ("glmm", "lme-python")  # their covariances are tables of names
BY_MATRIX = ("statsmodels", "gpboost")  # they take the columns as they are
CONTRASTS = {"contr.treatment": "treatment", "contr.sum": "sum", "contr.helmert": "helmert", "contr.poly": "poly"}
TIGHT = (
    "nlme::lmeControl(niterEM = 100, maxIter = 500, msMaxIter = 500, msMaxEval = 5000, tolerance = 1e-10, "
    "msTol = 1e-12, apVar = FALSE, returnObject = TRUE, allow.n.lt.q = TRUE)"
)


@dataclass(frozen=True)
class EngineName:
    """An engine's name: its package, and the option in brackets."""

    package: str
    option: str

    @classmethod
    def of(cls, engine: str) -> EngineName:
        """Take a name such as ``gpboost[cholesky]`` apart."""
        package, _, option = engine.partition("[")
        return cls(package, option.rstrip("]").replace("shared", ""))


def facts(engine: EngineName, model: Written, *, optional: bool) -> dict[str, Any]:
    """Return what the template of an engine in Python prints.

    Weights are ``optional`` where the changed data alone have some.
    """
    spec = model.spec
    kinds = {name: CONTRASTS.get(kind, kind) for name, kind in model.contrasts.items()}
    trials = spec.kind.family == "binomial" and "n" in spec.data
    columns = {"weights": spec.weights or ("w" if optional else "n" if trials else None), "offset": spec.offset}
    given = "".join(
        f', {name}=data.get("{column}")' if optional and name == "weights" else f', {name}=data["{column}"]'
        for name, column in columns.items()
        if column
    )
    own = {
        "native": f"engines/{engine.package}.py.jinja",
        "option": engine.option,
        "optional": optional,
        "family": spec.kind.family,
        "link": spec.kind.link,
        "likelihood": LIKELIHOODS[spec.kind.family],
        "widths": [block.width for block in model.plain.blocks],
        "correlated": engine.package not in UNCORRELATED,
        "formula": model.formula,
        "fixed": model.fixed,
        "formulaic": model.fixed_coded("C({}, {})"),
        "lefts": model.lefts,
        "bars": model.bars,
        "groups": model.groups,
        "derived": model.derived,
        "contrasts": kinds,
        "given": given,
        "subtracts": engine.package in SUBTRACT and spec.offset is not None,
        "named": _names(model) if engine.package in BY_NAME else "",
        "named_columns": engine.package not in BY_MATRIX,
        "slopes": [i for i, block in enumerate(model.plain.blocks) if block.terms != ("(Intercept)",)],
    }
    return own | (_nesting(model) if engine.package == "statsmodels" else {})


def _names(model: Written) -> list[tuple[str, list[str]]]:
    columns = [[model.renamed(name) for name in names] for names in model.plain.columns]
    return list(zip(model.groups, columns, strict=True))


def _nesting(model: Written) -> dict[str, Any]:
    """The term whose groups MixedLM has, the terms within, and its groups where no term has them."""
    found = nesting(model.plain.blocks)
    cells = found.cells
    block = model.plain.blocks[0]
    levels = {level: int(cells[np.flatnonzero(block.codes == i)[0]]) for i, level in enumerate(block.levels)}
    whole = "np.ones(len(data))" if cells.max() == 0 else f"({model.terms[0].group}).map({levels!r}).to_numpy()"
    return {"outer": found.outer, "inner": list(found.inner), "cells": whole}


def r_call(engine: EngineName, model: Written) -> list[str]:
    """Return lines of R that fit a model with another package than by ``m``, and print what it says."""
    fits = {
        "lme4": lambda: f"update(m, control = {_control(engine, model)})" if engine.option else "m",
        "glmmTMB": lambda: _glmm_tmb(model),
        "nlme": lambda: _nlme(model),
        "mgcv": lambda: _mgcv(model),
    }
    derived = [f"d${name} <- {_in_r(text)}" for name, text in model.derived.items()]
    lines = [*derived, f"e <- {fits[engine.package]()}"]
    mgcv = engine.package == "mgcv"
    criterion = "2 * as.numeric(e$gcv.ubre)" if mgcv else "-2 * as.numeric(logLik(e))"
    fixed = {"mgcv": "coef(e)[seq_len(e$nsdf)]", "glmmTMB": "glmmTMB::fixef(e)$cond", "nlme": "nlme::fixef(e)"}
    errors = {"mgcv": "diag(vcov(e))[seq_len(e$nsdf)]", "glmmTMB": "diag(vcov(e)$cond)"}
    sigma = f'cat("its sigma ", format({"sqrt(e$reml.scale)" if mgcv else "sigma(e)"}), "\\n")'
    return [
        *lines,
        f"criterion <- {criterion}",
        'cat("its -2 log-likelihood ", format(criterion), "\\n")',
        f'cat("its fixed effects ", format({fixed.get(engine.package, "fixef(e)")}), "\\n")',
        *([sigma] if model.spec.kind.linear else []),
        f'cat("its standard errors ", format(sqrt({errors.get(engine.package, "diag(as.matrix(vcov(e)))")})), "\\n")',
    ]


def _control(engine: EngineName, model: Written) -> str:
    return f'{"lmer" if model.spec.kind.linear else "glmer"}Control(optimizer = "{engine.option}")'


def _glmm_tmb(model: Written) -> str:
    kind, reml = model.spec.kind, str(bool(model.spec.reml)).upper()
    how = f"REML = {reml}" if kind.linear else f'{kind.family}("{kind.link}")'
    return f"glmmTMB::glmmTMB({model.spec.formula}, d, {how}{_given(model, weights=False)})"


def _in_r(expression: str) -> str:
    """Groups within groups as R writes them."""
    names = [part.removeprefix('data["').removesuffix('"]') for part in expression.split(' + ":" + ')]
    return f"factor(paste({', '.join(f'd${name}' for name in names)}, sep = ':'))"


def _given(model: Written, *, weights: bool = True) -> str:
    spec = model.spec
    found = [("weights", spec.weights)] * weights + [("offset", spec.offset)]
    coded = ", ".join(f'{name} = "{kind}"' for name, kind in model.contrasts.items())
    return "".join(f", {name} = {column}" for name, column in found if column) + (
        f", contrasts = list({coded})" if coded else ""
    )


def _left(model: Written, i: int) -> str:
    return f"~ {model.lefts[i]}"


def _response(model: Written) -> str:
    return f"y - {model.spec.offset}" if model.spec.offset else "y"


def _refuse_generalized(model: Written, package: str) -> None:
    if not model.spec.kind.linear:
        raise NotExpressible(f"{package} has no generalized model.")


def _nlme(model: Written) -> str:
    """One term, terms of one factor, or factors within factors."""
    _refuse_generalized(model, "nlme")
    blocks, spec = model.plain.blocks, model.spec
    if len({block.group for block in blocks}) == 1:
        parts = ", ".join(f"nlme::pdSymm({_left(model, i)})" for i in range(len(blocks)))
        random = f"list({blocks[0].group} = {parts if len(blocks) == 1 else f'nlme::pdBlocked(list({parts}))'})"
    elif {len(block.levels) for block in blocks} and all(":" in block.group for block in blocks[:-1]):
        random = f"list({', '.join(f'{model.groups[i]} = {_left(model, i)}' for i in range(len(blocks))[::-1])})"
    else:
        raise NotExpressible("nlme has no short call for crossed factors.")
    weights = f", weights = nlme::varFixed(~ I(1 / {spec.weights}))" if spec.weights else ""
    coded = ", ".join(f'{name} = "{kind}"' for name, kind in model.contrasts.items())
    contrasts = f", contrasts = list({coded})" if coded else ""
    return (
        f"nlme::lme({_response(model)} ~ {model.fixed}, d, {random}{weights}{contrasts}, "
        f'method = "{"REML" if spec.reml else "ML"}", control = {TIGHT})'
    )


def _mgcv(model: Written) -> str:
    _refuse_generalized(model, "mgcv")
    smooths = []
    for group, left in zip(model.groups, model.lefts, strict=True):
        column = left.removeprefix("0 + ")
        smooths.append(f's({group}, bs = "re")' if column == "1" else f's({column}, {group}, bs = "re")')
    weights = f", weights = {model.spec.weights}" if model.spec.weights else ""
    method = "REML" if model.spec.reml else "ML"
    control = "mgcv::gam.control(epsilon = 1e-12, scalePenalty = FALSE, newton = list(conv.tol = 1e-11))"
    return (
        f"mgcv::gam({_response(model)} ~ {' + '.join([model.fixed, *smooths])}, data = d{weights}, "
        f'method = "{method}", control = {control})'
    )
