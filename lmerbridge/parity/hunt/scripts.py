"""Scripts that show a finding on their own: the engine under test, numpy or lme4, and nothing of ours."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, cast

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from lmerbridge.engines import find, fit_with
from lmerbridge.errors import NotExpressible
from lmerbridge.inputs import Spec
from lmerbridge.parity.hunt import common, invariance, model, natives, oracles
from lmerbridge.parity.hunt.finding import Finding
from lmerbridge.parity.reproduce import r_fit
from lmerbridge.results import Array, Fit, covariance

DATA, CHANGED = "data.csv", "changed.csv"
TEXTS = ("f", "g", "h")


@dataclass(frozen=True)
class Place:
    """A point of the objective: covariances term by term, over the residual variance of a linear model.

    Fixed effects are beside them where the model is generalized.
    """

    covariances: list[Any]
    beta: list[float]


@dataclass(frozen=True, eq=False)
class Shown:
    """A finding as scripts and letters print it.

    Attributes
    ----------
    finding : Finding
    title : str
        One line.
    """

    finding: Finding
    title: str

    @cached_property
    def written(self) -> model.Written:
        """The model in expressions."""
        return model.Written(self.finding.spec)

    @property
    def name(self) -> natives.EngineName:
        """The engine's name in parts."""
        return natives.EngineName.of(self.finding.engine)

    @property
    def linear(self) -> bool:
        """Whether the model is linear."""
        return self.finding.spec.kind.linear

    @property
    def kind(self) -> str:
        """``change``, ``crash``, or ``stop`` where the engine has an answer to be held to the model."""
        if self.finding.oracle in invariance.CHANGES:
            return "change"
        return "stop" if self.stopped is not None and (self.linear or self.package or self.point) else "crash"

    @cached_property
    def better(self) -> Fit:
        """A fit that is at least as good as any known: by many starts, or lme4's of a generalized model."""
        spec, comparison = self.finding.spec, self.finding.comparison
        if self.linear:
            return common.ManyStarts().fit(spec)
        return (comparison and comparison.reference_fit) or fit_with(find(oracles.TIGHT), spec)

    @cached_property
    def changed(self) -> Spec | None:
        """The model of the changed data."""
        change = invariance.CHANGES.get(self.finding.oracle)
        return change(self.finding.spec) if change else None

    @property
    def stopped(self) -> Fit | None:
        """The engine's own answer, where all its numbers are some."""
        fit = self.finding.comparison.candidate_fit if self.finding.comparison else None
        return fit if fit is not None and bool(np.all(np.isfinite(fit.theta))) else None

    @property
    def point(self) -> list[float]:
        """Where the engine stopped, as a point of lme4's objective; none where it has no such point."""
        its = self.stopped
        if its is None or its.kind.linear:
            return _point(its)
        columns, x = self._columns(its), self.written.plain.x
        if columns is None or columns.shape != x.shape or not np.all(np.isfinite(its.beta)):
            return []
        units = np.linalg.norm(x, axis=0)
        beta = np.linalg.lstsq(x / units, columns @ its.beta, rcond=None)[0] / units
        return [*its.theta.tolist(), *beta.tolist()]

    def _columns(self, its: Fit) -> Array | None:
        """The columns of the engine's fixed effects, which may be coded in another way than R's."""
        if (design := its.design()) is not None:
            return design.x
        terms = self.better.terms
        return self.written.plain.x[:, [terms.index(t) for t in its.terms]] if {*terms} == {*its.terms} else None

    @property
    def package(self) -> str:
        """What pip calls the engine, "" of one that a script in Python cannot run."""
        return natives.PYTHON.get(self.name.package, "")

    def place(self, point: Sequence[float]) -> Place:
        """Return a point of lme4's objective as scripts in Python have it."""
        if not point:
            return Place([], [])
        widths = [block.width for block in self.written.plain.blocks]
        count = sum(width * (width + 1) // 2 for width in widths)
        factors = covariance.split(np.array(point[:count]), widths)
        return Place([(factor @ factor.T).tolist() for factor in factors], list(point[count:]))

    def changed_place(self, change: invariance.Invariance) -> Place:
        """Return a good point of the changed data."""
        if self.linear:
            return self.place(_point(common.ManyStarts().fit(cast(Spec, self.changed))))
        place, blocks = self.place(_point(self.better)), self.written.plain.blocks
        units = [np.array([change.unit(term) for term in block.terms]) for block in blocks]
        covariances = [(s * np.outer(u, u)).tolist() for s, u in zip(place.covariances, units, strict=True)]
        return Place(covariances, [b * change.unit(t) for b, t in zip(place.beta, self.better.terms, strict=True)])


@cache
def _environment() -> Environment:
    loader = PackageLoader("lmerbridge.parity.hunt")
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701  # no HTML


def fill_template(template: str, **given: Any) -> str:  # noqa: ANN401  # what a template prints
    """Fill in a template of findings."""
    return _environment().get_template(template).render(given)


def python_script(shown: Shown) -> str:
    """Return a script that needs the engine, numpy and pandas."""
    finding, written, package = shown.finding, shown.written, shown.package
    spec, stopped = finding.spec, shown.stopped
    needed = ["numpy", "pandas", *([f"{package} {finding.version}".rstrip()] if package else [])]
    optional = finding.oracle == "double_weights" and spec.weights is None
    native = natives.facts(shown.name, written, optional=optional) if package else {}
    given = {
        "title": shown.title,
        "needs": f"Needs {', '.join(needed)}.",
        "engine": finding.engine,
        "runs": "runs in reproduce.R" if shown.name.package in natives.R else "is no package that a script can run",
        "linear": shown.linear,
        "family": spec.kind.family,
        "trials": spec.kind.family == "binomial" and "n" in spec.data,
        "reml": bool(spec.reml),
        "texts": [column for column in TEXTS if column in spec.data],
        "kind": shown.kind,
        "fixed_columns": written.fixed_columns,
        "terms": written.terms,
        "offset": spec.offset is not None,
        "weights": spec.weights is not None or optional,
        "native": "",
        "named": "",
        "named_columns": False,
        "correlated": stopped is not None and not stopped.only_std_errors,
        "better": shown.place(_point(shown.better)),
        "stopped": shown.place(shown.point),
        "said": _said(stopped, shown.point) if stopped else {},
    }
    return fill_template("reproduce.py.jinja", **given | native | _change(shown))


def r_script(shown: Shown) -> str:
    """Return a script that needs lme4, and the engine where it is one of R."""
    finding = shown.finding
    fit, criterion = r_fit(finding.spec, DATA)
    changed = r_fit(shown.changed, CHANGED)[0][1:] if shown.changed else []
    native, changed_native = (_in_r(shown, spec) for spec in (finding.spec, shown.changed))
    given = {
        "title": shown.title,
        "needs": f"lme4{f' and {shown.name.package}' if native and shown.name.package != 'lme4' else ''}",
        "engine": finding.engine,
        "fit": "\n".join(fit),
        "criterion": criterion,
        "native": _indented(native),
        "changed_native": _indented(changed_native),
        "own": "getME(m, 'theta')" if shown.linear else "c(getME(m, 'theta'), fixef(m))",
        "better": _vector(_point(shown.better)),
        "point": _vector(shown.point) if shown.kind == "stop" else "",
        "reported": shown.stopped.criterion if shown.stopped else float("nan"),
        "changed_fit": "\n".join(changed),
    }
    return fill_template("reproduce.R.jinja", **given | _change(shown))


def _indented(lines: Iterable[str]) -> str:
    return "\n".join(f"    {line}" for line in lines)


def _in_r(shown: Shown, spec: Spec | None) -> list[str]:
    """The call of an engine in R, none of another and where none is short."""
    if spec is None or shown.name.package not in natives.R:
        return []
    try:
        return natives.r_call(shown.name, model.Written(spec))
    except NotExpressible:
        return []


def _change(shown: Shown) -> dict[str, Any]:
    """What a change of the data makes of an answer."""
    change, better = invariance.CHANGES.get(shown.finding.oracle), shown.better
    if change is None:
        return {"change": None}
    return {
        "change": change,
        "shift": change.shift(better),
        "units": [change.unit(term) for term in better.terms],
        "slopes_at": [i for i, term in enumerate(better.terms) if term != "(Intercept)"],
        "sigma_unit": change.response * math.sqrt(change.weight),
        "better_changed": shown.changed_place(change),
    }


def _said(fit: Fit, point: Sequence[float]) -> dict[str, Any]:
    """What an engine has said, its fixed effects in R's columns where it was asked for them."""
    rows = np.argsort(fit.rows)
    beta = fit.beta.tolist() if fit.kind.linear else [*point[-len(fit.beta) :]]
    numbers = {"criterion": fit.criterion, "beta": beta, "se": fit.std_errors.tolist(), "vcov": fit.covariance.tolist()}
    numbers |= {"sigma": fit.sigma} if fit.kind.linear else {}
    return numbers | {"converged": bool(fit.converged), "fitted": fit.fitted_values[rows].tolist()}


def _point(fit: Fit | None) -> list[float]:
    """A point of lme4's objective."""
    if fit is None:
        return []
    return [*fit.theta.tolist(), *([] if fit.kind.linear else fit.beta.tolist())]


def _vector(point: list[float]) -> str:
    """A point as R writes it."""
    return f"c({', '.join(map(repr, point))})" if point else ""
