"""Results as frozen values, whoever computed them."""
