"""Plain R on a fitted model: what a verb's numbers are compared with."""

import numpy as np

from lmerbridge.models.kept import model_of
from tests.fits import fit_of
from tests.processes import in_r

MODELS = {  # formula, data set, package
    "sleepstudy": ("Reaction ~ Days + (Days | Subject)", "sleepstudy", None),
    "pastes": ("strength ~ 1 + (1 | batch / cask)", "Pastes", None),
    "penicillin": ("diameter ~ 1 + (1 | plate) + (1 | sample)", "Penicillin", None),
    "cake": ("angle ~ recipe * temperature + (1 | recipe:replicate)", "cake", None),
    "orthodont": ("distance ~ age * Sex + (age | Subject)", "Orthodont", "nlme"),
    "double_bar": ("Reaction ~ Days + (Days || Subject)", "sleepstudy", None),
}


def fitted(name, *, reml=True):
    """The fit of one of the models, made once a session; nobody changes it."""
    return fit_of(*MODELS[name], reml=reml)


IN_R = """local({
  m <- get("model_of", environment(sys.function(1L)))("%s")
  %s
}, new.env(parent = asNamespace("lme4")))"""


def plain(fit, code):
    """Evaluate R code in which `m` is a fit's model in R and lme4's functions are at hand, and return its value.

    The value is to be a vector without names or classes: ``as.vector(as.matrix(x))``, ``unlist(x, use.names = FALSE)``.
    Numbers come as an array, texts as a list; `NULL` as an empty list.
    """
    model = model_of(fit)
    return in_r(IN_R % (model.handle, code), model.worker)


def same_bits(ours, theirs):
    """Whether two vectors are the same doubles, NaN where NaN."""
    return np.array_equal(np.asarray(ours, float).ravel(order="F"), np.asarray(theirs, float), equal_nan=True)
