"""Simulation from a formula alone, before there are data to fit."""

from __future__ import annotations

from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmerbridge.bridge import Value, columns, frame_from_r, host, newdata, notices, time_limit
from lmerbridge.errors import FormulaError, InvalidArgument, MissingColumns, amount
from lmerbridge.formula import Call, Formula, parse_right, read_expression, tree_names
from lmerbridge.inputs import Frame, check_allow, check_signature, pandas_frame
from lmerbridge.results import Array, shown

Given = Sequence[float] | Array | Mapping[str, float] | pd.Series


@shown()
@dataclass(frozen=True, eq=False, repr=False)
class NewParams:
    """The parameters that a model needs before responses can be simulated from it.

    Attributes
    ----------
    beta : Series
        Fixed effects by term.
    theta : Series
        Relative covariance parameters, by lme4's names: ``Subject.(Intercept)``, ``Subject.Days.(Intercept)``, ...
        Equal names get numbers.
    sigma : float
        Residual standard deviation.
    """

    beta: pd.Series
    theta: pd.Series
    sigma: float


@check_signature
def params_template(formula: str, data: Frame | None = None, *, allow: Sequence[str] = ()) -> NewParams:
    """Return the parameters of a formula under their names: lme4's ``mkParsTemplate``.

    Parameters
    ----------
    formula : str
        ``"~ x + (x | g)"``; a response is not looked at.
    data : DataFrame
        Without it every covariate is taken for a number.
    allow : sequence of str
        Functions that the formula may call beside those it always may: see `lmer`.

    Returns
    -------
    NewParams
        Fixed effects of 0, theta of the unit matrix, sigma 1.

    Examples
    --------
    >>> params_template("~ Days + (Days | Subject)").theta.to_dict()
    {'Subject.(Intercept)': 1.0, 'Subject.Days.(Intercept)': 0.0, 'Subject.Days': 1.0}
    """
    frame = None if data is None else pandas_frame(data)
    parsed = _parse(formula, allow, () if frame is None else frame.columns)
    table = None if frame is None else columns.encode_table(frame, parsed)
    reply = host.call("params_template", formula=parsed.source, data=table, allow=list(allow))
    found = notices.values_of(reply)
    return NewParams(
        pd.Series(found["beta"], index=list(found["terms"]), name="beta"),
        pd.Series(found["theta"], index=list(found["names"]), name="theta"),
        float(found["sigma"][0]),
    )


@check_signature
def data_template(formula: str, *, groups: int = 2, per_group: int = 1, allow: Sequence[str] = ()) -> pd.DataFrame:
    """Return a frame with the columns of a formula, every combination of its groups: lme4's ``mkDataTemplate``.

    Parameters
    ----------
    formula : str
        ``"~ x + (x | g)"``.
    groups, per_group : int
        Levels of each grouping factor, and rows a level.
    allow : sequence of str
        Functions that the formula may call beside those it always may: see `lmer`.

    Returns
    -------
    DataFrame
        Covariates are 0, to be filled in.

    Examples
    --------
    >>> data_template("~ x + (1 | g)", groups=3, per_group=2).shape
    (6, 2)
    """
    parsed = _parse(formula, allow)
    given: dict[str, Value] = {"groups": groups, "per_group": per_group, "allow": list(allow)}
    reply = host.call("data_template", formula=parsed.source, **given)
    return frame_from_r(notices.values_of(reply))


@check_signature
@notices.together()
def simulate_formula(
    formula: str,
    data: Frame,
    *,
    beta: Given,
    theta: Given,
    sigma: float,
    nsim: int = 1,
    seed: int | None = None,
    allow: Sequence[str] = (),
    timeout: float | None = None,
) -> pd.DataFrame:
    """Simulate responses of a model without a fit: lme4's ``simulate`` of a formula.

    Parameters
    ----------
    formula : str
        ``"~ x + (x | g)"``; a response may stand there if the data has it, and makes no difference, as in R.
    data : DataFrame
        The design: the columns that the formula names, without missing values.
    beta, theta : array, or mapping or Series by name
        Fixed effects, and relative covariance parameters; `params_template` tells their names and order.
    sigma : float
        Residual standard deviation.
    nsim : int
        How many responses.
    seed : int
        As R's ``set.seed`` after ``RNGkind("Mersenne-Twister", "Inversion", "Rejection")``; without it the numbers are
        those that come next in the R process.
    allow : sequence of str
        Functions that the formula may call beside those it always may: see `lmer`.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        By the index of ``data``; columns ``sim_1``, ``sim_2``, ...

    Raises
    ------
    InputError
        A parameter is missing or too many, or the formula or the data cannot be used.

    Examples
    --------
    >>> from lmerbridge import load_dataset, simulate_formula
    >>> design = load_dataset("sleepstudy")[["Days", "Subject"]]
    >>> found = simulate_formula("~ Days + (1 | Subject)", design, beta=[250, 10], theta=[1], sigma=25, seed=1)
    >>> found.shape
    (180, 1)
    """
    frame = pandas_frame(data)
    parsed = _parse(formula, allow, frame.columns)
    _check_response(formula, allow, frame)
    if not 0 <= sigma < float("inf"):
        raise InvalidArgument(f"sigma is {sigma!r}; a finite number of at least 0 is expected.")
    with time_limit(timeout):
        template = params_template(formula, frame, allow=allow)
        newdata.check_complete(frame, parsed.variables)
        reply = host.call(
            "simulate_formula",
            formula=parsed.source,
            data=columns.encode_table(frame, parsed),
            beta=_align("beta", beta, template.beta),
            theta=_align("theta", theta, template.theta),
            sigma=float(sigma),
            nsim=nsim,
            seed=seed,
            allow=list(allow),
        )
    values = notices.values_of(reply)["value"].reshape(len(frame), -1, order="F")
    return pd.DataFrame(values, frame.index, [f"sim_{i}" for i in range(1, nsim + 1)])


def _parse(formula: str, allow: Sequence[str], columns: Container[object] = ()) -> Formula:
    parsed = parse_right(formula, check_allow(allow), columns)
    if parsed.structures:
        told = f"the formula has {parsed.structures[0]}(), whose parameters lme4 names for a fit only"
        raise FormulaError(f"{told}; fit it to some response, and simulate from the fit.")
    return parsed


def _check_response(formula: str, allow: Sequence[str], frame: pd.DataFrame) -> None:
    """Check that a response, which R evaluates and does not use, is there."""
    match read_expression(formula, tuple(allow)):
        case Call("~", (response, _)):
            if missing := [name for name in tree_names(response) if name not in frame]:
                raise MissingColumns(missing, frame.columns)


def _align(name: str, given: Given, template: pd.Series) -> Array:
    """Return parameters in the template's order, found by name where they have names."""
    expected = ", ".join(map(str, template.index))
    if isinstance(given, Mapping | pd.Series):
        if set(given.keys()) != set(template.index):
            raise InvalidArgument(f"{name} names {', '.join(map(str, given.keys()))}; {expected} are expected.")
        given = [given[term] for term in template.index]
    values = np.asarray(given, np.float64)
    if values.shape != template.shape or not np.isfinite(values).all():
        told = f"{name} is {given!r}; {amount(len(template), 'finite number')}"
        raise InvalidArgument(f"{told} expected, for {expected}.")
    return values
