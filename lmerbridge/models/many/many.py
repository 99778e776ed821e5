"""Many fits of one model, each to a response of its own: of a fit, or of a formula and a frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from os import PathLike, fspath
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from lmerbridge.bridge import notices, time_limit
from lmerbridge.errors import FormulaError, InvalidArgument
from lmerbridge.formula import Name, deparse, parse
from lmerbridge.inputs import (
    DoubleBar,
    FactorContrasts,
    Frame,
    LmerControl,
    NaAction,
    RowVector,
    Spec,
    Start,
    check_signature,
    pandas_frame,
)
from lmerbridge.models.change.refit import with_response
from lmerbridge.models.kept import KeptFit
from lmerbridge.models.many.responses import Given, Responses, read_responses
from lmerbridge.models.many.result import ManyFits, ParquetFile
from lmerbridge.models.many.run import Fits, ManyPlan, fit_blocks, join_fits, plan_fits

RESPONSE = "response"  # the name where a formula has none


def refit_many(
    fit: KeptFit,
    responses: Given,
    *,
    exact: bool = True,
    jobs: int | None = None,
    backend: str | None = None,
    progress: bool | None = None,
    parquet: str | PathLike[str] | None = None,
    timeout: float | None = None,
) -> ManyFits:
    """Fit the model to each of many responses, the formula read and the matrices made once.

    Each number is the double that `lmer` gives for that response: lme4's own optimizer, from lme4's own start, of
    lme4's own criterion. (`LmerFit.refit` starts elsewhere.) A response that lacks values is fitted to the rows left,
    as by `lmer`. Responses that lack the same values share a design, so that it costs more where each lacks others.

    Parameters
    ----------
    responses : ndarray, DataFrame or mapping
        A column per response, with a value per row of the frame, or per row that the fit uses. The columns of a frame,
        of any library that speaks Arrow, are aligned by its index where it is pandas'. They replace the whole left side
        of the formula: of ``log(y) ~ x``, ``log(y)``. An array may be a `numpy.memmap`: it is read block by block.
    exact : bool
        False has ``nlminb`` start from this fit's theta, as `bootstrap` does: quicker where the responses are like the
        fit's own, and at the same optimum within about 1e-6 of the criterion.
    jobs : int, optional
        Processes to compute in, -1 for one per core. Numbers do not depend on it. Each process has an R of its own.
        The default is one, or what `joblib.parallel_config` says.
    backend : str, optional
        ``loky``, ``threading``, ``sequential`` or ``dask://HOST:PORT``. The default is joblib's own choice.
    progress : bool, optional
        Whether to show a progress bar. The default shows it where standard error is a terminal.
    parquet : path, optional
        A file to which `ManyFits.frame` is written block by block.
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    ManyFits
        A response that cannot be fitted has its error there, and costs no other its fit.

    Raises
    ------
    InvalidArgument
        The responses have other rows than the fit, or the right side of the formula uses the response.
    TimedOut

    Warns
    -----
    RowsLeftOutWarning
        Some responses lack values, and the fit has no ``na_action``.

    Examples
    --------
    >>> responses = fit.simulate(3, seed=1)
    >>> found = fit.refit_many(responses)
    >>> found.fixef.round(2)
           (Intercept)   Days
    sim_1       258.14   9.53
    sim_2       257.06  12.01
    sim_3       247.50  11.61
    >>> found.n_singular, found.n_failed
    (0, 0)
    """
    given = read_responses(responses, fit.spec.data.set_axis(fit.index), fit.rows)
    spec, (name,) = with_response(fit.spec, np.arange(len(fit.index), dtype=np.float64), None, None)
    with time_limit(timeout):
        plan = plan_fits(spec, name, exact=exact, theta=None if exact else fit.theta)
        return _run(plan, given, parquet, jobs=jobs, backend=backend, progress=progress)


@check_signature
def lmer_many(
    formula: str,
    data: Frame,
    responses: Given,
    *,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: FactorContrasts | None = None,
    start: Start | None = None,
    control: LmerControl | Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
    exact: bool = True,
    jobs: int | None = None,
    backend: str | None = None,
    progress: bool | None = None,
    parquet: str | PathLike[str] | None = None,
    timeout: float | None = None,
) -> ManyFits:
    """Fit a linear mixed model to each of many responses, with the numbers that `lmer` gives for each.

    Parameters
    ----------
    formula : str
        As in `lmer`. Its left side is a name that stands for each response, or nothing, as in
        ``"~ Days + (Days | Subject)"``.
    data : DataFrame
        The columns of the right side.
    responses : ndarray, DataFrame, mapping or sequence of str
        A column per response, with a value per row of the frame; see `LmerFit.refit_many`. Texts are names of columns
        of the frame.
    reml, weights, offset, subset, na_action, contrasts, start, control, allow, double_bar
        As in `lmer`.
    exact : bool
        False has ``nlminb`` start from ``start``, or from lme4's default where there is none, and takes no optimizer.
    jobs, backend, progress, parquet, timeout
        As in `LmerFit.refit_many`.

    Returns
    -------
    ManyFits

    Raises
    ------
    InputError
        The formula, the frame or an argument cannot be used. What is wrong with a response is told of it alone.
    TimedOut

    Warns
    -----
    RowsLeftOutWarning, RankDeficientWarning, RWarning

    Examples
    --------
    >>> from lmerbridge import lmer_many
    >>> sleepstudy = load_dataset("sleepstudy")
    >>> responses = {"reaction": sleepstudy["Reaction"], "speed": 1000 / sleepstudy["Reaction"]}
    >>> found = lmer_many("~ Days + (Days | Subject)", sleepstudy, responses)
    >>> found.fixef.round(3)
              (Intercept)    Days
    reaction      251.405  10.467
    speed           3.966  -0.111
    """
    frame = pandas_frame(data)
    arguments = {
        "reml": reml,
        "weights": weights,
        "offset": offset,
        "subset": subset,
        "na_action": na_action,
        "contrasts": contrasts,
        "start": start,
        "control": control,
        "allow": allow,
        "double_bar": double_bar,
    }
    spec, name = _spec(formula, frame, responses, arguments)
    given = read_responses(responses, frame)
    with time_limit(timeout):
        plan = plan_fits(spec, name, exact=exact, theta=_theta(spec, exact=exact))
        dropped = len(spec.rows_in_subset()) - len(plan.rows)
        if spec.na_action is None and dropped:
            missing = spec.count_missing(spec.parsed.variables)
            notices.give([notices.of_rows(dropped, dropped + len(plan.rows), missing, spec.parsed.functions)])
        return _run(plan, given, parquet, jobs=jobs, backend=backend, progress=progress)


def _spec(formula: str, frame: pd.DataFrame, responses: object, arguments: Mapping[str, Any]) -> tuple[Spec, str]:
    """Return the model of a formula and a frame, with any response, and the name of that."""
    if formula.lstrip().startswith("~"):
        left = RESPONSE
        while left in frame.columns:
            left += "_"
        formula = f"{left} {formula}"
    spec = Spec(formula=formula, data=frame, **arguments)
    written = parse(spec.formula, spec.functions, spec.own_values)
    if not isinstance(written.response, Name):
        told = "a name that stands for each response, or nothing, is expected; transform the responses"
        raise FormulaError(f"the left side of the formula is {deparse(written.response)}; {told}.")
    own = responses if isinstance(responses, Sequence) and not isinstance(responses, str) else ()
    names = [name for name in frame.columns if name in written.variables or name not in own]  # a dot means no response
    dummy = np.arange(len(frame), dtype=np.float64)
    spec = replace(spec, data=frame[names].assign(**{written.response.name: dummy}))
    return with_response(replace(spec, formula=spec.parsed.text), dummy, None, None)[0], written.response.name


def _theta(spec: Spec, *, exact: bool) -> NDArray[np.float64] | None:
    """Return the theta from which nlminb is to start, where the fits need not be exact."""
    if exact:
        return None
    if given := {"optimizer", "optCtrl"} & set(spec.controls):
        raise InvalidArgument(
            f"control has {', '.join(sorted(given))}, and exact=False minimizes by nlminb; leave it out."
        )
    if isinstance(spec.start, Mapping) and "theta" not in spec.start:
        raise InvalidArgument(f"start names {', '.join(spec.start)}; with exact=False theta is expected.")
    start = spec.start["theta"] if isinstance(spec.start, Mapping) else spec.start
    return None if start is None else np.asarray(start, np.float64)


def _run(plan: ManyPlan, responses: Responses, parquet: str | PathLike[str] | None, **how: Any) -> ManyFits:  # noqa: ANN401  # jobs, backend and progress
    """Fit to all responses, and write each block where a file is named."""
    kept: list[Fits] = []
    of = (plan.spec.formula, bool(plan.spec.reml), bool(plan.given["exact"]))
    with ExitStack() as opened:
        file = None if parquet is None else opened.enter_context(ParquetFile(fspath(parquet)))
        for lo, fits in fit_blocks(plan, responses.names, responses.take, **how):
            kept.append(fits)
            if file is not None:
                names = responses.names[lo : lo + len(fits.errors)]
                file.append(ManyFits.of(of, names, plan.shape, *join_fits([fits])).frame)
    found = ManyFits.of(of, responses.names, plan.shape, *join_fits(kept))
    if plan.spec.na_action is None and (fewer := int(((found.nobs < len(plan.rows)) & (found.nobs > 0)).sum())):
        notices.give([notices.of_fewer_rows(fewer, len(found))])
    return found
