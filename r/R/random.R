# Random numbers that a seed alone decides.

# Evaluate an expression after RNGkind("Mersenne-Twister", "Inversion", "Rejection") and set.seed(seed), then restore
# the session's own generator and state. Without a seed the session's generator goes on.
with_seed <- function(seed, expr) {
  if (is.null(seed)) return(expr)
  with_state({
    set_generator(seed, "Mersenne-Twister")
    expr
  })$value
}

set_generator <- function(seed, kind) set.seed(as.integer(seed), kind, "Inversion", "Rejection")

# Evaluate an expression that sets the generator, then restore the session's own. Returns the `state` that it left too.
with_state <- function(expr) {
  if (!exists(".Random.seed", globalenv(), inherits = FALSE)) set.seed(NULL)
  before <- get(".Random.seed", globalenv()) # the kinds are in it
  on.exit(assign(".Random.seed", before, globalenv()))
  value <- expr
  list(value = value, state = get(".Random.seed", globalenv()))
}

at_state <- function(state, expr) {
  with_state({
    assign(".Random.seed", state, globalenv())
    expr
  })
}

# The state of a kind of generator after set.seed(seed).
first_state <- function(seed, kind) list(state = with_state(set_generator(seed, kind))$state)

# The state after so many normal deviates.
skip_normal <- function(state, count, at_once = 1e6) {
  at_state(state, while (count > 0) {
    stats::rnorm(min(count, at_once))
    count <- count - at_once
  })$state
}

# The random numbers of some replicates, in lanes, each with states of its own. lme4's simulate() draws the random effects
# of all replicates, then the responses of all. A lane is a list: `n` replicates of the `total` that its generator draws,
# the state at its `effects`, and that at its `errors`. If the latter is NULL, it is where the effects of all end.
#
# `own` are functions that stand in for those that simulate() calls, `begin` and `expect_effects` are called before it and
# before it draws effects. `errors` draws by a function of each lane's number, and `ends` tells the states then.
generators <- function(lanes) {
  now <- ends <- lanes
  expected <- FALSE
  sizes <- vapply(lanes, function(lane) as.integer(lane$n), 0L)
  effects <- function(each) {
    unlist(lapply(seq_along(now), function(i) {
      lane <- now[[i]]
      drawn <- at_state(lane$effects, stats::rnorm(lane$n * each))
      if (is.null(lane$errors)) now[[i]]$errors <<- skip_normal(drawn$state, (lane$total - lane$n) * each)
      now[[i]]$effects <<- drawn$state
      drawn$value
    }))
  }
  errors <- function(draw) {
    found <- lapply(seq_along(now), function(i) {
      lane <- now[[i]]
      drawn <- at_state(if (is.null(lane$errors)) lane$effects else lane$errors, draw(i))
      now[[i]]$errors <<- drawn$state
      drawn$value
    })
    ends <<- now
    found
  }
  normal <- function(n) {
    each <- n / sum(sizes)
    if (!expected) return(unlist(errors(function(i) stats::rnorm(sizes[i] * each))))
    expected <<- FALSE
    effects(each)
  }
  by_lane <- function(draw) function(object, nsim, ftd, wts) {
    each <- length(ftd) / sum(sizes)
    lane <- rep(seq_along(sizes), sizes * each)
    joined(errors(function(i) draw(object, nsim = nsim, ftd = ftd[lane == i], wts = wts)))
  }
  list(own = list(rnorm = normal, simfunList = lapply(family_simulators(), by_lane)), sizes = sizes, errors = errors,
       begin = function() {
         now <<- lanes
         expected <<- FALSE
       }, expect_effects = function() expected <<- TRUE, ends = function() ends)
}

# Join what the function of a family drew lane by lane: vectors, or lists of a matrix or factor.
joined <- function(parts) {
  if (!is.list(parts[[1L]])) return(unlist(parts))
  parts <- lapply(parts, `[[`, 1L)
  list(if (is.matrix(parts[[1L]])) do.call(rbind, parts) else unlist(parts))
}
