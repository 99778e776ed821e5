"""R's replies as Python values."""

from lmerbridge.bridge.from_r import notices, replies

__all__ = ["notices", "replies"]
