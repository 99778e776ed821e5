# The bootstrap: simulated responses, and the model refitted to each of them.

# Draw `n` responses of the `total` that lme4::bootMer draws, one after another, over the rows used. `effects` and `errors`
# are the states of the generator where this block begins, and in what is returned where it ends; the latter is NULL in
# the first block.
draw_block <- function(handle, n, total, effects, errors = NULL, ...) {
  numbers <- generators(list(list(n = n, total = total, effects = effects, errors = errors)))
  response <- draw_replicates(handle, n, numbers, ...)
  end <- numbers$ends()[[1L]]
  list(response = response, effects = end$effects, errors = end$errors)
}

# Draw responses, each from a stream of its own. `stream` is the state at the first, which the others follow.
draw_streams <- function(handle, n, stream, ...) {
  lanes <- vector("list", n)
  for (i in seq_len(n)) {
    lanes[[i]] <- list(n = 1L, total = 1L, effects = stream)
    stream <- parallel::nextRNGStream(stream)
  }
  list(response = draw_replicates(handle, n, generators(lanes), ...))
}

# `re_form` names the random effects that keep their values. `parameters` may hold a beta, theta and sigma to simulate
# from.
draw_replicates <- function(handle, n, numbers, type = "parametric", re_form = "~0", parameters = NULL) {
  drawn <- switch(type, parametric = draw_parametric, semiparametric = draw_semiparametric)
  as.vector(drawn(entry_of(handle), n, numbers, re_form, parameters))
}

# Draw by the model's own variances, as simulate_model() does.
draw_parametric <- function(entry, n, numbers, re_form, parameters) {
  by_kind <- if (lme4::isGLMM(entry$model)) draw_glmer else draw
  form <- chosen_effects(re_form, entry$scope)
  by_kind(prediction_model(entry), n, NULL, NULL, parameters, form, numbers = numbers)
}

# Add residuals to the conditional means. They are drawn with replacement, and standardized where there are weights.
draw_semiparametric <- function(entry, n, numbers, ...) {
  if (lme4::isGLMM(entry$model)) refuse("a semiparametric bootstrap adds residuals to means, which gives no counts")
  resp <- entry$model@resp
  root <- sqrt(resp$weights)
  residuals <- ((resp$y - resp$mu) * root)[root > 0]
  root[root == 0] <- 1
  one <- function() resp$mu + sample(residuals, length(resp$y), replace = TRUE) / root
  unlist(numbers$errors(function(lane) replicate(numbers$sizes[lane], one())))
}

# Refit a kept model to responses, one after another, starting at theta. The numbers of a response do not depend on
# those before it. They come replicate by replicate; a replicate that failed has NaN, and its reason in `error`.
refit_responses <- function(handle, response, theta) {
  entry <- entry_of(handle)
  warn_of_shape(entry, "bootMer()")
  response <- matrix(response, nrow = length(entry$model@resp$y))
  one <- refit_by(entry, theta)
  refit <- function(i) {
    tryCatch(one(response[, i]), error = function(e) {
      entry$scope$.devfun_of_refits <- NULL # it does not recover from a point where it has no value
      conditionMessage(e)
    })
  }
  each <- lapply(seq_len(ncol(response)), refit)
  failed <- vapply(each, is.character, NA)
  width <- 4L + length(theta) + ncol(entry$model@pp$X) * (1L + ncol(entry$model@pp$X))
  values <- matrix(NaN, width, length(each))
  values[, !failed] <- unlist(each[!failed])
  list(values = as.vector(values), error = vapply(each, function(found) if (is.character(found)) found else "", ""))
}

# The function that refits to one response.
refit_by <- function(entry, theta) {
  if (lme4::isGLMM(entry$model)) return(function(response) refit_glmer(prediction_model(entry), response))
  scale <- par_scale(entry$model)
  function(response) refit_one(devfun_of_refits(entry), response, theta, scale)
}

