# The differences between releases of lme4, each under a name. lmerbridge/setup/compat.py lists which release has what.

lme4_since <- local({
  known <- list() # to ask takes a quarter of a millisecond
  function(version) {
    if (is.null(known[[version]])) known[[version]] <<- utils::packageVersion("lme4") >= version
    known[[version]]
  }
})

# The random terms of a formula, each written out as `columns | group`. The function moved to the package reformulas in
# 1.1-36, and says so.
find_bars <- function(form) suppressWarnings(lme4::findbars(form))

# The start at which an optimizer begins at the fit.
start_at <- function(model) {
  start <- if (is.null(structures_of(model))) list(theta = model@theta) else list(par = lme4::getME(model, "par"))
  if (lme4::isGLMM(model) && model@devcomp$dims[["nAGQ"]] > 0L) start$fixef <- lme4::fixef(model)
  start
}

# Whether each random term is singular, in lme4's order of terms.
singular_by_term <- function(model, tol) {
  structures <- structures_of(model)
  if (!is.null(structures)) return(vapply(structures, lme4::isSingular, TRUE, tol = tol, USE.NAMES = FALSE))
  vapply(lme4::getME(model, "Tlist"), function(factor) any(diag(factor) < tol), TRUE, USE.NAMES = FALSE)
}

# Wald's intervals under names such as "sd_(Intercept)|Subject". Before 2.0-1 their order is another, and before 1.1-38
# the argument has another name.
wald_intervals <- function(model) {
  if (lme4_since("1.1-38")) return(stats::confint(model, method = "Wald", signames = FALSE))
  stats::confint(model, method = "Wald", oldNames = FALSE)
}

# The values of a profile on the scale of variances. lme4 before 2.0-1 leaves standard deviations in the profile of a
# fixed effect, except in the row of the estimate.
on_varcov <- function(values, zeta, which, model) {
  variances <- seq_len(ncol(values) - ncol(model@pp$X))
  if (lme4_since("2.0-1") || which %in% variances) return(values)
  widths <- lengths(model@cnms)
  squared <- function(row) {
    sigma <- row[length(row)]
    lme4::Cv_to_Vv(lme4::Sv_to_Cv(row, n = widths, s = sigma), n = widths, s = sigma)
  }
  left <- zeta != 0
  values[left, variances] <- t(apply(values[left, variances, drop = FALSE], 1L, squared))
  values
}

# The spline from parameter to zeta through points of a profile, and the spline back. lme4 2.1 makes other splines
# where the points are not monotonic.
splines_through <- function(parameter, zeta) {
  own <- profile_splines()
  if (!is.null(own)) return(own(.zeta ~ parameter, data.frame(parameter = parameter, .zeta = zeta)))
  forward <- tryCatch(splines::interpSpline(parameter, zeta, na.action = stats::na.omit), error = identity)
  list(forward = forward, backward = tryCatch(splines::backSpline(forward), error = identity))
}

# lme4::checkConv, which needs `nobs` and `ndim` from 1.1-38 on, and takes upper bounds from 2.0-1 on.
check_conv <- function(..., nobs, ndim, ubound = NULL) {
  newer <- if (lme4_since("1.1-38")) list(nobs = nobs, ndim = ndim)
  upper <- if (lme4_since("2.0-1") && !is.null(ubound)) list(ubound = ubound)
  do.call(lme4::checkConv, c(list(...), newer, upper))
}

# Minimize an objective as lmer does. Where the control does not say whether derivatives are taken at the end, newer
# releases decide by size.
optimize_lmer <- function(devfun, control, start, nobs, minimize = lme4::optimizeLmer) {
  if (!length(control$optimizer)) {
    par <- own_point(devfun, start)
    return(list(par = par, fval = devfun(par), conv = 1000, message = "no optimization"))
  }
  derivs <- list(calc.derivs = control$calc.derivs)
  if (optwrap_takes("force.calc.derivs")) {
    conv <- control$checkConv
    small <- nobs < conv$check.conv.nobsmax && length(devfun_parts(devfun)$lower) < conv$check.conv.nparmax
    derivs <- list(calc.derivs = if (is.null(control$calc.derivs)) small else control$calc.derivs,
                   force.calc.derivs = isTRUE(control$calc.derivs))
  }
  do.call(minimize, c(
    list(devfun, optimizer = control$optimizer, restart_edge = control$restart_edge,
         boundary.tol = control$boundary.tol, control = control$optCtrl, verbose = 0L, start = start), derivs,
    list(use.last.params = control$use.last.params)
  ))
}

# The names of theta, and the kind of each random term's covariance, of what lme4 read of a formula.
names_of_theta <- function(terms) {
  name <- function(group, columns) {
    square <- diag(length(columns))
    at <- lower.tri(square, diag = TRUE)
    column <- columns[col(square)[at]]
    whose <- ifelse(square[at] == 1, column, paste(columns[row(square)[at]], column, sep = "."))
    paste(group, whose, sep = ".")
  }
  found <- unlist(Map(name, names(terms$cnms), terms$cnms), use.names = FALSE)
  if (length(found) == length(terms$theta)) found else paste0("theta", seq_along(terms$theta))
}

kinds_of <- function(terms) {
  if (is.null(terms$reCovs)) return("us")
  vapply(terms$reCovs, function(structure) sub("^Covariance[.]", "", class(structure)[1L]), "")
}

# Whether the log-likelihood of a generalized model is that of quadrature before 2.1-0, which leaves out the saturated
# model's.
lacks_saturated <- function(model) {
  lme4::isGLMM(model) && model@devcomp$dims[["nAGQ"]] > 1L && !lme4_since("2.1-0")
}

# Whether each gives all its columns one variance.
homs_of <- function(terms) {
  if (is.null(terms$reCovs)) return(FALSE)
  vapply(terms$reCovs, function(structure) methods::.hasSlot(structure, "hom") && structure@hom, NA)
}
