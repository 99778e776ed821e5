# Nonlinear mixed models.

self_starting <- c("SSlogis", "SSfol", "SSasymp", "SSasympOff", "SSasympOrig", "SSbiexp", "SSfpl", "SSgompertz",
                   "SSmicmen", "SSweibull")

# Fit one by lme4::nlmer and keep it. `formula` has three parts. `expression` is the text of a model that is no
# self-starting function; it becomes a function with a gradient, of which nothing is evaluated on the way. Without `start`
# a self-starting function finds where its `parameters` begin. lme4 evaluates its objective in the frame of the call,
# which therefore has R's base functions; the text of the formula is checked by Python, and calls no other.
fit_nlmer <- function(handle, formula, data, parameters, expression = NULL, start = NULL, n_agq = 1L, na_action = "omit",
                      contrasts = NULL, control = NULL, allow = character()) {
  scope <- formula_scope(data, allow)
  for (name in self_starting) scope[[name]] <- getExportedValue("stats", name)
  formula <- eval(str2lang(formula), scope)
  if (!is.null(expression)) {
    made <- differentiated(str2lang(expression), unlist(parameters))
    scope$.model <- made$fun
    formula[[2L]][[3L]] <- made$call
  }
  start <- if (is.null(start)) found_start(formula[[2L]], data, scope) else unlist(start)
  call <- model_call(quote(lme4::nlmer), formula, list(nAGQ = n_agq), data, na_action, NULL, start, control)
  model <- eval(call, open_scope(list2env(as.list(scope, all.names = TRUE), parent = baseenv())))
  keep_nlmer(handle, model, open_scope(scope))
}

keep_nlmer <- function(handle, model, scope) {
  keep(handle, model, scope)
  describe_fit(model)
}

# A function of the names of an expression, with the gradient by some of them, and the call of it.
differentiated <- function(expression, parameters) {
  names <- unique(all.vars(expression))
  fun <- tryCatch(stats::deriv(expression, parameters, function.arg = names), error = function(e) {
    refuse("R cannot differentiate the model: ", conditionMessage(e))
  })
  list(fun = fun, call = as.call(lapply(c(".model", names), as.name)))
}

# Where a self-starting function begins, by R's own estimates from all the data.
found_start <- function(formula, data, scope) {
  rows <- if (is.null(data$.subset)) data else data[data$.subset, , drop = FALSE]
  whole <- rows[stats::complete.cases(rows[intersect(all.vars(formula), names(rows))]), , drop = FALSE]
  tryCatch(stats::getInitial(eval(formula, scope), whole), error = function(e) {
    refuse("the self-starting function finds no start in these data (", conditionMessage(e), "); give start")
  })
}

# Predictions for the rows of the fit or of new data, with the random effects of the fit or without.
predict_nlmer <- function(handle, newdata = NULL, random = TRUE) {
  entry <- entry_of(handle)
  model <- entry$model
  data <- if (is.null(newdata)) entry$scope$data[attr(model@frame, "row.names"), , drop = FALSE] else newdata
  own <- as.list(lme4::fixef(model))
  values <- lapply(own, rep_len, nrow(data))
  modes <- if (random) lme4::ranef(model, condVar = FALSE)
  for (group in names(modes)) {
    at <- match(group_of(group, data), rownames(modes[[group]]))
    for (name in names(modes[[group]])) {
      added <- modes[[group]][[name]][at]
      values[[name]] <- values[[name]] + ifelse(is.na(at), 0, added)
    }
  }
  call <- model@call$formula[[2L]][[3L]]
  list(fit = as.double(eval(call, c(values, as.list(data)), entry$scope)))
}

# The levels of a grouping factor such as a:b in data.
group_of <- function(name, data) {
  as.character(eval(str2lang(name), lapply(data[all.vars(str2lang(name))], as.factor), baseenv()))
}
