# Comparisons of a model with a smaller one by pbkrtest.

# Test the fixed effects that the smaller model lacks, or the rows of a matrix.
kr_modcomp <- function(handle, ...) {
  model <- for_pbkrtest(handle, "Kenward-Roger")
  found <- pbkrtest::KRmodcomp(model, restriction(model, "kr_modcomp()", ...))
  warn_of_scaling(found$stats$F.scaling)
  c(describe_tests(found$test, found), list(restriction = as.double(found$L)))
}

# Warn of an unreliable scaling. pbkrtest prints this with its summary only.
warn_of_scaling <- function(scaling) {
  if (scaling <= 0.2) {
    warning("the scaling factor of the F statistic is ", if (scaling > 0) "smaller than 0.2" else "negative",
            "; the unscaled statistic may be more reliable", call. = FALSE)
  }
}

sat_modcomp <- function(handle, ...) {
  model <- for_pbkrtest(handle, "Satterthwaite")
  restricted <- restriction(model, "sat_modcomp()", ...)
  if (is.matrix(restricted)) attr(restricted, "formula") <- stats::formula(model) # pbkrtest 0.5.5 asks a matrix too
  found <- pbkrtest::SATmodcomp(model, restricted)
  if (is.matrix(restricted)) found$formula.small <- found$L
  attributes(found$formula.large) <- NULL # as in its sisters; else its environment is printed
  c(describe_tests(found$test, found), list(restriction = as.double(found$L)))
}

# Test the likelihood ratio by pbkrtest's parametric bootstrap.
pb_modcomp <- function(handle, smaller, nsim, seed = NULL) {
  large <- model_of(handle)
  small <- model_of(smaller)
  refuse_unlike(large, small, "the model", "the smaller one")
  if (lme4::isLMM(small)) {
    refuse_weights(small, "lme4's simulate() leaves out of the variance of the errors")
  } else {
    refuse_dispersion(small, "simulate()")
  }
  if (!holds(large, small) || free_parameters(small) >= free_parameters(large)) {
    refuse("the smaller model is not a part of this one, or is all of it")
  }
  if (!ncol(small@pp$X)) refuse("pbkrtest's bootstrap wants a fixed effect in the smaller model, an intercept at least")
  models <- lapply(c(handle, smaller), function(h) of_rows_used(with_named_response(with_whole_call(entry_of(h)))))
  found <- tryCatch(
    with_seed(seed, if (lme4::isLMM(large)) {
      modcomp_by_ml(models[[1L]], models[[2L]], nsim)
    } else {
      pbkrtest::PBmodcomp(models[[1L]], models[[2L]], nsim = nsim, cl = 1L)
    }),
    error = function(e) {
      if (lme4::isLMM(large)) stop(e)
      refuse("pbkrtest ", written_version("pbkrtest"), " fails on generalized models (", conditionMessage(e),
             "); simulate() and refit() of both models give the same distribution")
    }
  )
  found$ctime <- NULL
  tests <- describe_tests(summary(found)$test, found)
  tests$text <- with_plain_response(tests$text, large)
  c(tests, list(reference = as.double(found$ref)))
}

# pbkrtest's test of linear models, each of which is fitted by ML once, and refitted to what is simulated by kept_refit().
modcomp_by_ml <- function(large, small, nsim) {
  with_ml <- function(model) structure(model, .ml = if (lme4::isREML(model)) stats::update(model, REML = FALSE) else model)
  large <- with_ml(large)
  small <- with_ml(small)
  ref <- reference_of(attr(large, ".ml"), attr(small, ".ml"), nsim)
  modcomp_with(list(update = function(object, ...) attr(object, ".ml")))(large, small, nsim = nsim, ref = ref)
}

# pbkrtest's simulated likelihood ratios of models by ML, by its own function.
reference_of <- function(large, small, nsim) {
  kept <- function(model) structure(model, .refit = kept_refit(model))
  refit <- function(object, newresp, ...) attr(object, ".refit")(newresp)
  loglik <- function(object, ...) if (is.numeric(object)) object else stats::logLik(object, ...)
  draw <- reference_with(list(refit = refit, logLik = loglik))
  structure(draw(kept(large), kept(small), nsim = nsim), class = "refdist")
}

free_parameters <- function(model) attr(stats::logLik(model), "df")

# A refusal comes before as.matrix(): where that is a generic, R 4.6 makes another error of one in its argument.
vcov_kr <- function(handle) {
  model <- kr_model(handle)
  list(value = as.vector(as.matrix(pbkrtest::vcovAdj(model))))
}

# Kenward-Roger's degrees of freedom of contrasts, which are the rows of a matrix, one after another.
ddf_lb <- function(handle, weights) {
  model <- kr_model(handle)
  rows <- matrix(weights, ncol = length(model@beta), byrow = TRUE)
  adjusted <- pbkrtest::vcovAdj(model)
  list(value = apply(rows, 1L, function(row) pbkrtest::Lb_ddf(row, stats::vcov(model), adjusted)))
}

kr_model <- function(handle) {
  model <- for_pbkrtest(handle, "Kenward-Roger")
  need_reml(model)
  model
}

for_pbkrtest <- function(handle, ddf) {
  entry <- entry_of(handle)
  check_ddf(entry$model, ddf)
  with_whole_call(entry)
}

# The restriction that the smaller model puts on the larger one: the smaller model itself, or a matrix whose rows come
# one after another. pbkrtest would exchange two models of which the first is the smaller, and accepts no model without
# fixed effects.
restriction <- function(model, what, smaller = NULL, weights = NULL) {
  if (is.null(smaller)) return(matrix(weights, ncol = length(model@beta), byrow = TRUE))
  small <- with_whole_call(entry_of(smaller))
  refuse_unlike(model, small, "the model", "the smaller one")
  if (!identical(model@cnms, small@cnms) || !identical(names(model@flist), names(small@flist))) {
    refuse(what, " compares fixed parts, and the two models have other random terms; use anova() or pb_modcomp()")
  }
  if (!holds(model, small) || rank_of(small@pp$X) >= rank_of(model@pp$X)) {
    refuse("the fixed part of the smaller model is not a part of this one's, or is all of it")
  }
  if (ncol(small@pp$X)) small else diag(length(model@beta))
}

# Whether the fixed part of a model contains that of another.
holds <- function(large, small) rank_of(cbind(large@pp$X, small@pp$X)) == rank_of(large@pp$X)

rank_of <- function(matrix) qr(matrix)$rank

# Make a model of some rows a model of all rows of less data. pbkrtest simulates responses for all rows of the data.
of_rows_used <- function(model) {
  rows <- attr(model@frame, "row.names")
  if (length(rows) == nrow(model@call$data)) return(model)
  model@call$data <- model@call$data[rows, , drop = FALSE]
  if (lme4::isGLMM(model)) stats::update(model) else stats::update(model, REML = FALSE)
}
