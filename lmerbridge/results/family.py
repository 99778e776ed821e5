"""Distributions of a response, and their links to the linear predictor."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from lmerbridge.errors import InvalidArgument

LINKS = {  # the families of R that glmer fits, each with its own link
    "binomial": "logit",
    "poisson": "log",
    "Gamma": "inverse",
    "inverse.gaussian": "1/mu^2",
    "gaussian": "identity",
    "negative.binomial": "log",
}
MADE = ("logit", "probit", "cauchit", "cloglog", "identity", "log", "sqrt", "1/mu^2", "inverse")  # by stats::make.link
DISPERSED = frozenset(("Gamma", "inverse.gaussian", "gaussian"))
WRITTEN = re.compile(r"\s*([A-Za-z._]+)\s*(?:\(\s*(?:link\s*=\s*)?[\"']?([^\"'()]*?)[\"']?\s*\)\s*)?")
QUASI = "a quasi-likelihood has no density, so glmer cannot fit it; model overdispersion by a random effect per row"


@dataclass(frozen=True)
class Family:
    """A distribution of the response, and its link.

    Attributes
    ----------
    name : str
        R's: ``"binomial"``, ``"poisson"``, ``"Gamma"``, ``"inverse.gaussian"``, ``"gaussian"``,
        ``"negative.binomial"``.
    link : str
        One of those that ``stats::make.link`` knows: ``"logit"``, ``"probit"``, ``"cauchit"``, ``"cloglog"``,
        ``"identity"``, ``"log"``, ``"sqrt"``, ``"1/mu^2"``, ``"inverse"``. Without it, the family's own.
    theta : float or None
        Shape of ``negative.binomial``, whose variance is ``mu + mu**2 / theta``; None of the others.

    Raises
    ------
    InvalidArgument
        There is no such family or link.

    Examples
    --------
    >>> Family("binomial")
    Family(name='binomial', link='logit', theta=None)
    """

    name: str
    link: str = ""
    theta: float | None = None

    def __post_init__(self) -> None:
        spelled = {name.casefold(): name for name in (*LINKS, *MADE)}
        for field in ("name", "link"):
            given = getattr(self, field)
            if not isinstance(given, str):
                raise InvalidArgument(f"the {field} of a family is {given!r}; text is expected.")
            object.__setattr__(self, field, spelled.get(given.casefold(), given))
        if self.name.casefold().startswith("quasi"):
            raise InvalidArgument(f"family is {self.name!r}; {QUASI}.")
        if self.name not in LINKS:
            raise InvalidArgument(f"family is {self.name!r}; one of {', '.join(LINKS)} is expected.")
        object.__setattr__(self, "link", self.link or LINKS[self.name])
        if self.link not in MADE:
            told = f"one of {', '.join(MADE)} is expected, as in {self.name}({LINKS[self.name]})"
            raise InvalidArgument(f"the link of {self.name} is {self.link!r}; {told}.")
        self._check_theta()

    def _check_theta(self) -> None:
        wanted = self.name == "negative.binomial"
        known = isinstance(self.theta, int | float) and not isinstance(self.theta, bool) and 0 < self.theta < 1e300
        if wanted and not known:
            told = "a positive number is expected, as in Family('negative.binomial', theta=2); glmer_nb() estimates it"
            raise InvalidArgument(f"theta of a negative binomial family is {self.theta!r}; {told}.")
        if not wanted and self.theta is not None:
            raise InvalidArgument(f"theta is {self.theta!r}, and {self.name} has none; leave it out.")

    def __str__(self) -> str:
        return f"{self.name}({self.link})"

    def __iter__(self) -> Iterator[str]:
        """Yield the name and the link."""
        return iter((self.name, self.link))

    def __len__(self) -> int:
        return 2

    def __getitem__(self, place: int) -> str:
        """Return the name, at 0, or the link, at 1."""
        return (self.name, self.link)[place]

    @property
    def family(self) -> str:
        """The name, under the word that R has for it."""
        return self.name

    @property
    def has_scale(self) -> bool:
        """Whether a dispersion is estimated beside the mean."""
        return self.name in DISPERSED


def read_family(given: object) -> Family:
    """Return a family from itself or from text: ``"binomial"``, ``"binomial(probit)"``, ``"negative.binomial(2)"``.

    Raises
    ------
    InvalidArgument

    Examples
    --------
    >>> str(read_family("binomial(link = 'probit')")), read_family("Negative.Binomial(2)").theta
    ('binomial(probit)', 2.0)
    """
    if isinstance(given, Family):
        return given
    found = WRITTEN.fullmatch(given) if isinstance(given, str) else None
    if found is None:
        told = "text such as 'binomial' or 'binomial(probit)', or a Family, is expected"
        raise InvalidArgument(f"family is {given!r}; {told}.")
    name, inner = found[1], found[2] or ""
    if name.casefold() == "negative.binomial":
        return Family(name, theta=_number(inner))
    return Family(name, inner)


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
