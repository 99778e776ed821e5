# Fit a linear model in each group and keep it, as fit_lmer() does. Returns the flat list of describe_lmlist(). The data
# may have weights and offsets by row, and which rows are to be used, as fit_lmer() has them.
fit_lmlist <- function(handle, formula, data, pool = TRUE, allow = character()) {
  if (!is.null(data$.subset)) data <- data[data$.subset, , drop = FALSE]
  scope <- formula_scope(data, allow)
  by_row <- lapply(c(weights = ".weights", offset = ".offset"), function(name) if (name %in% names(data)) as.name(name))
  call <- list(lme4::lmList, formula = eval(str2lang(formula), scope), data = quote(data), pool = pool)
  list <- eval(as.call(c(call, Filter(Negate(is.null), by_row))))
  keep(handle, list, scope)
  if (all(is_empty(list))) refuse("no group could be fitted; each needs rows, and two levels of each factor")
  aliased <- names(Filter(function(estimates) all(is.na(estimates)), stats::coef(list)))
  if (length(aliased)) refuse("no group can tell ", toString(aliased), " from the terms before; leave that out")
  describe_lmlist(list)
}

is_empty <- function(list) vapply(list, is.null, NA, USE.NAMES = FALSE)

# Describe the fits by group: tables column by column, then fitted values and residuals with the numbers of their rows.
describe_lmlist <- function(list) {
  coef <- stats::coef(list)
  sd <- pooled_sd(list)
  fits <- list[!is_empty(list)]
  by_row <- function(get) unlist(lapply(fits, get), use.names = FALSE)
  summary <- summary_lmlist(list, sd)
  c(list(
    groups = names(list),
    terms = names(coef),
    coef = quiet(as.double(as.matrix(coef))),
    fixef = unname(lme4::fixef(list)),
    ranef = quiet(as.double(unlist(unclass(lme4::ranef(list))[names(coef)], use.names = FALSE))),
    table = quiet(as.vector(summary$coefficients[names(list), , names(coef)])),
    sigma = as.double(sd),
    df_residual = as.integer(attr(sd, "df")),
    squares = sum(by_row(stats::deviance)),
    df_by_rank = as.integer(sum(by_row(stats::df.residual))),
    group_sigma = quiet(as.double(summary$sigma)),
    failed = names(list)[is_empty(list)],
    rows = as.integer(by_row(function(fit) names(stats::fitted(fit)))),
    fitted_values = by_row(stats::fitted),
    residual_values = by_row(stats::residuals)
  ), lmlist_loglik(list))
}

lmlist_loglik <- function(list) {
  if (any(is_empty(list))) return(list(loglik = NaN, df = 0L, nobs = 0L))
  loglik <- stats::logLik(list)
  list(loglik = as.numeric(loglik), df = as.integer(attr(loglik, "df")), nobs = as.integer(attr(loglik, "nobs")))
}

# The summary of a list. lme4 has none with a pooled standard deviation that has no degrees of freedom: all that stands
# on it is missing then.
summary_lmlist <- function(list, sd) {
  pool <- list@pool && !is.na(sd)
  summary <- summary(list, pool = pool)
  if (list@pool && !pool) summary$coefficients[, -1L, ] <- NaN
  summary
}

# Intervals of the groups that could be fitted, by group, bound and term, in lme4's way, which takes the terms of the
# first group for those of all.
lmlist_confint <- function(handle, level, pool) {
  list <- model_of(handle)
  fits <- list[!is_empty(list)]
  terms <- names(stats::coef(list))
  tail <- (1 - level) / 2
  sd <- if (pool) pooled_sd(list)
  wide <- if (pool) sd * stats::qt(c(tail, 1 - tail), attr(sd, "df"))
  in_order <- function(bounds) matrix(bounds[match(terms, rownames(bounds)), ], ncol = 2L)
  bounds <- vapply(fits, function(fit) in_order(bounds_of(fit, level, wide)), matrix(0, length(terms), 2L))
  list(groups = names(fits), terms = terms, bound = quiet(as.vector(aperm(bounds, 3:1))))
}

# Limits by term of one group, which may lack terms that others have.
bounds_of <- function(fit, level, wide) {
  if (is.null(wide)) return(stats::confint(fit, level = level))
  estimates <- stats::coef(fit)
  estimates + sqrt(diag(summary(fit)$cov.unscaled)[names(estimates)]) %o% wide
}

# Predictions, with the numbers of their rows in `newdata`. lme4 adds the offset of the fit's own rows.
lmlist_predict <- function(handle, newdata) {
  list <- model_of(handle)
  anew <- intersect(statistics_offered, all.names(list@call$formula))
  if (length(anew)) refuse("R would compute ", anew[1L], "() anew from the new data; make a column of it before the fit")
  if (!is.null(list@call$offset)) {
    refuse("the list has an offset by row, which new data has none for; write it into the formula, as offset(column)")
  }
  list[] <- lapply(list, function(fit) {
    fit$call$offset <- NULL
    fit
  })
  parts <- Filter(Negate(is.null), stats::predict(list, newdata, asList = TRUE))
  rows <- as.integer(unlist(lapply(parts, names)))
  list(rows = rows, value = as.double(unlist(parts, use.names = FALSE)) + offset_of(list@call$formula, newdata)[rows])
}

# The offset that a list's formula has in new data.
offset_of <- function(formula, newdata) {
  formula[[3L]] <- formula[[3L]][[2L]]
  frame <- stats::model.frame(stats::delete.response(stats::terms(formula)), newdata, na.action = stats::na.pass)
  offset <- stats::model.offset(frame)
  if (is.null(offset)) numeric(nrow(newdata)) else offset
}
