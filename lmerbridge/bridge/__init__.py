"""The way to R and back."""
