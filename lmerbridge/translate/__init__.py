"""From R's words for a model to what a Python engine takes, and back, without R."""
