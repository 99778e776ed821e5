"""A fit for the functions of the package marginaleffects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmerbridge.inputs import check_signature
from lmerbridge.models.kept import KeptFit
from lmerbridge.setup.extras import import_extra

if TYPE_CHECKING:
    from lmerbridge.models.adapters.marginal import MarginalModel


@check_signature
def to_marginaleffects(fit: KeptFit) -> MarginalModel:
    """Return a fit as a model of the package marginaleffects.

    Its ``predictions``, ``comparisons``, ``slopes``, ``avg_...``, ``datagrid``, ``hypotheses`` and plots take it.

    Parameters
    ----------
    fit : LmerFit

    Returns
    -------
    MarginalModel
        A ``ModelAbstract`` of marginaleffects. Its predictions are those of the fixed part, random effects at zero, and
        its standard errors those of the covariance of the fixed effects; ``vcov="Kenward-Roger"`` takes the adjusted
        one. Its p-values and intervals are normal, unless ``df=`` says otherwise. The data are the rows used.

    Raises
    ------
    SetupError
        marginaleffects is not installed.
    InvalidArgument
        The fit has an ``offset=`` argument, which new rows do not bring; write offset(x) in the formula.
        Or its formula uses a name that marginaleffects has in tables of its own, such as ``group`` or ``type``.

    Notes
    -----
    Estimates are equal to those of `emmeans` with ``ddf="asymptotic"``. marginaleffects takes standard errors by
    differences of the coefficients, too small ones for slopes, whose errors may be off by a tenth. As predictions are
    linear in the coefficients, no step is too large: with ``eps_vcov=1`` all are exact.

    Examples
    --------
    >>> from lmerbridge import to_marginaleffects
    >>> from marginaleffects import avg_predictions
    >>> cake = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load_dataset("cake"))
    >>> avg_predictions(to_marginaleffects(cake), by="recipe")["estimate"].round(2).to_list()
    [33.12, 31.64, 31.6]
    """
    module = "lmerbridge.models.adapters.marginal"  # slow to load
    model: MarginalModel = import_extra(module, "marginaleffects", "to_marginaleffects()").MarginalModel(fit)
    return model
