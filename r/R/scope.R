# The environments in which formulas are evaluated. They hold the functions that a formula may call, here by the
# package that exports them, and nothing else. The Python package refuses all other functions first; R does not find
# those that it missed.
functions_offered <- list(
  base = c("I", "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sin", "cos", "tan", "scale", "pmin",
           "pmax", "ifelse", "round", "floor", "ceiling", "is.na", "c", "factor", "ordered", "cut", "interaction",
           "as.numeric", "as.integer", "as.factor", "as.character", "as.logical"),
  stats = c("poly", "offset", "relevel", "contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS"),
  splines = c("ns", "bs"),
  lme4 = "dummy"
)
operators_offered <- c("~", "(", "+", "-", "*", "/", "^", "%%", "%/%", ":", "!", "&", "==", "!=", "<", "<=", ">", ">=",
                       "list") # stats::model.frame makes a call of list() of the variables

# C() for R's own contrasts only. stats::C calls any function whose name it is given as text.
C_of_offered <- function(object, contr, ...) {
  if (!missing(contr) && is.character(contr) && !all(contr %in% functions_offered$stats)) {
    refuse("C() is given ", toString(dQuote(contr, FALSE)), ", which is not one of R's contrasts")
  }
  stats::C(object, contr, ...)
}

# The locked environment of all these functions. It is made at first use: lme4 takes a second to load, and the calls
# that need no formula do not wait for it.
root_scope <- local({
  root <- NULL
  function() {
    if (is.null(root)) root <<- make_root_scope()
    root
  }
})

make_root_scope <- function() {
  offered <- c(functions_offered, list(base = operators_offered))
  find <- function(package, names) sapply(names, getExportedValue, ns = package, simplify = FALSE)
  found <- Map(find, names(offered), offered)
  scope <- list2env(c(do.call(c, unname(found)), C = C_of_offered), parent = emptyenv())
  lockEnvironment(scope, bindings = TRUE)
  scope
}

# The names of these functions, without the operators.
formula_functions <- function() list(name = c(unlist(functions_offered, use.names = FALSE), "C"))

# The environment of a model's formula. `allow` names further functions as "package::function".
formula_scope <- function(data, allow = character()) {
  scope <- new.env(parent = root_scope())
  scope$data <- data
  if (length(allow)) scope$`::` <- only(allow)
  scope
}

# A `::` that finds the allowed functions and no others.
only <- function(allow) {
  found <- list2env(stats::setNames(lapply(allow, find_export), allow), parent = emptyenv())
  function(package, name) get(paste(substitute(package), substitute(name), sep = "::"), found)
}

find_export <- function(name) {
  parts <- strsplit(name, "::", fixed = TRUE)[[1L]]
  found <- tryCatch(getExportedValue(parts[1L], parts[2L]), error = function(e) {
    refuse("allow names ", name, ", which R does not find: ", conditionMessage(e))
  })
  if (!is.function(found)) refuse("allow names ", name, ", which is no function")
  found
}

# Add the functions with which lme4 evaluates its own call. While a model is fitted they are in a child of the
# formula's scope, and afterwards in the scope itself, so that update, drop1 and others find them. Summaries show
# lmerControl by name.
open_scope <- function(scope) {
  scope$`::` <- `::`
  scope$lmerControl <- lme4::lmerControl
  scope$weights <- stats::weights # lmer gets them by name from where it was called, as it does offset
  scope
}

# Stop because of an argument of the caller. Python raises it as InvalidArgument.
refuse <- function(...) stop(errorCondition(paste0(...), class = "lmerbridge_refusal"))
