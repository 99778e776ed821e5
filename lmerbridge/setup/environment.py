"""The environment that R runs in: the user's, less what would change its answers."""

from __future__ import annotations

import os
from pathlib import Path

CHOSEN = ("R_HOME", "R_ARCH", "R_MAX_VSIZE")  # which R, how much memory; all else named R_ tunes a session
LIBRARIES = ("R_LIBS", "R_LIBS_USER", "R_LIBS_SITE")
FIXED = {
    "LC_ALL": "C.UTF-8",  # names in any script, sorted alike everywhere
    "LANGUAGE": "en",  # R translates its messages by it, whatever the locale
    "TZ": "UTC",  # datetimes are seconds in it
    "R_PROFILE": os.devnull,  # rpy2 runs Rscript without --vanilla, and takes over the variables these files set
    "R_PROFILE_USER": os.devnull,
    "R_ENVIRON": os.devnull,
    "R_ENVIRON_USER": os.devnull,
    "OMP_NUM_THREADS": "1",  # a sum by several threads has other last bits
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


def environment() -> dict[str, str]:
    """Return the variables for a process that runs R."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("R_", "_R_")) or name in CHOSEN}
    libraries = {name: _absolute(os.environ.get(name, "")) for name in LIBRARIES}
    given = {name: folders for name, folders in libraries.items() if folders}
    return kept | given | FIXED | {"PYTHONPATH": _python_path()}


def _absolute(folders: str) -> str:
    """Leave out relative folders: what lies where the user happens to be was not chosen. R expands ~ and %."""
    return os.pathsep.join(folder for folder in folders.split(os.pathsep) if folder.startswith(("/", "~", "%")))


def _python_path() -> str:
    """Put this package first, so that the worker runs the code its host does."""
    package = str(Path(__file__).parents[2])
    return os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
