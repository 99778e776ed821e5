"""Packages that only some functions need."""

from __future__ import annotations

from importlib import import_module
from typing import Any
from warnings import catch_warnings, simplefilter

from lmerbridge.errors import SetupError


def import_extra(module: str, extra: str, purpose: str) -> Any:  # noqa: ANN401  # whatever the module holds
    """Import a module of an extra of this package, or one of ours that imports such a module.

    Raises
    ------
    SetupError
        It is not installed; the message names the extra.

    Examples
    --------
    >>> import_extra("math", "shap", "an Explanation").floor(1.5)
    1
    """
    try:
        with catch_warnings():
            simplefilter("ignore")  # what a package warns of while it is imported is not the user's to mend
            return import_module(module)
    except ImportError as error:
        lacking = (error.name or module).partition(".")[0]
        told = f"{purpose} needs {lacking}, which is not installed: pip install 'lmerbridge[{extra}]'"
        raise SetupError(told) from error
