"""Results as frozen values, the same for every engine."""
