# Profiles of a kept model's parameters, and the deviance that they profile.

# The names of the parameters in the order of lme4's confint() and profile(), which is another before 2.0. They are the
# standard deviations and correlations, such as "sd_(Intercept)|Subject", then "sigma", then the fixed effects.
parameter_names <- function(handle) {
  names <- rownames(wald_intervals(model_of(handle)))
  list(name = names[!is.na(names)]) # lme4 2.1 names correlations that a homogeneous term has not
}

# Profile the parameter whose number is `which`. Returns zeta and the values of all parameters, column by column; the
# splines from the parameter to zeta (forward) and back; and the bounds. The names are lme4's short ones: the long ones
# do not fit a homogeneous term.
profile_parameter <- function(handle, which, prof.scale, ...) {
  model <- for_profile(model_of(handle))
  found <- stats::profile(model, which, signames = TRUE, prof.scale = prof.scale, ...)
  values <- as.matrix(as.data.frame(found)[seq(2L, length(found) - 1L)])
  if (prof.scale == "varcov") values <- on_varcov(values, found$.zeta, which, model)
  c(list(zeta = found$.zeta, values = as.vector(values), lower = as.double(c(attr(found, "lower"), NA)[1L]),
         upper = as.double(c(attr(found, "upper"), NA)[1L])),
    describe_splines(attr(found, "forward")[1L], attr(found, "backward")[1L]))
}

# The model that lme4's profile() is given. Of a generalized model it leaves the parameters where it ended in the model
# itself, so that simulate() then draws with other variances.
for_profile <- function(model) {
  if (!lme4::isGLMM(model)) return(model)
  model@pp <- model@pp$copy()
  model@resp <- model@resp$copy()
  model
}

# The spline from parameter to zeta through points of a profile, and the spline back.
interpolated <- function(parameter, zeta) {
  found <- splines_through(parameter, zeta)
  describe_splines(found["forward"], found["backward"])
}

describe_splines <- function(forward, backward) {
  c(describe_spline(forward, "forward."), describe_spline(backward, "backward."))
}

# Describe a list of one spline, of one error, or of nothing. A natural spline goes on as a line.
describe_spline <- function(found, prefix) {
  spline <- if (length(found) && inherits(found[[1L]], "spline")) found[[1L]]
  described <- list(as.double(spline$knots), as.double(spline$coefficients), inherits(spline, "npolySpline"))
  structure(described, names = paste0(prefix, c("knots", "coefficients", "natural")))
}

# lme4's deviance as a function of standard deviations, correlations and sigma. It is made once; the warnings of its
# making are given each time its optimum is asked for.
devfun2_of <- function(entry) {
  if (is.null(entry$scope$.devfun2)) entry$scope$.devfun2 <- with_warnings(lme4::devfun2(entry$model))
  entry$scope$.devfun2
}

devfun2_optimum <- function(handle) {
  entry <- entry_of(handle)
  if (!is.null(entry$scope$.devfun2)) lapply(entry$scope$.devfun2$warnings, warning)
  found <- devfun2_of(entry)
  devfun <- found$value
  list(optimum = as.double(attr(devfun, "optimum")), deviance = as.double(attr(devfun, "basedev")),
       std_error = as.double(attr(devfun, "stderr")))
}

devfun2_at <- function(handle, point) {
  entry <- entry_of(handle)
  renew_unless_finite(entry$scope, ".devfun2", list(value = as.double(devfun2_of(entry)$value(point))))
}
