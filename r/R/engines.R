# Other engines in R. lme4 reads the formula and the data for them, so that all have the same rows, factors and
# columns. Each engine then fits by itself, and returns nothing that lme4 has estimated.

# Keep a model as lme4 reads it, without a fit. What lme4 says of dropped columns, `dropped_terms` tells.
read_lmer <- function(handle, formula, data, reml, na_action, contrasts, allow) {
  scope <- formula_scope(data, allow)
  call <- lmer_call(eval(str2lang(formula), scope), data, reml, na_action, contrasts, NULL, list(optimizer = NULL))
  model <- suppressMessages(eval(call, open_scope(new.env(parent = scope))))
  keep(handle, model, scope)
  model
}

# Keep a generalized model as lme4 reads it, without a fit: the matrices, the response as a proportion where it is
# binomial, and the numbers of trials as its weights.
read_glmer <- function(handle, formula, data, family, link, na_action, contrasts, allow) {
  scope <- formula_scope(data, allow)
  scope$cbind <- base::cbind
  formula <- eval(str2lang(formula), scope)
  check_response(formula, scope, family)
  counts <- family == "negative.binomial" # lme4 reads them as Poisson's, which has no shape
  call <- model_call(quote(lme4::glFormula), formula, list(family = family_call(if (counts) "poisson" else family, link)),
                     data, na_action, contrasts, NULL, NULL)
  read <- suppressMessages(eval(call, open_scope(new.env(parent = scope))))
  devfun <- do.call(lme4::mkGlmerDevfun, read[names(read) != "formula"])
  begin <- list(par = read$reTrms$theta, fval = NaN, conv = 1000L, message = "none")
  model <- lme4::mkMerMod(devfun_parts(devfun), begin, read$reTrms, read$fr)
  keep(handle, model, scope)
  model
}

# Python raises these conditions by their class: SetupError, NotExpressible, EngineFailed.
need <- function(package) {
  if (!requireNamespace(package, quietly = TRUE)) stop(errorCondition(package, class = "lmerbridge_not_installed"))
}

refuse_model <- function(...) stop(errorCondition(paste0(...), class = "lmerbridge_not_expressible"))

by_engine <- function(fit) {
  tryCatch(fit, error = function(e) {
    stop(errorCondition(conditionMessage(e), class = c("lmerbridge_engine_failed", class(e)), call = conditionCall(e)))
  })
}

# Describe what all engines have in one form. `covariances` and `modes` hold a matrix per random term, in lme4's order.
describe_engine <- function(model, loglik, covariances, modes) {
  blocks <- stats::setNames(lapply(covariances, with_correlation), names(lme4::VarCorr(model)))
  c(list(
    terms = colnames(model@pp$X),
    loglik = as.numeric(loglik),
    df = as.integer(attr(loglik, "df")),
    criterion = -2 * as.numeric(loglik),
    reml = lme4::isREML(model),
    rows = attr(model@frame, "row.names"),
    rows_dropped = length(attr(model@frame, "na.action")),
    dropped_terms = names(attr(model@pp$X, "col.dropped"))
  ), describe_blocks(model, blocks), describe_modes(mode_tables(model, modes)))
}

with_correlation <- function(covariance) {
  stddev <- sqrt(diag(covariance))
  structure(covariance, stddev = stddev, correlation = covariance / outer(stddev, stddev))
}

# One table per factor, with the columns of all its terms.
mode_tables <- function(model, modes) {
  assign <- attr(model@flist, "assign")
  table <- function(factor) {
    values <- do.call(cbind, modes[assign == factor])
    dimnames(values) <- list(levels(model@flist[[factor]]), unlist(model@cnms[assign == factor], use.names = FALSE))
    data.frame(values, check.names = FALSE)
  }
  stats::setNames(lapply(seq_along(model@flist), table), names(model@flist))
}

raw_terms <- function(model) lapply(seq_along(model@cnms), raw_term, model = model)

# A random term: the codes of its factor, and its columns over the rows.
raw_term <- function(model, t) {
  factor <- attr(model@flist, "assign")[t]
  codes <- as.integer(model@flist[[factor]])
  k <- length(model@cnms[[t]])
  columns <- vapply(seq_len(k), function(j) {
    model@pp$Zt[cbind(model@Gp[t] + (codes - 1L) * k + j, seq_along(codes))]
  }, double(length(codes)))
  list(factor = factor, codes = codes, columns = columns, names = paste0("z", t, "_", seq_len(k)))
}

# The response without its offset, beside the columns of the fixed part, which are named x1, x2, ...
plain_frame <- function(model, ...) {
  x <- structure(model@pp$X, dimnames = list(NULL, paste0("x", seq_len(ncol(model@pp$X)))))
  data.frame(y = model@resp$y - model@resp$offset, x, ...)
}

# The same of a generalized model, whose response keeps its offset. A binomial one comes as `y` successes and `n`
# failures; a product of a proportion and its trials is off a whole number by rounding.
glm_frame <- function(model, binomial, ...) {
  y <- model@resp$y
  trials <- model@resp$weights
  successes <- near_whole(y * trials)
  x <- structure(model@pp$X, dimnames = list(NULL, paste0("x", seq_len(ncol(model@pp$X)))))
  data.frame(y = if (binomial) successes else y, n = trials - successes, w = trials, o = model@resp$offset, x, ...)
}

near_whole <- function(values) ifelse(abs(values - round(values)) < 1e-8, round(values), values)

fixed_terms <- function(model) c("0", paste0("x", seq_len(ncol(model@pp$X))))
