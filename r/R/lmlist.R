# Fit a linear model in each group and keep it, as fit_lmer() does. Returns the flat list of describe_lmlist().
fit_lmlist <- function(handle, formula, data, pool = TRUE, allow = character()) {
  scope <- formula_scope(data, allow)
  list <- eval(as.call(list(lme4::lmList, formula = eval(str2lang(formula), scope), data = quote(data), pool = pool)))
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
  summary <- summary(list)
  sd <- pooled_sd(list)
  by_row <- function(get) unlist(lapply(list[!is_empty(list)], get), use.names = FALSE)
  c(list(
    groups = names(list),
    terms = names(coef),
    coef = as.double(as.matrix(coef)),
    fixef = unname(lme4::fixef(list)),
    ranef = as.double(unlist(unclass(lme4::ranef(list))[names(coef)], use.names = FALSE)),
    table = as.vector(summary$coefficients[names(list), , names(coef)]),
    sigma = as.double(sd),
    df_residual = as.integer(attr(sd, "df")),
    group_sigma = as.double(summary$sigma),
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

# Intervals of the groups that could be fitted, by group, bound and term. lme4 takes the first group for a template.
lmlist_confint <- function(handle, level, pool) {
  list <- model_of(handle)
  fitted <- methods::new(class(list), Filter(Negate(is.null), as.list(list)), call = list@call, pool = list@pool,
                         groups = list@groups, origOrder = list@origOrder)
  bounds <- stats::confint(fitted, level = level, pool = pool)
  list(groups = dimnames(bounds)[[1L]], terms = dimnames(bounds)[[3L]], bound = as.vector(bounds@.Data))
}

# Predictions, with the numbers of their rows in `newdata`.
lmlist_predict <- function(handle, newdata) {
  anew <- intersect(statistics_offered, all.names(model_of(handle)@call$formula))
  if (length(anew)) refuse("R would compute ", anew[1L], "() anew from the new data; make a column of it before the fit")
  parts <- Filter(Negate(is.null), stats::predict(model_of(handle), newdata, asList = TRUE))
  list(rows = as.integer(unlist(lapply(parts, names))), value = as.double(unlist(parts, use.names = FALSE)))
}
