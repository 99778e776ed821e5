# The environments in which formulas are evaluated. They hold the functions that a formula may call, here by the
# package that exports them, and nothing else. The Python package refuses all other functions first; R does not find
# those that it missed.
functions_offered <- list(
  base = c("I", "log", "log2", "log10", "log1p", "exp", "expm1", "sqrt", "abs", "sign", "sin", "cos", "tan", "asin",
           "acos", "atan", "sinh", "cosh", "tanh", "round", "signif", "floor", "ceiling", "trunc", "scale", "pmin",
           "pmax", "ifelse", "is.na", "c", "mean", "min", "max", "sum", "rank", "factor", "ordered", "cut",
           "interaction", "as.numeric", "as.integer", "as.factor", "as.character", "as.logical", "as.vector"),
  stats = c("poly", "offset", "relevel", "C", "sd", "var", "median", "quantile", "plogis", "qlogis", "pnorm", "qnorm",
            "contr.treatment", "contr.sum", "contr.helmert", "contr.poly", "contr.SAS"),
  splines = c("ns", "bs"),
  lme4 = "dummy"
)
operators_offered <- c("~", "(", "+", "-", "*", "/", "^", "%%", "%/%", ":", "!", "&", "==", "!=", "<", "<=", ">", ">=",
                       "list") # stats::model.frame makes a call of list() of the variables

values_offered <- list(T = TRUE, F = FALSE, pi = pi)
statistics_offered <- c("mean", "min", "max", "sum", "sd", "var", "median", "quantile")
levels_offered <- c(C = 1000, cut = 10000, interaction = 1e6) # more would take R minutes, or all memory

# C() for R's own contrasts only. stats::C calls any function whose name it is given as text. Its matrix is dense.
C_of_offered <- function(object, contr, ...) {
  if (!missing(contr) && is.character(contr) && !all(contr %in% grep("^contr", functions_offered$stats, value = TRUE))) {
    refuse("C() is given ", toString(dQuote(contr, FALSE)), ", which is not one of R's contrasts")
  }
  check_levels("C", nlevels(object))
  stats::C(object, contr, ...)
}

# rank() without the ties that are broken at random, which takes numbers from the session's generator.
rank_of_offered <- function(x, ...) {
  if (any(startsWith("random", as.character(Filter(is.character, list(...)))))) refuse("rank() is to break ties at random")
  base::rank(x, ...)
}

# cut() into a limited number of pieces. Of times it makes as many as there are seconds, or what the text says.
cut_of_offered <- function(x, ...) {
  check_levels("cut", pieces_of_time(x, ...))
  base::cut(x, ...)
}

seconds_in <- c(secs = 1, mins = 60, hours = 3600, days = 86400, weeks = 604800, months = 2419200, years = 31536000,
                DSTdays = 82800, quarters = 7776000)

pieces_of_time <- function(x, breaks, ...) {
  if (missing(breaks) || !is.character(breaks) || !inherits(x, c("Date", "POSIXt"))) return(0)
  words <- strsplit(breaks[1L], " ", fixed = TRUE)[[1L]]
  unit <- seconds_in[pmatch(words[length(words)], names(seconds_in))]
  step <- if (length(words) == 2L) abs(strtoi(words[1L], 10L)) else 1
  range <- as.numeric(range(as.POSIXct(x), na.rm = TRUE))
  max(0, diff(range) / (unit * step), na.rm = TRUE)
}

# interaction() of factors whose combinations are limited in number: R writes all of them before it drops any.
interaction_of_offered <- function(...) {
  factors <- list(...)
  factors <- factors[!names_or_none(factors) %in% c("drop", "sep", "lex.order")]
  check_levels("interaction", prod(vapply(factors, function(x) nlevels(as.factor(x)), 1)))
  base::interaction(...)
}

names_or_none <- function(x) if (is.null(names(x))) character(length(x)) else names(x)

