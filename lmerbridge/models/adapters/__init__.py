"""A fit as other packages take a model."""
