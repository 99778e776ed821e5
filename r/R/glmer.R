# Generalized linear mixed models.

# Fit one by lme4::glmer and keep it. `family`, `link` and `theta` name its family, `n_agq` the nodes of its quadrature;
# the other arguments are those of fit_lmer(). Returns the flat list of describe_glmer().
fit_glmer <- function(handle, formula, data, family, link, theta = NULL, n_agq = 1L, na_action = "omit",
                      contrasts = NULL, start = NULL, control = NULL, allow = character()) {
  scope <- formula_scope(data, allow)
  scope$cbind <- base::cbind
  formula <- eval(str2lang(formula), scope)
  check_response(formula, scope, family, control$check.response.not.const)
  if (is.list(start)) names(start) <- sub("^beta$", "fixef", names(start)) # which every lme4 knows
  call <- model_call(quote(lme4::glmer), formula, list(family = family_call(family, link, theta), nAGQ = n_agq),
                     data, na_action, contrasts, start, control)
  model <- keep_constants(eval(call, open_scope(new.env(parent = scope))), scope)
  keep_glmer(handle, model, open_scope(scope))
}

# Fit a negative binomial model whose shape is estimated, by lme4::glmer.nb, from `init_theta` on where it is given. The
# other arguments are those of fit_glmer().
fit_glmer_nb <- function(handle, formula, data, init_theta = NULL, n_agq = 1L, na_action = "omit", contrasts = NULL,
                         start = NULL, control = NULL, allow = character()) {
  scope <- formula_scope(data, allow)
  formula <- eval(str2lang(formula), scope)
  check_response(formula, scope, "negative.binomial", control$check.response.not.const)
  if (is.list(start)) names(start) <- sub("^beta$", "fixef", names(start))
  own <- c(list(nAGQ = n_agq), if (!is.null(init_theta)) list(initCtrl = list(theta = init_theta)))
  call <- model_call(quote(lme4::glmer.nb), formula, own, data, na_action, contrasts, start, control, "glmerControl")
  model <- keep_constants(eval(call, open_scope(new.env(parent = scope))), scope)
  scope$.shape <- TRUE
  keep_glmer(handle, model, open_scope(scope))
}

# Warn where a verb holds the shape that a fit has estimated.
warn_of_shape <- function(entry, what) {
  if (isTRUE(entry$scope$.shape)) {
    warning("the shape is held at ", format(lme4::getME(entry$model, "glmer.nb.theta"), digits = 5L), " by ", what,
            " of lme4, so that its results are given this shape; update() estimates it anew", call. = FALSE)
  }
}

keep_glmer <- function(handle, model, scope) {
  model <- with_named_start(model)
  keep(handle, model, scope)
  describe_glmer(model)
}

# The model with names of the fixed effects in its start, by which lme4 picks those of a smaller model, as drop1() has.
with_named_start <- function(model) {
  start <- model@call$start
  if (is.list(start) && length(start$fixef) == length(model@beta)) {
    names(model@call$start$fixef) <- names(lme4::fixef(model))
  }
  model
}

# The call that makes a family.
family_call <- function(family, link, theta = NULL) {
  if (family == "negative.binomial") return(bquote(lme4::negative.binomial(theta = .(theta), link = .(link))))
  as.call(list(call("::", quote(stats), as.name(family)), link = link))
}

# Refuse a response that is not of its family. Constant ones pass where lme4's own check is set.
check_response <- function(formula, scope, family, constant = NULL) {
  if (grepl("^Negative Binomial", family)) family <- "negative.binomial"
  rows <- if (is.null(scope$data$.subset)) TRUE else scope$data$.subset
  y <- eval(formula[[2L]], scope$data, scope)
  if (is.matrix(y)) refuse_uncounted(formula[[2L]], scope)
  y <- if (is.matrix(y)) y[rows, , drop = FALSE] else y[rows]
  whole <- if (is.matrix(y)) stats::complete.cases(y) else !is.na(y)
  y <- if (is.matrix(y)) y[whole, , drop = FALSE] else y[whole]
  if (!length(y)) return(invisible())
  fault <- switch(if (is.matrix(y)) "matrix" else family, matrix = fault_of_matrix(y, family),
                  binomial = fault_of_binomial(y), poisson = , negative.binomial = fault_of_counts(y),
                  Gamma = , inverse.gaussian = if (any(y <= 0)) "must be positive throughout, and is not")
  if (is.null(fault) && is.null(constant) && is_constant(y)) {
    fault <- "is the same in every row; there is nothing to explain"
  }
  if (length(fault)) refuse_data("the response ", deparse1(formula[[2L]]), " ", fault)
}

