# Random numbers that a seed alone decides.

# Evaluate an expression as after RNGkind("Mersenne-Twister", "Inversion", "Rejection") and set.seed(seed), and put the
# session's own generator and state back; without a seed, go on with the session's.
with_seed <- function(seed, expr) {
  if (is.null(seed)) return(expr)
  if (!exists(".Random.seed", globalenv(), inherits = FALSE)) set.seed(NULL)
  before <- get(".Random.seed", globalenv()) # the kinds are in it
  on.exit(assign(".Random.seed", before, globalenv()))
  set.seed(as.integer(seed), "Mersenne-Twister", "Inversion", "Rejection")
  expr
}
