# Profiles of a kept model's parameters, and the deviance they are profiles of.

# Names of the parameters in the order of lme4's confint() and profile(), which is another before 2.0: the standard
# deviations and correlations as in "sd_(Intercept)|Subject", "sigma", the fixed effects.
parameter_names <- function(handle) {
  names <- rownames(wald_intervals(model_of(handle)))
  list(name = names[!is.na(names)]) # lme4 2.1 names correlations that a homogeneous term has not
}

# The profile of the `which`-th of all parameters: zeta and the values of all, column by column; splines from the
# parameter to zeta (forward) and back; and its bounds. By short names: lme4's long ones do not fit a homogeneous term.
profile_parameter <- function(handle, which, prof.scale, ...) {
  model <- model_of(handle)
  found <- stats::profile(model, which, signames = TRUE, prof.scale = prof.scale, ...)
  values <- as.matrix(as.data.frame(found)[seq(2L, length(found) - 1L)])
  if (prof.scale == "varcov") values <- on_varcov(values, found$.zeta, which, model)
  c(list(zeta = found$.zeta, values = as.vector(values), lower = as.double(c(attr(found, "lower"), NA)[1L]),
         upper = as.double(c(attr(found, "upper"), NA)[1L])),
    describe_splines(attr(found, "forward")[1L], attr(found, "backward")[1L]))
}

# The spline from parameter to zeta through points of a profile, and the one back.
interpolated <- function(parameter, zeta) {
  found <- splines_through(parameter, zeta)
  describe_splines(found["forward"], found["backward"])
}

describe_splines <- function(forward, backward) c(describe_spline(forward, "forward."), describe_spline(backward, "backward."))

# A list of one spline, of an error, or of nothing. A natural one goes on as a line.
describe_spline <- function(found, prefix) {
  spline <- if (length(found) && inherits(found[[1L]], "spline")) found[[1L]]
  described <- list(as.double(spline$knots), as.double(spline$coefficients), inherits(spline, "npolySpline"))
  structure(described, names = paste0(prefix, c("knots", "coefficients", "natural")))
}

# lme4's deviance as a function of standard deviations, correlations and sigma, made once. What lme4 has to say of it is
# said whenever its optimum is asked for.
devfun2_of <- function(entry) {
  if (is.null(entry$scope$.devfun2)) entry$scope$.devfun2 <- with_warnings(lme4::devfun2(entry$model))
  entry$scope$.devfun2
}

devfun2_optimum <- function(handle) {
  found <- devfun2_of(entry_of(handle))
  lapply(found$warnings, warning)
  devfun <- found$value
  list(optimum = as.double(attr(devfun, "optimum")), deviance = as.double(attr(devfun, "basedev")),
       std_error = as.double(attr(devfun, "stderr")))
}

devfun2_at <- function(handle, point) {
  entry <- entry_of(handle)
  renew_unless_finite(entry$scope, ".devfun2", list(value = as.double(devfun2_of(entry)$value(point))))
}
