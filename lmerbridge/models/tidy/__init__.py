"""Tables in broom's words, and pictures."""
