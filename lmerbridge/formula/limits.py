"""Limits of a formula, so that reading it takes 10 ms at most, and R neither minutes nor all memory."""

BYTES = 20_000
NODES = 600  # names, constants and operators
DEPTH = 40  # R's parser holds 50 open parentheses
WEIGHT = 4_000  # nodes, doubled by each parenthesis around them: lme4 reads such an expression twice
RANDOM = 50  # terms, with || and / written out
TERMS = 4_100  # products met on the way to a sum; an interaction of twelve variables takes 4,083
ORDER = 20  # variables in one interaction
SIZE = 100  # a polynomial's degree, a spline's degrees of freedom, the pieces of a cut
COLUMNS = 1_000  # of a polynomial in several variables
END = 10_000  # of a sequence
CROSSED = 4  # factors, all of whose combinations become levels
