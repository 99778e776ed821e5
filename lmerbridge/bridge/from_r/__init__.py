"""R's replies as Python values."""

from lmerbridge.bridge.from_r import notices, replies, shapes

__all__ = ["notices", "replies", "shapes"]