# Refuse columns of cbind() that are no numbers: R binds the numbers of a factor's levels.
refuse_uncounted <- function(left, scope) {
  for (part in as.list(left)[-1L]) {
    value <- eval(part, scope$data, scope)
    if (!is.numeric(value) && !is.logical(value) || is.object(value) && !inherits(value, "AsIs")) {
      refuse_data("the response ", deparse1(left), " has ", deparse1(part), ", which is not of numbers; counts are expected")
    }
  }
}

fault_of_matrix <- function(y, family) {
  if (family != "binomial") return("has two columns, which only a binomial one may have; one of counts is expected")
  if (any(y < 0)) "has a negative count"
}

fault_of_binomial <- function(y) {
  if (is.factor(y)) {
    levels <- levels(droplevels(y))
    if (length(levels) <= 2L) return(NULL)
    return(paste0("has ", length(levels), " levels, ", toString(utils::head(levels, 4L)), if (length(levels) > 4L) ", ...",
                  ", and lme4 would take the first against all others; make a column of the one that counts, as in ",
                  "data.y == \"", levels[2L], "\""))
  }
  if (is.logical(y) || all(y >= 0 & y <= 1)) return(NULL)
  paste0("is ", format(y[y < 0 | y > 1][1L]), " in a row, and a binomial one is from 0 to 1; write counts as ",
         "cbind(successes, failures), or as proportions with the numbers of trials as weights")
}

fault_of_counts <- function(y) {
  if (any(y < 0)) return("is negative in a row; counts are expected")
  if (all(y == round(y))) return(NULL)
  paste0("is ", format(y[y != round(y)][1L]), " in a row, and counts are whole numbers; a rate is a count with ",
         "offset(log(exposure)) in the formula")
}

is_constant <- function(y) {
  if (is.matrix(y)) all(y[, 1L] == 0) || all(y[, 2L] == 0) else length(unique(y)) == 1L
}

# Stop because of the data. Python raises it as UnfitData.
refuse_data <- function(...) stop(errorCondition(paste0(...), class = "lmerbridge_unfit"))

# Describe a generalized linear mixed model: the list of describe_fit(), and what it has beside.
describe_glmer <- function(model) {
  fallback <- FALSE
  described <- withCallingHandlers(describe_fit(model), warning = function(w) {
    fallback <<- fallback || grepl("falling back to var-cov estimated from RX", conditionMessage(w), fixed = TRUE)
  })
  errors <- sqrt(diag(matrix(described$covariance, length(described$beta))))
  c(described, list(
    p_values = 2 * stats::pnorm(abs(described$beta / errors), lower.tail = FALSE),
    linear_predictor = model@resp$eta,
    residual_deviance = sum(stats::residuals(model@resp, "deviance")^2), # deviance() has none under na.exclude
    covariance_from = if (has_hessian(model) && !fallback) "hessian" else "RX",
    nb_theta = shape_of(model),
    constant = if (lacks_saturated(model)) saturated_loglik(model@resp) else 0,
    residual_row = has_dispersion(model@resp$family) && isTRUE(attr(lme4::VarCorr(model), "useSc"))
  ))
}

# Whether a family has a dispersion to estimate beside the mean.
has_dispersion <- function(family) family$family %in% c("Gamma", "inverse.gaussian", "gaussian")

# Whether the second derivatives of a fit are of its fixed effects too, as after nAGQ = 0 they are not.
has_hessian <- function(model) NROW(model@optinfo$derivs$Hessian) > length(model@theta)

# The shape of a negative binomial family, NaN of any other.
shape_of <- function(model) {
  found <- lme4::getME(model, "glmer.nb.theta")
  if (length(found) && !is.na(found)) as.double(found) else NaN
}

