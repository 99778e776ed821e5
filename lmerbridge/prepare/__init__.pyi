from .centering import demean as demean
from .codes import code_levels as code_levels
from .explanation import explain_formula as explain_formula
from .groups import group_summary as group_summary
from .imputation import impute as impute
from .pictures import plot_groups as plot_groups
from .scaling import standardize as standardize