check_levels <- function(name, count) {
  if (count > levels_offered[[name]]) {
    refuse(name, "() would make ", format(count, digits = 4L), " levels, of which at most ", format(levels_offered[[name]]),
           " are made; make a column with fewer of them before the fit")
  }
}

replaced <- list(C = C_of_offered, cut = cut_of_offered, interaction = interaction_of_offered, rank = rank_of_offered)

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
  scope <- list2env(utils::modifyList(c(do.call(c, unname(found)), values_offered), replaced), parent = emptyenv())
  scope$`::` <- only(character())
  lockEnvironment(scope, bindings = TRUE)
  scope
}

# The names of these functions, without the operators.
formula_functions <- function() list(name = unlist(functions_offered, use.names = FALSE))

# The environment of a model's formula. `allow` names further functions as "package::function".
formula_scope <- function(data, allow = character()) {
  scope <- new.env(parent = root_scope())
  scope$data <- data
  if (length(allow)) scope$`::` <- only(allow)
  scope
}

# A `::` that finds the allowed functions, and those that every formula may call in their package, and no others.
only <- function(allow) {
  found <- list2env(stats::setNames(lapply(allow, find_export), allow), parent = emptyenv())
  function(package, name) {
    package <- as.character(substitute(package))
    name <- as.character(substitute(name))
    key <- paste(package, name, sep = "::")
    if (!exists(key, found, inherits = FALSE) && name %in% functions_offered[[package]]) return(get(name, root_scope()))
    get(key, found)
  }
}

find_export <- function(name) {
  parts <- strsplit(name, "::", fixed = TRUE)[[1L]]
  found <- tryCatch(getExportedValue(parts[1L], parts[2L]), error = function(e) {
    refuse("allow names ", name, ", which R does not find: ", conditionMessage(e))
  })
  if (!is.function(found)) refuse("allow names ", name, ", which is no function")
  found
}

# Let a fit predict with its own constants. R computes a statistic such as mean(x) anew from new data, and knows the
# centre and scale of scale(x) only where no package is written before it.
keep_constants <- function(model, scope) {
  terms <- attr(model@frame, "terms")
  if (!any(c(statistics_offered, names(values_offered), "::") %in% all.names(terms))) return(model)
  for (part in c("predvars", "predvars.fixed", "predvars.random")) {
    attr(terms, part) <- with_constants(attr(terms, part), scope)
  }
  attr(model@frame, "terms") <- terms
  model
}

with_constants <- function(expr, scope) {
  if (is.name(expr)) return(own_value(as.character(expr), scope, expr))
  if (!is.call(expr)) return(expr)
  value <- function() eval(expr, scope$data, scope)
  of <- expr[[1L]]
  if (is.call(of)) of <- of[[3L]] # the name after "::"
  if (as.character(of) %in% statistics_offered) return(value())
  if (identical(expr[[1L]], quote(base::scale))) {
    found <- value()
    expr[[1L]] <- of
    expr <- stats::makepredictcall(found, expr)
  }
  expr[-1L] <- lapply(as.list(expr[-1L]), with_constants, scope)
  expr
}

own_value <- function(name, scope, otherwise) {
  if (name %in% names(values_offered) && !name %in% names(scope$data)) values_offered[[name]] else otherwise
}

# Add the functions with which lme4 evaluates its own call. While a model is fitted they are in a child of the
# formula's scope, and afterwards in the scope itself, so that update, drop1 and others find them. Summaries show
# the controls by name.
open_scope <- function(scope) {
  scope$`::` <- `::`
  scope$lmerControl <- lme4::lmerControl
  scope$glmerControl <- lme4::glmerControl
  scope$nlmerControl <- lme4::nlmerControl
  scope$weights <- stats::weights # lmer gets them by name from where it was called, as it does offset
  scope
}

# Stop because of an argument of the caller. Python raises it as InvalidArgument.
refuse <- function(...) stop(errorCondition(paste0(...), class = "lmerbridge_refusal"))
