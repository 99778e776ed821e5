# Change a formula by another one, in which '.' stands for the part that was there. Python reads both, and the result.
updated_formula <- function(old, change, allow = character()) {
  scope <- formula_scope(NULL, allow)
  formula <- stats::update.formula(eval(str2lang(old), scope), eval(str2lang(change), scope))
  list(text = paste(deparse(formula, width.cutoff = 500L), collapse = " "))
}

# Keep the refit of a kept model, to another response, whose name in the formula is `name`, and to other weights where
# they are given. Both have a value per row of the data; a response of two columns, for cbind(), has two names, and its
# columns one after another. The formula and the call are evaluated in a scope that holds them.
refit_model <- function(handle, of, name = NULL, response = NULL, weights = NULL, defect = FALSE) {
  entry <- entry_of(of)
  warn_of_shape(entry, "refit()")
  scope <- copy_scope(entry$scope)
  scope$data$.weights <- if (is.null(weights)) scope$data$.weights else weights
  model <- within_scope(entry$model, scope)
  if (!is.null(response)) {
    response <- matrix(response, ncol = length(name))
    for (i in seq_along(name)) scope$data[[name[i]]] <- response[, i]
    model <- rename_response(model, if (length(name) == 2L) bquote(cbind(.(as.name(name[1L])), .(as.name(name[2L])))) else
      as.name(name))
    if (lme4::isGLMM(model)) check_response(model@call$formula, scope, stats::family(model)$family)
  }
  used <- function(values) {
    if (is.null(values)) return(NULL)
    values <- as.matrix(values)[attr(model@frame, "row.names"), , drop = FALSE]
    structure(if (ncol(values) == 2L) values else as.vector(values), na.action = attr(model@frame, "na.action"))
  }
  refit <- refit_method(defect && lme4::isREML(model), weighted = !is.null(weights))
  model <- refit(model, used(response), used(weights))
  if (!is.null(weights)) {
    model@call$weights <- quote(.weights)
    rm(.weights, envir = scope) # lme4 puts those of the rows used there
  }
  keep_inexact(handle, model, scope)
}

# lme4's own refit(). From 1.1-8 to 1.1-32 it takes the answer of isREML(), TRUE or FALSE, for the number of fixed
# effects of a REML fit. In the copy made here isREML() returns the number, as lme4 does from 1.1-33 on.
refit_method <- function(defect, weighted) {
  if (defect) {
    message("before 1.1-33 lme4's refit() counts one fixed effect only in a REML fit; this refit counts them all")
  }
  refit <- refit_merMod(if (defect) list(isREML = function(x) x@resp$REML))
  if (weighted) {
    function(model, response, .weights) refit(model, response, newweights = .weights)
  } else {
    function(model, response, .weights) refit(model, response)
  }
}

# Write another left side, a name or a call.
rename_response <- function(model, left) {
  attr(model@frame, "formula")[[2L]] <- model@call$formula[[2L]] <- left
  names(model@frame)[attr(attr(model@frame, "terms"), "response")] <- if (is.name(left)) as.character(left) else
    deparse1(left)
  model
}

# Let a model's formula be evaluated in another scope.
within_scope <- function(model, scope) {
  environment(model@call$formula) <- environment(attr(model@frame, "formula")) <- scope
  attr(attr(model@frame, "terms"), ".Environment") <- scope
  model
}

# Copy a scope without the entries whose name begins with a dot: the objective, and all else that was made for one
# model.
copy_scope <- function(scope) list2env(as.list(scope, all.names = FALSE), parent = parent.env(scope))

# Keep lme4's refit by maximum likelihood of a model fitted by REML.
refit_model_ml <- function(handle, of) {
  entry <- entry_of(of)
  keep_inexact(handle, lme4::refitML(entry$model), copy_scope(entry$scope))
}

# The report of a kept model's optimizer, with lme4's checks of its end point.
optimizer_report <- function(handle) {
  info <- model_of(handle)@optinfo
  list(feval = c(as.double(info$feval), NA)[1L], messages = as.character(unlist(info$conv$lme4$messages)))
}

# The parameters that lme4 optimizes: theta, or from 2.0-1 on the parameters of a structured covariance.
optimized_parameters <- function(handle, par) list(value = lme4::getME(model_of(handle), if (par) "par" else "theta"))

installed_packages <- function(packages) {
  list(name = packages[vapply(packages, requireNamespace, TRUE, quietly = TRUE)])
}
