"""Principal components of random effects, as lme4's ``rePCA``."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from lmerbridge.results import Array, labels, shown


@shown("importance", "rotation")
@dataclass(frozen=True, eq=False, repr=False)
class PCA:
    """Principal components of the random effects of one grouping factor, relative to sigma.

    Attributes
    ----------
    group : str
    terms : tuple of str
        The ``k`` columns of all its random terms.
    standard_deviations : ndarray, shape (k,)
        Of each component; R's ``sdev``. One near zero is a dimension the data do not support.
    directions : ndarray, shape (k, k)
        One column per component; R's ``rotation``.
    """

    group: str
    terms: tuple[str, ...]
    standard_deviations: Array
    directions: Array

    @property
    def sdev(self) -> pd.Series:
        """Standard deviation by component."""
        return pd.Series(self.standard_deviations, index=self._components, name="sdev")

    @property
    def rotation(self) -> pd.DataFrame:
        """Directions: terms by components."""
        return pd.DataFrame(self.directions, index=labels(self.terms), columns=self._components)

    @property
    def importance(self) -> pd.DataFrame:
        """Table by component: sdev, and its proportion of the variance, alone and cumulative.

        R's ``summary`` rounds the proportions to five decimals; here they are whole.
        """
        variance = self.standard_deviations**2
        with np.errstate(invalid="ignore"):  # all zero: no proportion
            proportion = variance / variance.sum()
        columns = {"sdev": self.standard_deviations, "proportion": proportion, "cumulative": proportion.cumsum()}
        return pd.DataFrame(columns, index=self._components)

    @property
    def _components(self) -> pd.Index:
        return pd.Index([f"PC{i}" for i in range(1, len(self.terms) + 1)], name="component")
