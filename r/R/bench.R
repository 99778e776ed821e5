# Seconds that R itself needs for the call the facade makes, and nothing else: what is left of the facade's time is
# ours.
time_call <- function(formula, data) {
  started <- Sys.time()
  fit_lmer("bench", formula, data)
  summary_text("bench")
  seconds <- as.double(Sys.time() - started, units = "secs")
  release("bench")
  list(seconds = seconds)
}

# What a person does in R to get the numbers of the face, timed by R itself: fit the model and read, by lme4's
# own accessors, everything a fit of the Python package holds. Returns the seconds it took.
time_face <- function(formula, data) {
  scope <- formula_scope(data)
  formula <- stats::as.formula(str2lang(formula), env = scope)
  started <- Sys.time()
  m <- lme4::lmer(formula, data = data)
  s <- summary(m)
  face <- list(lme4::fixef(m), as.matrix(stats::vcov(m)), stats::coef(s), as.data.frame(lme4::VarCorr(m)),
               lme4::ranef(m, condVar = FALSE), stats::fitted(m), stats::residuals(m), lme4::getME(m, "theta"),
               stats::sigma(m), stats::logLik(m), stats::AIC(m), stats::BIC(m), lme4::REMLcrit(m), stats::nobs(m),
               lme4::isSingular(m), m@optinfo, utils::capture.output(print(s)))
  list(seconds = as.double(Sys.time() - started, units = "secs"))
}

# What a call costs that does nothing.
nothing <- function() list()

# Collect garbage, so that memory measured from here on is what a call takes.
collect <- function() {
  gc()
  list()
}

# Bytes that a data frame's columns take in R's memory.
bytes_of <- function(data) list(bytes = sum(vapply(data, function(column) as.double(utils::object.size(column)), 0)))

# Seconds of lme4's own bootstrap of a kept model, of its estimates.
time_boot_mer <- function(handle, nsim, seed) {
  model <- model_of(handle)
  estimates <- function(m) c(lme4::fixef(m), lme4::getME(m, "theta"), stats::sigma(m))
  started <- Sys.time()
  suppressMessages(suppressWarnings(lme4::bootMer(model, estimates, nsim, seed = seed)))
  list(seconds = as.double(Sys.time() - started, units = "secs"))
}
