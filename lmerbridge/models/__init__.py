"""The models that R keeps, and every verb for them."""
