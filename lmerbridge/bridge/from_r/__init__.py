"""R's replies as Python values."""