# The deviance function whose response is set by each refit, kept for the next call. It is taken away from the model,
# whose own has the model's response.
devfun_of_refits <- function(entry) {
  if (is.null(entry$scope$.devfun_of_refits)) {
    entry$scope$.devfun_of_refits <- deviance_function(entry)
    entry$scope$.devfun <- NULL
  }
  entry$scope$.devfun_of_refits
}

refit_one <- function(devfun, response, theta, scale) {
  rho <- devfun_parts(devfun)
  set_response(devfun, response)
  found <- minimum(devfun, to_par(devfun, theta), scale)
  criterion <- devfun(found$par)
  if (!is.finite(criterion)) stop("the criterion has no finite value where the optimizer ended")
  c(criterion, residual_sd(rho), at_bound(devfun, found$par), found$converged, rho$pp$theta, rho$pp$beta(1),
    as.vector(rho$pp$unsc()))
}

# Minimize the objective by nlminb. Where nlminb stops early, or ends near zero, where the objective is flat, bobyqa
# starts from a point off zero, and the better of the two ends counts. A column of a Cholesky factor may change its
# sign, so zero need not be a bound, at which either optimizer may stop too early. The bounds of a correlation are
# bounds.
minimum <- function(devfun, start, scale) {
  least <- devfun_parts(devfun)$lower
  bounded <- !all(least %in% c(0, -Inf))
  lower <- if (bounded) least * scale else -Inf
  upper <- if (bounded) upper_of(devfun) * scale else Inf
  value <- function(p) devfun(p / scale)
  found <- stats::nlminb(start * scale, value, lower = lower, upper = upper,
                         control = list(iter.max = 500L, eval.max = 1000L))
  near <- least == 0 & abs(found$par) < 0.05
  converged <- found$convergence == 0L
  if (any(near) || !converged) {
    again <- minqa::bobyqa(replace(found$par, near, 0.3), value, lower, upper,
                           control = list(rhobeg = 0.2, rhoend = 1e-8))
    if (!isTRUE(found$objective <= again$fval)) {
      found <- again
      converged <- again$ierr == 0L
    }
  }
  par <- found$par / scale
  if (!bounded) par <- par * ifelse(par[least == 0] < 0, -1, 1)[cumsum(least == 0)]
  list(par = at_zero(devfun, par), converged = converged)
}

# Set to zero what differs from it by the optimizer's last digits, as lmer does.
at_zero <- function(devfun, par, tolerance = 1e-5) {
  zero <- devfun_parts(devfun)$lower == 0 & par < tolerance
  if (!any(zero)) return(par)
  changed <- replace(par, zero, 0)
  if (devfun(changed) <= devfun(par) + 1e-9) changed else par
}

# Whether a parameter is at a bound, by the rule of lme4::isSingular.
at_bound <- function(devfun, par, tolerance = 1e-4) {
  any(par - devfun_parts(devfun)$lower < tolerance, upper_of(devfun) - par < tolerance)
}

residual_sd <- function(rho) {
  sqrt((rho$resp$wrss() + rho$pp$sqrL(1)) / (length(rho$resp$y) - rho$resp$REML))
}

# Describe what all refits of a kept model share: the response of the fit, and the number of the theta at each place of
# the factor of each random term's covariance, 0 where there is none. Matrices come column by column.
describe_refits <- function(handle) {
  model <- model_of(handle)
  lambdat <- model@pp$Lambdat
  lambdat@x <- as.double(lme4::getME(model, "Lind"))
  factor_of <- function(term) {
    at <- model@Gp[term] + seq_along(model@cnms[[term]])
    as.vector(Matrix::t(lambdat[at, at, drop = FALSE]))
  }
  own <- if (lme4::isGLMM(model)) as_values(stats::model.response(model@frame)) else model@resp$y
  list(response = own, index = as.integer(unlist(lapply(seq_along(model@cnms), factor_of))))
}
