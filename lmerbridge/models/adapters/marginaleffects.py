"""A fit for the functions of the package marginaleffects."""

from __future__ import annotations

from typing import TYPE_CHECKING

from lmerbridge.errors import SetupError
from lmerbridge.inputs import check_signature
from lmerbridge.models.kept import KeptFit

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

    Notes
    -----
    What is linear in the coefficients is exact, and equal to `emmeans` with ``ddf="asymptotic"``. marginaleffects takes
    slopes by differences of a ten-thousandth of a variable's range: their standard errors agree in three digits.

    Examples
    --------
    >>> from lmerbridge import to_marginaleffects
    >>> from marginaleffects import avg_predictions
    >>> cake = lmer("angle ~ recipe + temp + (1 | recipe:replicate)", load_dataset("cake"))
    >>> avg_predictions(to_marginaleffects(cake), by="recipe")["estimate"].round(2).to_list()
    [33.12, 31.64, 31.6]
    """
    try:
        from lmerbridge.models.adapters.marginal import MarginalModel  # slow to load
    except ImportError as error:
        raise SetupError(f"{error.name} is not installed; pip install 'lmerbridge[marginaleffects]'.") from error
    return MarginalModel(fit)
