"""Python values on their way to R."""

from lmerbridge.bridge.to_r import columns, newdata, refusals

__all__ = ["columns", "newdata", "refusals"]
