"""Where the R sources are."""

from __future__ import annotations

from pathlib import Path


def r_directory() -> Path:
    """Return the folder of the R functions: beside the package in a checkout, inside it in a wheel."""
    package = Path(__file__).parent.parent
    packed = package / "_r"
    return packed if packed.is_dir() else package.parent / "r" / "R"
