# Time R's part of the call that the Python package makes: the fit and its summary.
time_call <- function(formula, data) {
  started <- Sys.time()
  fit_lmer("bench", formula, data)
  summary_text("bench")
  seconds <- as.double(Sys.time() - started, units = "secs")
  release("bench")
  list(seconds = seconds)
}

# Time what a user of R does to read the numbers that a fit of the Python package holds: fit the model and call lme4's
# own accessors. Returns the seconds.
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

# The same of a generalized model.
time_glmer_face <- function(formula, data, family) {
  scope <- formula_scope(data)
  scope$cbind <- base::cbind
  formula <- stats::as.formula(str2lang(formula), env = scope)
  family <- getExportedValue("stats", family)()
  started <- Sys.time()
  m <- lme4::glmer(formula, data = data, family = family)
  s <- summary(m)
  face <- list(lme4::fixef(m), as.matrix(stats::vcov(m)), stats::coef(s), as.data.frame(lme4::VarCorr(m)),
               lme4::ranef(m, condVar = FALSE), stats::fitted(m), stats::residuals(m), lme4::getME(m, "theta"),
               stats::logLik(m), stats::AIC(m), stats::BIC(m), stats::deviance(m), stats::nobs(m),
               lme4::isSingular(m), m@optinfo, utils::capture.output(print(s)))
  list(seconds = as.double(Sys.time() - started, units = "secs"))
}

# An empty call. Its time is the cost of a call itself.
nothing <- function() list()

# Collect garbage, so that memory measured afterwards belongs to the next call.
collect <- function() {
  gc()
  list()
}

# The bytes that the columns of a data frame take in R's memory.
bytes_of <- function(data) list(bytes = sum(vapply(data, function(column) as.double(utils::object.size(column)), 0)))

# Time lme4's own bootstrap of a kept model's estimates. Returns the seconds.
time_boot_mer <- function(handle, nsim, seed) {
  model <- model_of(handle)
  estimates <- function(m) c(lme4::fixef(m), lme4::getME(m, "theta"), stats::sigma(m))
  started <- Sys.time()
  suppressMessages(suppressWarnings(lme4::bootMer(model, estimates, nsim, seed = seed)))
  list(seconds = as.double(Sys.time() - started, units = "secs"))
}
