"""Python values on their way to R."""
