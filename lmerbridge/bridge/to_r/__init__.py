"""Python values on their way to R."""

from lmerbridge.bridge.to_r import columns, fitness, newdata, refusals

__all__ = ["columns", "fitness", "newdata", "refusals"]