# The log-likelihood of the saturated model. Families with a dispersion have none.
saturated_loglik <- function(resp) {
  family <- resp$family
  if (has_dispersion(family)) return(NaN)
  mean <- resp$y
  if (startsWith(family$family, "Negative")) mean[mean == 0] <- .Machine$double.xmin # whose logarithm its density takes
  -sum(family$aic(resp$y, resp$n, mean, resp$weights, 0)) / 2
}

# The values of the linear predictor of the fit, the offset in it: of a linear model the fitted values.
link_values <- function(model) if (lme4::isGLMM(model)) model@resp$eta else model@resp$mu

# Means of values of the linear predictor, and how fast they change with it.
inverse_link <- function(handle, link) {
  family <- model_of(handle)@resp$family
  list(mean = as.double(family$linkinv(link)), slope = as.double(family$mu.eta(link)))
}

# Refuse to draw from families with a dispersion before 2.0-1, where lme4 takes sigma for a shape (its issue 782), and
# multiplies the variances of random effects by it (852).
refuse_dispersion <- function(model, what) {
  family <- stats::family(model)
  if (!lme4_since("2.0-1") && has_dispersion(family)) {
    refuse(what, " of ", if (startsWith(family$family, "i")) "an " else "a ", family$family, " model draws responses of ",
           "another variance than the model's before lme4 2.0-1, whose sigma is not the dispersion of this family")
  }
}

# A response as the fit has it, from numbers: successes of cbind(), and 0 and 1 of a factor.
as_response <- function(model, values) {
  own <- stats::model.response(model@frame)
  if (is.matrix(own)) {
    found <- cbind(values, rowSums(own) - values)
    colnames(found) <- colnames(own)
    return(found)
  }
  if (is.factor(own)) factor(levels(own)[values + 1L], levels(own)) else values
}

# A response as numbers.
as_values <- function(response) {
  if (is.factor(response)) as.integer(response) - 1L
  else if (is.matrix(response)) response[, 1L]
  else as.double(response)
}

# Refit a generalized model to a response by lme4's refit(), from the fit's estimates on.
refit_glmer <- function(model, response) {
  refitted <- refit_merMod()(model, as_response(model, response))
  sigma <- stats::sigma(refitted)
  c(-2 * as.numeric(stats::logLik(refitted)), sigma, lme4::isSingular(refitted),
    has_converged(refitted@optinfo$conv), refitted@theta, refitted@beta,
    as.vector(as.matrix(stats::vcov(refitted, correlation = FALSE))) / sigma^2)
}

# What a generalized model has for each row used, in broom's words. Cook's distance wants fixed effects.
row_parts <- function(handle) {
  model <- prediction_model(entry_of(handle))
  resp <- model@resp
  plain <- function(values) as.double(unname(values))
  list(fitted = plain(resp$eta), resid = plain(stats::residuals(resp, "deviance")), hat = plain(stats::hatvalues(model)),
       cooksd = if (ncol(model@pp$X)) plain(stats::cooks.distance(model)) else rep(NaN, length(resp$mu)),
       fixed = plain(stats::predict(model, re.form = NA)), mu = plain(resp$mu), offset = plain(resp$offset),
       sqrt_xwt = plain(resp$sqrtXwt), sqrt_rwt = plain(resp$sqrtrwt), weights = plain(resp$weights),
       wtres = plain(resp$wtres), gam = plain(resp$eta - resp$offset), eta = plain(resp$eta))
}

# -2 log-likelihood of the model without random effects, with all constants. A dispersion, or a shape that the fit
# estimated, would be estimated anew: then it is NaN.
criterion_of_glm <- function(handle) {
  entry <- entry_of(handle)
  resp <- entry$model@resp
  if (has_dispersion(resp$family) || isTRUE(entry$scope$.shape)) return(list(value = NaN))
  fit <- stats::glm.fit(entry$model@pp$X, resp$y, resp$weights, offset = resp$offset, family = resp$family)
  list(value = resp$family$aic(resp$y, resp$n, fit$fitted.values, resp$weights, fit$deviance))
}
