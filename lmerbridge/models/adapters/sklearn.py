"""A mixed model as an estimator of scikit-learn."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd

from lmerbridge.errors import FormulaError, InvalidArgument, MissingColumns, SetupError
from lmerbridge.formula import Name, parse
from lmerbridge.inputs import Frame, LmerControl, RowVector, pandas_frame
from lmerbridge.models.lmer import lmer
from lmerbridge.results import Array

try:
    from sklearn.base import BaseEstimator, RegressorMixin
    from sklearn.utils.validation import check_is_fitted
except ImportError as error:
    told = "LmerRegressor needs scikit-learn, which is not installed: pip install 'lmerbridge[sklearn]'"
    raise SetupError(told) from error


class LmerRegressor(RegressorMixin, BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """A linear mixed model as an estimator of scikit-learn: for pipelines, cross validation and grid search.

    It takes frames with named columns, by which the formula finds predictors and groups. So it does not satisfy
    scikit-learn's ``check_estimator``, which wants arrays without names.

    Parameters
    ----------
    formula : str
        As in `lmer`.
    reml : bool
        REML, or maximum likelihood.
    re_form : str
        Which random effects predictions count, as in `LmerFit.predict`: None is all of them, ``"~0"`` none.
    allow_new_levels : bool
        Whether groups may come that the fit has not seen, as with ``GroupKFold``; their random effects are zero.
    control : LmerControl or mapping
        As in `lmer`.

    Attributes
    ----------
    fit_ : LmerFit
    feature_names_in_ : ndarray of str
        The columns of the frame that it was fitted to.
    n_features_in_ : int

    Raises
    ------
    SetupError
        scikit-learn is not installed: raised when the name is imported.

    Examples
    --------
    >>> from lmerbridge import LmerRegressor
    >>> from sklearn.model_selection import GroupKFold, cross_val_score
    >>> model = LmerRegressor("Reaction ~ Days + (Days | Subject)")
    >>> model.fit(sleepstudy).predict(sleepstudy.head(2)).round(1)
    array([253.7, 273.3])
    >>> by_subject = {"groups": sleepstudy["Subject"], "cv": GroupKFold(3), "scoring": "neg_root_mean_squared_error"}
    >>> cross_val_score(model, sleepstudy, sleepstudy["Reaction"], **by_subject).shape
    (3,)
    """

    def __init__(
        self,
        formula: str,
        *,
        reml: bool = True,
        re_form: str | None = None,
        allow_new_levels: bool = True,
        control: LmerControl | Mapping[str, Any] | None = None,
    ) -> None:
        self.formula = formula
        self.reml = reml
        self.re_form = re_form
        self.allow_new_levels = allow_new_levels
        self.control = control

    def fit(
        self,
        X: Frame,  # noqa: N803  # scikit-learn's name
        y: RowVector = None,
        sample_weight: RowVector = None,
    ) -> LmerRegressor:
        """Fit the model with lme4.

        Parameters
        ----------
        X : DataFrame
            The columns of the formula. The response may be among them.
        y : array of one number per row, optional
            The response, in place of a column of ``X`` of its name.
        sample_weight : array of one number per row, optional
            Weights, as in `lmer`.

        Returns
        -------
        LmerRegressor
            Itself.
        """
        frame = pandas_frame(X)
        data = frame if y is None else frame.assign(**{self._response(): _values(y, len(frame))})
        self.fit_ = lmer(self.formula, data, reml=self.reml, control=self.control, weights=sample_weight)
        self.feature_names_in_ = np.array([str(name) for name in frame.columns], dtype=object)
        self.n_features_in_ = len(frame.columns)
        return self

    def predict(self, X: Frame) -> Array:  # noqa: N803
        """Predict the response of each row, in its unit.

        Parameters
        ----------
        X : DataFrame
            The columns of the right side of the formula.

        Returns
        -------
        ndarray, shape (n,)
            NaN where a value of the fixed part is missing.
        """
        check_is_fitted(self, "fit_")
        found = self.fit_.predict(X, re_form=self.re_form, allow_new_levels=self.allow_new_levels)
        return np.asarray(found, np.float64)

    def score(
        self,
        X: Frame,  # noqa: N803
        y: RowVector = None,
        sample_weight: RowVector = None,
    ) -> float:
        """Return the coefficient of determination of the predictions. Without ``y``, ``X`` has the response."""
        frame = pandas_frame(X)
        if y is None and self._response() not in frame.columns:
            raise MissingColumns([self._response()], frame.columns)
        truth = frame[self._response()] if y is None else y
        return float(super().score(X, truth, sample_weight))

    def _response(self) -> str:
        """Return the column that is the response, which the formula is to use as it is."""
        response = parse(self.formula).response
        if not isinstance(response, Name):
            told = "y is given, or a score asked for, and the formula transforms its response"
            raise FormulaError(f"{told}; write the plain column, and transform y with TransformedTargetRegressor.")
        return response.name


def _values(y: Any, rows: int) -> Array:  # noqa: ANN401  # whatever scikit-learn hands on
    """Return the response as an array without an index, since scikit-learn goes by rows."""
    values = y.to_numpy() if isinstance(y, pd.Series) else np.asarray(y)
    if values.shape != (rows,):
        raise InvalidArgument(f"y has shape {values.shape}; one value per row of X is expected, {rows} in all.")
    return values
