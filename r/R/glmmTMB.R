# Fit with glmmTMB::glmmTMB. Returns the flat list that fit_nlme() returns.
fit_glmmTMB <- function(handle, formula, data, reml = TRUE, na_action = "omit", contrasts = NULL, allow = character()) {
  need("glmmTMB")
  if (!is.null(data$.weights)) refuse_model("glmmTMB's weights multiply the likelihood; lme4's divide the variance")
  model <- read_lmer(handle, formula, data, reml, na_action, contrasts, allow)
  terms <- raw_terms(model)
  by_engine(describe_tmb(model, terms, fit_tmb(model, terms, reml)))
}

describe_tmb <- function(model, terms, fit) {
  c(list(beta = unname(glmmTMB::fixef(fit)$cond), covariance = as.vector(tmb_vcov(fit)),
         sigma = stats::sigma(fit), fitted_values = unname(stats::fitted(fit)) + model@resp$offset,
         residual_values = unname(stats::residuals(fit)),
         converged = fit$fit$convergence == 0L && isTRUE(fit$sdr$pdHess), optimizer = "nlminb",
         version = written_version("glmmTMB")),
    describe_engine(model, stats::logLik(fit), lapply(seq_along(terms), tmb_covariance, fit = fit),
                    lapply(terms, tmb_modes, fit = fit)))
}

# An error of vcov() is told as such: the fit itself went well.
tmb_vcov <- function(fit) {
  tryCatch(stats::vcov(fit)$cond, error = function(e) {
    stop(errorCondition(paste("vcov() of the fit fails:", conditionMessage(e)), class = class(e), call = conditionCall(e)))
  })
}

fit_tmb <- function(model, terms, reml) {
  columns <- lapply(terms, function(term) structure(term$columns, dimnames = list(NULL, term$names)))
  groups <- lapply(model@flist, function(f) factor(as.integer(f)))
  names(groups) <- paste0("g", seq_along(groups))
  bars <- vapply(terms, function(term) sprintf("(0 + %s | g%d)", paste(term$names, collapse = " + "), term$factor), "")
  glmmTMB::glmmTMB(stats::reformulate(c(fixed_terms(model), bars), "y"), plain_frame(model, columns, groups),
                   REML = reml)
}

tmb_covariance <- function(t, fit) {
  covariance <- glmmTMB::VarCorr(fit)$cond[[t]]
  matrix(covariance, nrow(covariance))
}

tmb_modes <- function(term, fit) {
  found <- glmmTMB::ranef(fit)$cond[[paste0("g", term$factor)]]
  unname(as.matrix(found[as.character(seq_len(max(term$codes))), term$names, drop = FALSE]))
}

# Fit a generalized model with glmmTMB::glmmTMB, by Laplace's approximation. `theta` is the shape of a negative binomial
# family, NULL where it is estimated. Returns the flat list of fit_glmmTMB(), and the shape as `nb_theta`.
fit_glmmTMB_glmm <- function(handle, formula, data, family, link, theta = NULL, na_action = "omit", contrasts = NULL,
                             allow = character()) {
  need("glmmTMB")
  model <- read_glmer(handle, formula, data, family, link, na_action, contrasts, allow)
  terms <- raw_terms(model)
  by_engine(describe_tmb_glmm(model, terms, fit_tmb_glmm(model, terms, family, link, theta), family, link))
}

describe_tmb_glmm <- function(model, terms, fit, family, link) {
  described <- describe_tmb(model, terms, fit)
  mean <- unname(stats::fitted(fit))
  shape <- if (family == "negative.binomial") stats::sigma(fit) else NaN
  of <- eval(family_call(family, link, shape))
  described$residual_values <- sign(model@resp$y - mean) * sqrt(of$dev.resids(model@resp$y, mean, model@resp$weights))
  described$fitted_values <- mean
  described$sigma <- if (family %in% c("binomial", "poisson", "negative.binomial")) 1 else stats::sigma(fit)
  c(described, list(nb_theta = shape))
}

fit_tmb_glmm <- function(model, terms, family, link, theta) {
  binomial <- family == "binomial"
  columns <- lapply(terms, function(term) structure(term$columns, dimnames = list(NULL, term$names)))
  groups <- lapply(model@flist, function(f) factor(as.integer(f)))
  names(groups) <- paste0("g", seq_along(groups))
  bars <- vapply(terms, function(term) sprintf("(0 + %s | g%d)", paste(term$names, collapse = " + "), term$factor), "")
  response <- if (binomial) quote(cbind(y, n)) else quote(y)
  given <- list(stats::reformulate(c(fixed_terms(model), bars), response), quote(frame),
                family = tmb_family(family, link), offset = quote(o), weights = if (!binomial) quote(w))
  frame <- glm_frame(model, binomial, columns, groups)
  call <- as.call(c(quote(glmmTMB::glmmTMB), Filter(Negate(is.null), given)))
  if (!is.null(theta)) call <- as.call(c(as.list(call), held_shape(call, theta, environment())))
  eval(call)
}

tmb_family <- function(family, link) {
  if (family == "negative.binomial") glmmTMB::nbinom2(link) else eval(family_call(family, link))
}

# The arguments of a call that hold the shape of a negative binomial family. The parameter, its logarithm, is `betad`, or
# `betadisp` in newer releases.
held_shape <- function(call, theta, frame) {
  call$doFit <- FALSE
  name <- intersect(c("betad", "betadisp"), names(eval(call, frame)$parameters))
  list(start = stats::setNames(list(log(theta)), name), map = stats::setNames(list(factor(NA)), name))
}
