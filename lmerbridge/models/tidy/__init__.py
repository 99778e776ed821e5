"""Tables in broom's words, and plots."""
