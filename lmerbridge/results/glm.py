"""Log densities of the families of R, and their derivatives by the linear predictor.

Every family is written as ``log f = w (y t - b(t)) / phi + c`` with the natural parameter ``t`` (McCullagh and Nelder
1989, section 2.2), whose derivatives and those of the mean are all that the weights and their slopes need.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Literal, TypeAlias

import numpy as np
from scipy.special import digamma, gammaln

from lmerbridge.results import links
from lmerbridge.results.covariance import Array
from lmerbridge.results.family import Family

Weights: TypeAlias = Literal["expected", "observed"]  # of a Newton step
LARGE = 50.0  # from here Stirling's series of four terms gives log gamma to rounding


@dataclass(frozen=True, eq=False)
class Response:
    """The responses of one family at given linear predictors.

    Attributes
    ----------
    family : Family
    y : ndarray, shape (n,)
        Proportions where the family is binomial.
    weights : ndarray, shape (n,)
        Numbers of trials of a binomial, precisions of a gaussian, and what log densities are multiplied by elsewhere,
        as in R.
    eta : ndarray, shape (n,)
        Linear predictors.
    shape : float
        Shape of a negative binomial, and dispersion ``phi`` of a family that has one, where the variance is
        ``phi V(mu)``; nothing else reads it.

    Examples
    --------
    >>> import numpy as np
    >>> two = Response(Family("binomial"), np.array([0.5]), np.array([2.0]), np.array([0.0]))
    >>> np.exp(two.log_density).round(3), two.expected
    (array([0.5]), array([0.5]))
    """

    family: Family
    y: Array
    weights: Array
    eta: Array
    shape: float = 1.0

    @property
    def mean(self) -> Array:
        """Mean of each row, on the scale of the response."""
        value: Array = self._mean[0]
        return value

    @property
    def dispersion(self) -> float:
        """What the variance function is multiplied by: 1 where the family has no scale."""
        return self.shape if self.family.has_scale else 1.0

    @cached_property
    @np.errstate(all="ignore")
    def log_density(self) -> Array:
        """Log density of each row, all constants included, NaN where the mean is none of the family."""
        density: Array = DENSITIES[self.family.name](self)
        low, high = RANGES[self.family.name]
        return np.where((self.mean >= low) & (self.mean <= high), density, np.nan)

    @cached_property
    @np.errstate(all="ignore")
    def score(self) -> Array:
        """First derivative of the log density."""
        score: Array = self._scale * self._residual * self._natural[1]
        return score

    @cached_property
    @np.errstate(all="ignore")
    def observed(self) -> Array:
        """Observed weight: the second derivative with its sign changed."""
        weight: Array = self.expected - self._scale * self._residual * self._natural[2]
        return weight

    @cached_property
    @np.errstate(all="ignore")
    def expected(self) -> Array:
        """Expected weight, as Fisher scoring has it."""
        weight: Array = self._scale * self._mean[1] * self._natural[1]
        return weight

    @cached_property
    @np.errstate(all="ignore")
    def observed_slope(self) -> Array:
        """Derivative of the observed weight."""
        mean, natural = self._mean, self._natural
        inner: Array = mean[2] * natural[1] + 2 * mean[1] * natural[2] - self._residual * natural[3]
        return self._scale * inner

    @cached_property
    @np.errstate(all="ignore")
    def expected_slope(self) -> Array:
        """Derivative of the expected weight."""
        slope: Array = self._scale * (self._mean[2] * self._natural[1] + self._mean[1] * self._natural[2])
        return slope

    def weight(self, kind: Weights) -> Array:
        """Return the observed or the expected weight."""
        return self.observed if kind == "observed" else self.expected

    def weight_slope(self, kind: Weights) -> Array:
        """Return its derivative by the linear predictor."""
        return self.observed_slope if kind == "observed" else self.expected_slope

    def weight_by_shape(self, kind: Weights) -> Array:
        """Return its derivative by the shape."""
        if self.family.has_scale:
            return -self.weight(kind) / self.shape
        mean, (_, first, second, _) = self._mean, self._natural_by_shape
        observed = self._residual * second if kind == "observed" else 0.0
        slope: Array = self.weights * (mean[1] * first - observed)
        return slope

    @cached_property
    @np.errstate(all="ignore")
    def density_by_shape(self) -> Array:
        """Derivative of the log density by the shape."""
        slope: Array = SHAPE_SLOPES[self.family.name](self)
        return slope

    @property
    def score_by_shape(self) -> Array:
        """Derivative of the score by the shape."""
        if self.family.has_scale:
            return -self.score / self.shape
        slope: Array = self.weights * self._residual * self._natural_by_shape[1]
        return slope

    @property
    def _natural_by_shape(self) -> Array:
        return -links.raise_to(self._mean + self.shape * links.one(self.eta), -1.0)

    @cached_property
    @np.errstate(all="ignore")
    def deviance(self) -> Array:
        """Unit deviance of each row times its weight, not divided by the dispersion."""
        deviance: Array = DEVIANCES[self.family.name](self)
        return np.maximum(self.weights * deviance, 0.0)

    @property
    def deviance_residuals(self) -> Array:
        """Signed roots of the deviances."""
        return np.sign(self._residual) * np.sqrt(self.deviance)

    @property
    def sd(self) -> Array:
        """Standard deviation of each row, NaN where it is zero."""
        with np.errstate(all="ignore"):
            sd: Array = np.abs(self._mean[1]) / np.sqrt(self.expected)
        return sd

    @property
    def saturated(self) -> float:
        """Log-likelihood of the model with a mean of its own in each row, at the same shape."""
        return float((self.log_density + self.deviance / (2 * self.dispersion)).sum())

    @cached_property
    @np.errstate(all="ignore")
    def _mean(self) -> Array:
        return links.mean(self.family.link, self.eta)

    @cached_property
    @np.errstate(all="ignore")
    def _natural(self) -> Array:
        natural: Array = NATURAL[self.family.name](self)
        return natural

    @cached_property
    def _scale(self) -> Array:
        return self.weights / self.dispersion

    @cached_property
    @np.errstate(all="ignore")
    def _residual(self) -> Array:
        if self.family.name == "binomial":  # nothing cancels where the mean is 1
            residual: Array = self.y * np.exp(self.log_complement[0]) - (1 - self.y) * self.mean
            return residual
        return self.y - self.mean

    @cached_property
    @np.errstate(all="ignore")
    def log_mean(self) -> Array:
        """Logarithm of the mean and its derivatives, shape (4, n)."""
        return links.log_mean(self.family.link, self.eta)

    @cached_property
    @np.errstate(all="ignore")
    def log_complement(self) -> Array:
        """Logarithm of one less the mean and its derivatives, shape (4, n)."""
        return links.log_complement(self.family.link, self.eta)


def start(family: Family, y: Array, weights: Array) -> Array:
    """Linear predictors to start from, near the response of each row, as R's families have them.

    Parameters
    ----------
    family : Family
    y, weights : ndarray, shape (n,)

    Returns
    -------
    ndarray, shape (n,)
    """
    least = max(float(np.abs(y).max(initial=0.0)) * 1e-3, 1e-3)
    mean = {
        "binomial": (weights * y + 0.5) / (weights + 1),
        "poisson": y + 0.1,
        "negative.binomial": np.where(y == 0, 1 / 6, y),
    }.get(family.name, y if family.link == "identity" else np.maximum(y, least))
    return links.predictor(family.link, mean)


NATURAL: dict[str, Callable[[Response], Array]] = {
    "binomial": lambda r: r.log_mean - r.log_complement,
    "poisson": lambda r: r.log_mean,
    "negative.binomial": lambda r: r.log_mean - links.log(r._mean + r.shape * links.one(r.eta)),
    "Gamma": lambda r: -links.raise_to(r._mean, -1.0),
    "inverse.gaussian": lambda r: -links.raise_to(r._mean, -2.0) / 2,
    "gaussian": lambda r: r._mean,
}


RANGES = dict.fromkeys(NATURAL, (0.0, np.inf)) | {"binomial": (0.0, 1.0), "gaussian": (-np.inf, np.inf)}  # of means


def _binomial(r: Response) -> Array:
    k, n = r.weights * r.y, r.weights
    ways = gammaln(n + 1) - gammaln(k + 1) - gammaln(n - k + 1)
    density: Array = ways + n * (_times(r.y, r.log_mean[0]) + _times(1 - r.y, r.log_complement[0]))
    return density


def _poisson(r: Response) -> Array:
    density: Array = r.weights * (_times(r.y, r.log_mean[0]) - r.mean - gammaln(r.y + 1))
    return density


def _negative_binomial(r: Response) -> Array:
    y, s = r.y, r.shape
    counts = _rising(y, s) - gammaln(y + 1)
    density: Array = r.weights * (counts + _times(y, r.log_mean[0]) - (y + s) * np.log1p(r.mean / s))
    return density


def _gamma(r: Response) -> Array:
    a = 1 / r.shape
    density: Array = r.weights * (
        -a * _gamma_deviance(r) / 2 - _stirling(a) + np.log(a / (2 * np.pi)) / 2 - np.log(r.y)
    )
    return density


def _inverse_gaussian(r: Response) -> Array:
    return -r.weights * (np.log(2 * np.pi * r.shape * r.y**3) + _inverse_gaussian_deviance(r) / r.shape) / 2


def _gaussian(r: Response) -> Array:
    return -(np.log(2 * np.pi * r.shape / r.weights) + r.weights * (r.y - r.mean) ** 2 / r.shape) / 2


DENSITIES: dict[str, Callable[[Response], Array]] = {
    "binomial": _binomial,
    "poisson": _poisson,
    "negative.binomial": _negative_binomial,
    "Gamma": _gamma,
    "inverse.gaussian": _inverse_gaussian,
    "gaussian": _gaussian,
}


def _binomial_deviance(r: Response) -> Array:
    hits = _times(r.y, np.log(r.y) - r.log_mean[0])
    return 2 * (hits + _times(1 - r.y, np.log1p(-r.y) - r.log_complement[0]))


def _poisson_deviance(r: Response) -> Array:
    return 2 * (_times(r.y, np.log(r.y) - r.log_mean[0]) - r.y + r.mean)


def _negative_binomial_deviance(r: Response) -> Array:
    ratio = np.log1p((r.y - r.mean) / (r.mean + r.shape))
    return 2 * (_times(r.y, np.log(r.y) - r.log_mean[0]) - (r.y + r.shape) * ratio)


def _gamma_deviance(r: Response) -> Array:
    ratio = np.log(r.y) - r.log_mean[0]
    deviance: Array = 2 * (np.expm1(ratio) - ratio)
    return deviance


def _inverse_gaussian_deviance(r: Response) -> Array:
    return (r.y - r.mean) ** 2 / (r.mean**2 * r.y)


DEVIANCES: dict[str, Callable[[Response], Array]] = {
    "binomial": _binomial_deviance,
    "poisson": _poisson_deviance,
    "negative.binomial": _negative_binomial_deviance,
    "Gamma": _gamma_deviance,
    "inverse.gaussian": _inverse_gaussian_deviance,
    "gaussian": lambda r: (r.y - r.mean) ** 2,
}


def _negative_binomial_slope(r: Response) -> Array:
    y, s, mean = r.y, r.shape, r.mean
    gammas = digamma(y + s) - digamma(s) - y / s
    return r.weights * (gammas - np.log1p(mean / s) + (y + s) * mean / (s * (s + mean)))


def _gamma_slope(r: Response) -> Array:
    a = 1 / r.shape
    slope: Array = r.weights * a**2 * (_gamma_deviance(r) / 2 - np.log(a) + digamma(a))
    return slope


SHAPE_SLOPES: dict[str, Callable[[Response], Array]] = {
    "negative.binomial": _negative_binomial_slope,
    "Gamma": _gamma_slope,
    "inverse.gaussian": lambda r: (r.deviance / r.shape - r.weights) / (2 * r.shape),
    "gaussian": lambda r: (r.deviance / r.shape - 1) / (2 * r.shape),
}


def _times(count: Array, log: Array) -> Array:
    """Return the product, which is 0 where the count is, whatever the logarithm."""
    return np.where(count == 0, 0.0, count * log)


def _stirling(a: float | Array) -> Array:
    """Return what Stirling's formula leaves of log gamma: ``log gamma(a) - (a - 1/2) log a + a - log(2 pi) / 2``."""
    a = np.asarray(a, float)
    direct = gammaln(a) - (a - 0.5) * np.log(a) + a - np.log(2 * np.pi) / 2
    series = (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * a**2)) / a**2) / a**2) / a
    return np.where(a < LARGE, direct, series)


def _rising(y: Array, s: float) -> Array:
    """Return ``log gamma(y + s) - log gamma(s) - y log s``, in which nothing large cancels."""
    if s < LARGE:
        direct: Array = gammaln(y + s) - gammaln(s) - y * np.log(s)
        return direct
    return (s + y - 0.5) * np.log1p(y / s) - y + _stirling(s + y) - _stirling(s)
