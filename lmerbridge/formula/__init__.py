"""A model formula as a value, read without R."""
