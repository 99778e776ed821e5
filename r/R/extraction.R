# The contents of a kept model, in the form of describe().

me_part <- function(handle, name) describe(lme4::getME(model_of(handle), name))

# The modes as a table. lme4 has none where two terms of a group share a name, so that it is given numbers for names.
ranef_table <- function(handle) {
  modes <- lme4::ranef(model_of(handle), condVar = TRUE)
  term <- unlist(lapply(modes, function(frame) rep(names(frame), each = nrow(frame))), use.names = FALSE)
  for (group in names(modes)) names(modes[[group]]) <- seq_along(modes[[group]])
  table <- as.data.frame(modes)
  table$term <- term
  describe(table)
}

# Fixed plus random effects. lme4 adds the first of two random effects of a name twice, so that it is given their sum.
coef_tables <- function(handle) {
  model <- model_of(handle)
  modes <- lapply(lme4::ranef(model, condVar = FALSE), sum_by_name)
  describe(unclass(coef_merMod(list(ranef = function(...) modes))(model)))
}

sum_by_name <- function(modes) {
  each <- sapply(unique(names(modes)), function(name) rowSums(modes[names(modes) == name]), simplify = FALSE)
  data.frame(each, row.names = rownames(modes), check.names = FALSE)
}

fixef_all <- function(handle) describe(lme4::fixef(model_of(handle), add.dropped = TRUE))

# The conditional covariance of the modes of each factor: terms by terms by levels. Where a factor has several terms,
# lme4 cuts its blocks from the covariance of all modes and leaves out the covariances between two terms.
cond_var <- function(handle) {
  model <- model_of(handle)
  found <- lapply(lme4::ranef(model, condVar = TRUE), attr, "postVar")
  several <- names(Filter(is.list, found))
  if (length(several)) {
    whole <- mode_covariance(model)
    found[several] <- lapply(several, function(factor) blocks_of(whole, mode_positions(model, factor)))
  }
  describe(found)
}

# The covariance of all modes given beta and the estimated variances, as lme4 computes it.
mode_covariance <- function(model) {
  lambdat <- lme4::getME(model, "Lambdat")
  stats::sigma(model)^2 * Matrix::crossprod(lambdat, Matrix::solve(lme4::getME(model, "L"), lambdat, system = "A"))
}

blocks_of <- function(whole, positions) {
  block <- function(at) as.matrix(whole[at, at, drop = FALSE])
  array(apply(positions, 2L, block), c(nrow(positions), dim(positions)))
}

vcov_of <- function(handle, correlation, sigm = NULL, use_hessian = NULL) {
  model <- model_of(handle)
  if (isTRUE(use_hessian) && !has_hessian(model)) {
    refuse("use_hessian is True, and the fit has no Hessian: it was made with n_agq=0, or with calc_derivs=False")
  }
  found <- stats::vcov(model, correlation = correlation, sigm = if (is.null(sigm)) stats::sigma(model) else sigm,
                       use.hessian = use_hessian)
  describe(as.matrix(if (correlation) found@factors$correlation else found))
}

# The joint covariance of modes and fixed effects. lme4's own leaves out the permutation of L, so that its numbers are
# wrong wherever the permutation changes anything.
vcov_full <- function(handle) {
  model <- model_of(handle)
  factor <- lme4::getME(model, "L")
  lambdat <- Matrix::solve(factor, lme4::getME(model, "Lambdat"), system = "P")
  random <- Matrix::solve(factor, lambdat, system = "L")
  fixed <- solve_any(t(lme4::getME(model, "RX")))
  between <- -fixed %*% t(lme4::getME(model, "RZX")) %*% random
  none <- Matrix::Matrix(0, nrow(factor), ncol(fixed))
  half <- stats::sigma(model) * rbind(cbind(random, none), cbind(between, fixed))
  found <- unname(as.matrix(Matrix::crossprod(half)))
  describe(if (is.null(attr(model@pp$X, "scaled:scale"))) found else unscale(found, model@pp$X))
}

# solve(), which also takes a matrix without rows.
solve_any <- function(a, b = diag(nrow(a))) if (nrow(a)) solve(a, b) else b

# Change the joint covariance of an autoscaled model to the units of its columns.
unscale <- function(joint, x) {
  scale <- attr(x, "scaled:scale")
  at <- seq(to = nrow(joint), length.out = ncol(x))
  units <- diag(nrow(joint))
  scaled <- at[match(names(scale), colnames(x))]
  units[cbind(scaled, scaled)] <- 1 / scale
  units[at[colnames(x) == "(Intercept)"], scaled] <- -attr(x, "scaled:center") / scale
  units %*% joint %*% t(units)
}

# The columns of the fixed part. Those of an autoscaled model have their own units; lme4's model.matrix() stops where
# there is one column only.
model_matrix <- function(handle) {
  x <- original_x(model_of(handle))
  describe(array(x, dim(x), list(NULL, colnames(x))))
}

# The fixed model matrix in the units of the data, which lmerControl(autoscale = TRUE) changes.
original_x <- function(model) {
  x <- model@pp$X
  scale <- attr(x, "scaled:scale")
  for (name in names(scale)) x[, name] <- x[, name] * scale[[name]] + attr(x, "scaled:center")[[name]]
  x
}

