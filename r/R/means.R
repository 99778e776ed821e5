# Estimated marginal means by emmeans, which is loaded at first use. `steps` make a grid from the model: each has the
# name of a function of emmeans, `verb`, and its `arguments`. The caller has the warnings and messages of the first
# `told` steps already.

# The grid after all steps. Only the last grid is kept.
grid_after <- function(handle, steps, told = 0L) {
  entry <- entry_of(handle)
  known <- seq_len(told)
  grid <- if (told && identical(entry$emmeans$steps, steps[known])) entry$emmeans$grid
  if (told && is.null(grid)) {
    grid <- suppressMessages(suppressWarnings(take_steps(model_of_means(handle, steps), steps[known])))
  }
  grid <- take_steps(if (told) grid else model_of_means(handle, steps), steps[setdiff(seq_along(steps), known)])
  entry <- entry_of(handle)
  entry$emmeans <- list(steps = steps, grid = grid)
  assign(handle, entry, envir = models)
  grid
}

take_steps <- function(grid, steps) {
  quiet <- utils::modifyList(as.list(getOption("emmeans")), list(save.ref_grid = FALSE)) # else it assigns globally
  before <- options(emmeans = quiet)
  on.exit(options(before))
  own <- if (methods::is(grid, "merMod")) own_values_in(grid)
  if (length(own)) steps[[1L]]$arguments$params <- own # else emmeans looks for a column of that name
  for (step in steps) {
    verb <- if (step$verb == "emtrends" && has_offset(grid)) trends_with_offset
            else getExportedValue("emmeans", step$verb)
    grid <- or_refuse(step$verb, do.call(verb, c(list(grid), arguments_of(step))))
  }
  grid
}

has_offset <- function(model) length(attr(stats::terms(model), "offset")) > 0L || !is.null(model@call$offset)

# emtrends() of a model with an offset, which no slope depends on. emmeans before 2.0 counts it among the levels of the
# slopes, and stops where it averages them.
trends_with_offset <- function(model, specs, by = NULL, max.degree = 1, ...) {
  trends <- emmeans::emtrends(model, max.degree = max.degree, ...)
  trends@levels$.offset. <- NULL
  emmeans::emmeans(trends, specs, by = c(if (max.degree > 1) setdiff("degree", by), by))
}

arguments_of <- function(step) {
  arguments <- lapply(step$arguments, function(argument) if (length(argument)) argument)
  if (!is.null(arguments$cov.reduce)) arguments$cov.reduce <- reductions(arguments$cov.reduce)
  if (is.list(arguments$weights)) arguments$weights <- do.call(rbind, arguments$weights)
  arguments
}

# How covariates are reduced: TRUE, FALSE, a function or its name, a formula that predicts one, or a list of these by
# covariate, as emmeans has it.
reductions <- function(given) {
  if (is.list(given)) return(lapply(given, reductions))
  if (!is.character(given)) return(given)
  if (grepl("~", given, fixed = TRUE)) return(eval(str2lang(given), formula_scope(NULL)))
  switch(given, mean = mean, median = stats::median, min = min, max = max, range = range, unique = unique,
         quantile = stats::quantile, meanint = emmeans::meanint, symmint = emmeans::symmint)
}

# What emmeans stops at lies in the arguments.
or_refuse <- function(verb, expr) {
  tryCatch(expr, lmerbridge_refusal = stop, error = function(e) {
    refuse("emmeans' ", verb, "() stops here: ", conditionMessage(e))
  })
}

# The model in the form that emmeans needs. An argument offset= becomes the values that emmeans 2.0 does not find.
model_of_means <- function(handle, steps) {
  model <- model_for_ddf(handle, steps[[1L]]$arguments)
  if (!is.null(model@call$offset)) model@call$offset <- model@frame[["(offset)"]]
  model
}

# The model for a method of the degrees of freedom. For Satterthwaite's it is lmerTest's, made once; emmeans would make
# it per row.
model_for_ddf <- function(handle, asked) {
  entry <- entry_of(handle)
  if (lme4::isGLMM(entry$model)) {
    if (asked$lmer.df != "asymptotic") check_ddf(entry$model, asked$lmer.df)
  } else if (asked$lmer.df == "kenward-roger") {
    check_ddf(entry$model, "Kenward-Roger")
    need_reml(entry$model)
  } else if (asked$lmer.df == "satterthwaite" && stats::nobs(entry$model) <= asked$lmerTest.limit) {
    return(lmerTest_model(handle, "Satterthwaite"))
  }
  with_whole_call(entry)
}

