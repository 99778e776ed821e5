"""`lmer`, as in R, and the fit it gives."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from lmerbridge.bridge.from_r import notices
from lmerbridge.bridge.limit import time_limit
from lmerbridge.inputs.control import LmerControl
from lmerbridge.inputs.frames import Frame, pandas_frame
from lmerbridge.inputs.spec import DoubleBar, NaAction, RowVector, Spec, Start
from lmerbridge.models.change.all_fit import Optimizers
from lmerbridge.models.change.update import Changes
from lmerbridge.models.diagnose.residuals import Diagnostics
from lmerbridge.models.extract.estimates import Extraction
from lmerbridge.models.extract.objective import Objective
from lmerbridge.models.extract.structured import Structured
from lmerbridge.models.infer.anova import Inference
from lmerbridge.models.intervals.confint import Intervals
from lmerbridge.models.means.emmeans import Means
from lmerbridge.models.predict.predict import Prediction
from lmerbridge.models.resample.bootstrap import Bootstrapping
from lmerbridge.models.tidy.plots import Plots
from lmerbridge.models.tidy.tidy import Tidying


class LmerFit(
    Changes,
    Tidying,
    Plots,
    Diagnostics,
    Extraction,
    Objective,
    Inference,
    Intervals,
    Bootstrapping,
    Prediction,
    Means,
    Optimizers,
    Structured,
):
    """A fit of lme4: its numbers, and every verb that R has for it.

    The numbers need no R, and they are all that is pickled; a verb rebuilds the model from the specification
    where it is gone. `time_limit` bounds what takes no ``timeout``.
    """


def lmer(
    formula: str,
    data: Frame,
    *,
    reml: bool = True,
    weights: RowVector = None,
    offset: RowVector = None,
    subset: RowVector = None,
    na_action: NaAction | None = None,
    contrasts: Mapping[str, str] | None = None,
    start: Start | None = None,
    control: LmerControl | Mapping[str, Any] | None = None,
    allow: Sequence[str] = (),
    double_bar: DoubleBar = "split",
    timeout: float | None = None,
) -> LmerFit:
    """Fit a linear mixed model with R's ``lme4::lmer``.

    Parameters
    ----------
    formula : str
        As in R: ``"Reaction ~ Days + (Days | Subject)"``. From lme4 2.0-1 on a random term may have a covariance
        structure: ``us(f | g)``, ``diag(f | g)``, ``cs(f | g, hom = TRUE)``, ``ar1(0 + f | g)``.
    data : DataFrame
        Only the columns the formula names travel to R. Strings become factors with levels in code-point
        order, categoricals keep theirs, ordered ones stay ordered, booleans stay logical.
    reml : bool
        REML, or maximum likelihood.
    weights, offset : column name or array of one number a row
    subset : column name or array of one boolean a row
    na_action : {"omit", "exclude", "fail"}
        What to do with rows that lack a value. ``exclude`` keeps them, as NaN, in fitted and residuals. If
        it is not given, they are left out as by ``omit``, with a warning.
    contrasts : mapping
        R's contrast function for a factor: ``{"treatment": "contr.sum"}``.
    start : array or mapping
        Theta to start from, alone or as ``{"theta": ...}``; from lme4 2.0-1 on ``{"par": ...}``. Fixed effects have no
        start: they follow from theta.
    control : LmerControl or mapping
        How to optimize and what to check; as a mapping, arguments of ``lme4::lmerControl`` by R's names, with
        ``optCtrl`` a mapping of its own.
    allow : sequence of str
        Functions of R packages that the formula may call beside those it always may, as ``"package::function"``; the
        formula calls them by that name. They run in R: allow what you would run there.
    double_bar : {"split", "diag_special"}
        What ``(x || g)`` means, as R's option ``lme4.doublevert.default``: ``(1 | g) + (0 + x | g)``, in which the
        columns of a factor ``x`` are still correlated, or ``diag(x | g)``, in which none are (lme4 2.0-1 or later).
    timeout : float
        Seconds after which R is stopped; see `time_limit`.

    Returns
    -------
    LmerFit
        Every number the double that R computes.

    Raises
    ------
    InputError
        The formula, the data or an argument cannot be used.
    RError
        R refused the model for another reason.
    EngineFailed
        lme4 gave a fit without numbers.
    TimedOut
    WorkerDied

    Warns
    -----
    ConvergenceWarning, SingularFitWarning, RankDeficientWarning, RWarning
        What lme4 has to say of the fit, and `LmerFit.conditions` keep.
    RowsLeftOutWarning

    Examples
    --------
    >>> from lmerbridge import lmer, load_dataset
    >>> fit = lmer("Reaction ~ Days + (Days | Subject)", load_dataset("sleepstudy"))
    >>> fit.fixef.round(4).to_dict()
    {'(Intercept)': 251.4051, 'Days': 10.4673}
    """
    spec = Spec(
        formula=formula,
        data=pandas_frame(data),
        reml=reml,
        weights=weights,
        offset=offset,
        subset=subset,
        na_action=na_action,
        contrasts=contrasts,
        start=start,
        control=control,
        allow=allow,
        double_bar=double_bar,
    )
    with time_limit(timeout):
        fit = LmerFit.of(spec)
    notices.give(fit.notices())
    return fit