model_frame <- function(handle, fixed_only) {
  frame <- stats::model.frame(model_of(handle), fixed.only = fixed_only)
  attr(frame, "row.names") <- seq_len(nrow(frame))
  describe(frame)
}

model_terms <- function(handle, fixed_only, random_only) {
  model <- model_of(handle)
  terms <- stats::terms(model, fixed.only = fixed_only, random.only = random_only)
  variables <- vapply(as.list(attr(terms, "variables"))[-1L], deparse1, "")
  response <- attr(terms, "response")
  list(
    formula = deparse1(stats::formula(terms)),
    variables = variables,
    labels = attr(terms, "term.labels"),
    order = attr(terms, "order"),
    factors = as.integer(attr(terms, "factors")),
    intercept = attr(terms, "intercept") == 1L,
    response = if (response > 0L) variables[response] else "",
    assign = c("(Intercept)", attr(stats::terms(model), "term.labels"))[attr(model@pp$X, "assign") + 1L]
  )
}

formula_of <- function(handle, fixed_only, random_only) {
  list(text = deparse1(stats::formula(model_of(handle), fixed.only = fixed_only, random.only = random_only)))
}

call_of <- function(handle) list(text = deparse1(stats::getCall(model_of(handle))))

prior_weights <- function(handle) list(values = model_of(handle)@resp$weights)

working_weights <- function(handle) {
  model <- model_of(handle)
  values <- stats::weights(model, type = "working")
  list(values = if (length(values) == length(model@resp$y)) values else values[!is.na(values)])
}

# The log-likelihood at the estimates under both criteria, whichever of them was optimized. lme4 2.1 takes the weights
# that na.exclude pads with NA, and gives NA.
criteria <- function(handle) {
  model <- model_of(handle)
  attr(model@frame, "na.action") <- NULL
  list(loglik = c(stats::logLik(model, REML = TRUE), stats::logLik(model, REML = FALSE)),
       deviance = c(lme4::REMLcrit(model), stats::deviance(model, REML = FALSE)))
}

extract_aic <- function(handle, k) {
  found <- stats::extractAIC(model_of(handle), k = k)
  list(edf = as.integer(found[1L]), aic = found[2L])
}

llik_aic <- function(handle) list(values = unname(lme4::llikAIC(model_of(handle), chkREML = FALSE)$AICtab))

optinfo <- function(handle) {
  model <- model_of(handle)
  info <- model@optinfo
  said <- vapply(info$warnings, function(w) if (inherits(w, "condition")) conditionMessage(w) else paste(w), "")
  list(
    optimizer = c(info$optimizer, "")[1L],
    name = c(names(lme4::getME(model, "lower")), names(lme4::fixef(model)))[seq_along(info$val)],
    value = as.double(info$val),
    code = as.integer(info$conv$opt),
    message = paste(as.character(info$message), collapse = "\n"),
    function_evals = as.integer(info$feval)[1L],
    warnings = as.character(said),
    gradient = as.double(info$derivs$gradient),
    hessian = as.double(info$derivs$Hessian)
  )
}

# lme4's checks of convergence, repeated with the fit's own control.
convergence <- function(handle) {
  entry <- entry_of(handle)
  control <- entry$model@call$control
  default <- if (lme4::isGLMM(entry$model)) lme4::glmerControl else lme4::lmerControl
  control <- if (is.null(control)) default() else eval(control, entry$scope)
  info <- entry$model@optinfo
  found <- suppressMessages(suppressWarnings(check_conv(
    derivs = info$derivs, coefs = info$val, ctrl = control$checkConv, lbound = lower_bounds(entry$model),
    nobs = nrow(entry$model@frame), ndim = length(info$val)
  )))
  list(optimizer = as.integer(info$conv$opt), code = as.integer(found$code), messages = as.character(found$messages))
}

# The lower bounds of all that was optimized: theta, and with it the fixed effects of a generalized model.
lower_bounds <- function(model) {
  lower <- lme4::getME(model, "lower")
  c(lower, rep(-Inf, length(model@optinfo$val) - length(lower)))
}

is_singular <- function(handle, tol) list(value = lme4::isSingular(model_of(handle), tol = tol))

singular_terms <- function(handle, tol) list(value = singular_by_term(model_of(handle), tol))

varcorr_of <- function(handle, sigma) {
  bare <- function(block) matrix(as.vector(block), nrow(block))
  describe(lapply(lme4::VarCorr(model_of(handle), sigma = sigma), function(block) {
    list(covariance = bare(block), stddev = unname(attr(block, "stddev")),
         correlation = bare(attr(block, "correlation")))
  }))
}

varcorr_text <- function(handle, comp) {
  list(text = utils::capture.output(print(lme4::VarCorr(model_of(handle)), comp = comp)))
}

re_pca <- function(handle) {
  part <- function(pca) list(sdev = pca$sdev, rotation = as.matrix(pca$rotation))
  describe(lapply(lme4::rePCA(model_of(handle)), part))
}
