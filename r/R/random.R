# Random numbers that a seed alone decides.

# Evaluate an expression after RNGkind("Mersenne-Twister", "Inversion", "Rejection") and set.seed(seed), then restore
# the session's own generator and state. Without a seed the session's generator goes on.
with_seed <- function(seed, expr) {
  if (is.null(seed)) return(expr)
  if (!exists(".Random.seed", globalenv(), inherits = FALSE)) set.seed(NULL)
  before <- get(".Random.seed", globalenv()) # the kinds are in it
  on.exit(assign(".Random.seed", before, globalenv()))
  set.seed(as.integer(seed), "Mersenne-Twister", "Inversion", "Rejection")
  expr
}