# A grid with its estimates and their confidence limits.
means_grid <- function(handle, steps, told, level) {
  grid <- grid_after(handle, steps, told)
  shown <- rows_shown(grid)
  covariance <- as.matrix(stats::vcov(grid)) # from emmeans 1.8.8 on it is of the rows shown
  if (nrow(covariance) > sum(shown)) covariance <- covariance[shown, shown]
  terms <- colnames(grid@linfct)
  c(describe_means(grid, level = level), list(
    by = as.character(grid@misc$by.vars),
    term = if (is.null(terms)) as.character(seq_len(ncol(grid@linfct))) else terms,
    linfct = quiet(as.vector(grid@linfct[shown, ])),
    vcov = quiet(as.vector(covariance))
  ))
}

# Numbers in which what is missing is NaN. NA is one that signals, of which other languages warn.
quiet <- function(numbers) replace(numbers, is.na(numbers), NaN)

# Which rows of a grid emmeans shows: not those that nested factors cannot have.
rows_shown <- function(grid) {
  display <- grid@misc$display
  if (length(display) == nrow(grid@grid)) display else rep(TRUE, nrow(grid@grid))
}

means_summary <- function(handle, steps, level, adjust = NULL, null = 0, side = "two-sided") {
  describe_means(grid_after(handle, steps, length(steps)), level = level, adjust = adjust, null = null, side = side)
}

# Describe emmeans' summary of a grid: levels, estimates, confidence limits, tests, and notes on how they were made.
describe_means <- function(grid, ...) {
  given <- Filter(Negate(is.null), list(...))
  table <- do.call(summary, c(list(grid, infer = TRUE), given))
  column <- function(...) {
    found <- intersect(c(...), names(table))
    if (length(found)) quiet(as.double(table[[found[1L]]])) else rep(NaN, nrow(table))
  }
  limits <- attr(table, "clNames")
  levels <- as.data.frame(table)[setdiff(names(grid@grid), c(grid@roles$responses, ".offset.", ".wgt."))]
  c(prefix_names("grid", describe_frame(levels)), list(
    estimate_name = attr(table, "estName"), back = identical(attr(table, "estName"), grid@misc$inv.lbl), estimate = column(attr(table, "estName")), std_error = column("SE"),
    df = column("df"), conf_low = column(limits[1L]), conf_high = column(limits[2L]),
    statistic = column("t.ratio", "z.ratio"), p_value = column("p.value"), notes = as.character(attr(table, "mesg"))
  ))
}

# How the covariates of a model's terms are reduced for tests of these. Those of its offset alone are left at their means:
# emmeans before 2.0 stops where they have two values.
reduction_of_terms <- function(model, given = NULL) {
  if (is.null(given)) given <- joint_tests_reduction()
  if (is.list(given) || is.logical(given) || grepl("~", deparse1(given), fixed = TRUE) || !has_offset(model)) return(given)
  variables <- unique(unlist(lapply(labels(stats::terms(model)), function(term) all.vars(str2lang(term)))))
  sapply(variables, function(variable) given, simplify = FALSE)
}

# Tests of each term of a grid's factors, by the levels of others. If they begin at the model, covariates have the
# values that joint_tests() itself gives them.
means_joint_tests <- function(handle, steps, told, by = NULL) {
  if (!told) steps[[1L]]$arguments$cov.reduce <- reduction_of_terms(model_of(handle), steps[[1L]]$arguments$cov.reduce)
  grid <- grid_after(handle, steps, told)
  if (!length(setdiff(names(grid@levels), c(by, "1")))) {
    refuse("joint_tests() tests the variables of the fixed part that are not in by, and there are none")
  }
  table <- as.data.frame(or_refuse("joint_tests", emmeans::joint_tests(grid, by = if (length(by)) by)))
  note <- if (is.null(table$note)) character(nrow(table)) else trimws(as.character(table$note))
  table <- table[c("model term", if (length(by)) by, "df1", "df2", "F.ratio", "p.value")]
  names(table)[names(table) %in% c("model term", "F.ratio", "p.value")] <- c("term", "statistic", "p_value")
  c(prefix_names("table", describe_frame(table)), list(ddf = c(attr(grid@dffun, "mesg"), "asymptotic")[1L], note = note))
}
