"""Results as frozen values, the same for every engine."""

from lmerbridge.errors import Condition
from lmerbridge.results.block import CovarianceBlock, labels
from lmerbridge.results.covariance import SINGULAR, Array, join, split, triangle
from lmerbridge.results.design import Design, RandomTerm
from lmerbridge.results.display import shown
from lmerbridge.results.family import Family, read_family
from lmerbridge.results.fit import Fit, GlmNumbers, GroupModes, LogLik, Numbers, Provenance, Tables
from lmerbridge.results.grouped import GroupedFit, GroupEstimates, long_table
from lmerbridge.results.kind import GLMM, LMM, NEGATIVE_BINOMIAL, NLMM, Kind, glmm
from lmerbridge.results.varcorr import VarCorr

__all__ = [
    "GLMM",
    "LMM",
    "NEGATIVE_BINOMIAL",
    "NLMM",
    "SINGULAR",
    "Array",
    "Condition",
    "CovarianceBlock",
    "Design",
    "Family",
    "Fit",
    "GlmNumbers",
    "GroupEstimates",
    "GroupModes",
    "GroupedFit",
    "Kind",
    "LogLik",
    "Numbers",
    "Provenance",
    "RandomTerm",
    "Tables",
    "VarCorr",
    "glmm",
    "join",
    "labels",
    "long_table",
    "read_family",
    "shown",
    "split",
    "triangle",
]
