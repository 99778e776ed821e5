"""Results as frozen values, the same for every engine."""

from lmerbridge.errors import Condition
from lmerbridge.results.block import CovarianceBlock, labels
from lmerbridge.results.covariance import SINGULAR, Array, triangle
from lmerbridge.results.design import Design, RandomTerm
from lmerbridge.results.display import shown
from lmerbridge.results.fit import Fit, GroupModes, LogLik, Numbers, Provenance, Tables
from lmerbridge.results.grouped import GroupedFit, GroupEstimates, long_table
from lmerbridge.results.kind import LMM, Kind
from lmerbridge.results.varcorr import VarCorr

__all__ = [
    "LMM",
    "SINGULAR",
    "Array",
    "Condition",
    "CovarianceBlock",
    "Design",
    "Fit",
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
    "labels",
    "long_table",
    "shown",
    "triangle",
]
