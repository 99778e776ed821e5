"""Which R, lme4 and rpy2 fit together, and the command that installs them. Standard library only."""
