# Diagnostics per row of the data. Under na.exclude R pads them for the rows that lack a value.

residuals_of <- function(handle, type, scaled) {
  list(values = as.double(stats::residuals(model_of(handle), type = type, scaled = scaled)))
}

hat_values <- function(handle) list(values = as.double(stats::hatvalues(model_of(handle))))

# The hat matrix over the rows used. To pad it lme4 would take the matrix for a vector.
hat_matrix <- function(handle) {
  model <- model_of(handle)
  attr(model@frame, "na.action") <- NULL
  describe(as.matrix(stats::hatvalues(model, fullHatMatrix = TRUE)))
}

cooks_distances <- function(handle) list(values = as.double(stats::cooks.distance(model_of(handle))))

rstudents <- function(handle) list(values = as.double(stats::rstudent(model_of(handle))))

# Refit the model without the rows where `rows` is FALSE, as lme4's influence() does: from the estimates, and by lmer's
# default optimizer, whatever the model's was. (The argument maxfun of influence() does not reach that optimizer.)
refit_without <- function(handle, rows) {
  entry <- entry_of(handle)
  call <- entry$model@call
  call$subset <- as.name(per_row[["subset"]])
  call$start <- start_at(entry$model)
  call$control <- control_of_refits(entry$model)
  scope <- open_scope(new.env(parent = entry$scope))
  scope$data <- entry$scope$data
  scope$data[[per_row[["subset"]]]] <- rows
  describe_refit(eval(call, scope))
}

# lme4's own control of the refits of influence().
control_of_refits <- function(model) {
  if (lme4::isGLMM(model)) lme4::glmerControl(optCtrl = list(maxfun = 1000)) else lme4::lmerControl()
}

describe_refit <- function(model) {
  info <- model@optinfo
  fixef <- lme4::fixef(model)
  list(
    terms = names(fixef),
    beta = unname(fixef),
    var_cov = variance_components(model),
    vcov = as.vector(fixed_covariance(model)),
    converged = info$conv$opt == 0 && length(info$warnings) == 0L,
    singular = ends_singular(model),
    function_evals = as.integer(info$feval)[1L]
  )
}

# The residual variance, then the variances and covariances of each random term, column by column.
variance_components <- function(model) {
  lower <- function(v) v[lower.tri(v, diag = TRUE)]
  c(stats::sigma(model)^2, unlist(lapply(lme4::VarCorr(model), lower), use.names = FALSE))
}

whole_as_refit <- function(handle) describe_refit(model_of(handle))
