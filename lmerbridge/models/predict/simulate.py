"""Simulated responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from lmerbridge.bridge import need, notices, time_limit
from lmerbridge.errors import InvalidArgument, KnownDefectWarning
from lmerbridge.inputs import ALLOWED, Frame, RowVector, draw_seed, pandas_frame
from lmerbridge.models.kept import KeptFit, ask
from lmerbridge.models.predict import effects, rows

DIFFERS = (
    "lme4's simulate() would draw with other means or variances than the model's here: it leaves weights out (its "
    "issue 386), takes theta from the wrong term where not all terms are drawn, or new data order them otherwise, and "
    "keeps the effects of the wrong term where two of a group share a name. These are drawn with the model's own."
)


def simulate(
    fit: KeptFit,
    nsim: int = 1,
    *,
    seed: int | None = None,
    use_u: bool = False,
    re_form: str | None = "~0",
    newdata: Frame | None = None,
    newparams: effects.Parameters | None = None,
    weights: RowVector = None,
    allow_new_levels: bool = False,
    cluster_rand: str | None = None,
    timeout: float | None = None,
) -> pd.DataFrame:
    """Draw responses from the model: lme4's ``simulate``, free of its defects.

    Parameters
    ----------
    nsim : int
        How many.
    seed : int
        The numbers are those of ``simulate(fit, nsim, seed = seed)`` in R, whose generators are Mersenne-Twister,
        Inversion and Rejection. Without it, one is drawn.
    use_u : bool
        Keep all random effects as they are: another word for ``re_form=None``.
    re_form : str
        Which random effects are kept as they are; the others are drawn anew. As in `predict`, but ``"~0"``, none,
        where it is not given; terms can only be named as a whole.
    newdata : DataFrame
        Rows to draw responses for; without it, the rows of the fit. None may lack a value.
    newparams : mapping
        Other parameters, as in `predict`.
    weights : column name or array of one number per row
        A row's error has the variance ``sigma**2 / weight``, and ``sigma**2`` where the weight is zero. Without them
        the fit's own count, or for ``newdata`` weights of one. Of a binomial model they are the numbers of trials,
        which ``newdata`` of a response ``cbind(successes, failures)`` need.
    allow_new_levels : bool
        Whether grouping factors may have levels that the fit has not seen; random effects that are kept are zero
        for them.
    cluster_rand : str
        The function of R that draws the standardized random effects, ``"package::function"`` of their number, in
        place of the normal one (lme4 1.1-37 or later).
    timeout : float, optional
        Seconds after which R is stopped. The default is no limit.

    Returns
    -------
    DataFrame
        One row per row of ``newdata`` or of `fitted`, NaN where that has NaN; columns ``sim_1``, ``sim_2``, ...;
        ``attrs["seed"]`` is the seed. Where the response is ``cbind(successes, failures)``, each of these has two
        columns; where it is a categorical, they are categorical, and where it is boolean, 0 and 1.

    Raises
    ------
    InputError
        As in `predict`.
    NeedsNewer
        lme4 is too old for ``cluster_rand``.

    Warns
    -----
    KnownDefectWarning
        Where the numbers are not lme4's, since lme4's would have other means or variances than the model: it leaves
        weights out, takes theta from the wrong term where only some terms are drawn, or where new data order the
        grouping factors by their numbers of levels otherwise than the fit, and keeps the effects of the wrong term
        where two terms of a group share a name.

    Examples
    --------
    >>> fit = lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff"))
    >>> fit.simulate(2, seed=1).head(2).round(1)
        sim_1   sim_2
    0  1470.4  1582.5
    1  1391.5  1575.5
    """
    kept = effects.read_effects(choose_re_form(re_form, use_u), fit.spec.parsed, fit.spec.allow)
    effects.check_whole(kept, fit.spec.parsed)
    seed = draw_seed(seed)
    cluster = _r_function(cluster_rand)
    parameters = effects.new_parameters(newparams, fit)
    (index, places), new = rows.rows_of_fit(fit), None
    with time_limit(timeout):
        if newdata is not None:
            index, places = pandas_frame(newdata).index, slice(None)
            new = rows.new_rows(fit, newdata, fit.spec.parsed.random, True, allow_new_levels, complete=True)
        found = ask(
            fit,
            "simulate_model",
            nsim=nsim,
            seed=seed,
            newdata=new,
            newparams=parameters,
            re_form=kept.text,
            allow_new_levels=allow_new_levels,
            cluster_rand=cluster,
            weights=rows.row_weights(fit, newdata, weights),
        ).values
    if found["differs"]:
        notices.give([KnownDefectWarning(DIFFERS)])
    frame = _frame(fit, found, nsim, index, places)
    frame.attrs["seed"] = seed
    return frame


def _frame(fit: KeptFit, found: Mapping[str, Any], nsim: int, index: pd.Index, places: rows.Places) -> pd.DataFrame:
    """Return the responses that R drew, as the fit has its response: numbers, categories, or successes and failures."""
    names = [f"sim_{i}" for i in range(1, nsim + 1)]
    tables = [
        pd.DataFrame(rows.pad(found[part].reshape(-1, nsim, order="F"), places, index), index, names)
        for part in ("value", "failures")
        if len(found.get(part, ()))
    ]
    if len(tables) > 1:
        columns = fit.spec.response_columns
        both = pd.concat(tables, axis=1, keys=columns).swaplevel(axis=1)
        return both[[(name, column) for name in names for column in columns]]
    if levels := found.get("level"):
        codes = tables[0].fillna(-1).astype(int)
        return codes.apply(lambda column: pd.Series(pd.Categorical.from_codes(column, levels), index))
    return tables[0]


def choose_re_form(re_form: str | None, use_u: bool) -> str | None:
    """Return ``re_form`` from the two arguments that may give it."""
    if use_u and re_form != "~0":
        raise InvalidArgument(f"use_u is True and re_form {re_form!r}; one of them is expected.")
    return None if use_u else re_form


def _r_function(name: str | None) -> str | None:
    if name is None:
        return None
    need("simulate_cluster_rand")
    if not isinstance(name, str) or not ALLOWED.fullmatch(name):
        raise InvalidArgument(f"cluster_rand is {name!r}; a function of R as 'package::function' is expected.")
    return name
