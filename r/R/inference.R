# Tests of terms, of models and of contrasts. They are lme4's own, and those of lmerTest and pbkrtest, which are loaded
# at first use.

# Describe a table of tests: its values, its printed form, and the contrasts that lmerTest tests in its rows, column by
# column.
describe_tests <- function(tests, printed = tests) {
  contrasts <- attr(tests, "hypotheses")
  contrasts <- contrasts[names(contrasts)]
  height <- function(rows) if (is.matrix(rows)) nrow(rows) else 1L
  c(list(text = printout(printed), hypotheses.name = names(contrasts),
         hypotheses.rows = vapply(contrasts, height, 1L, USE.NAMES = FALSE),
         hypotheses.weights = as.double(unlist(contrasts, use.names = FALSE))),
    prefix_names("table", describe_frame(tests)))
}

prefix_names <- function(prefix, flat) structure(flat, names = paste(prefix, names(flat), sep = "."))

printout <- function(object, ...) paste(utils::capture.output(print(object, ...)), collapse = "\n")

# Put what a model's call needs into the call itself. lmerTest and pbkrtest evaluate the call in frames of their own,
# and find it there.
with_whole_call <- function(entry) {
  model <- entry$model
  model@call$data <- eval(model@call$data, entry$scope)
  if (!is.null(model@call$control)) model@call$control <- eval(model@call$control, entry$scope)
  model
}

# Make a response such as log(y) a column of that name. lmerTest 3.2 and pbkrtest 0.5.5 take the response for a name.
with_named_response <- function(model) {
  response <- model@call$formula[[2L]]
  if (!is.call(response) || is.matrix(stats::model.response(model@frame))) return(model)
  name <- deparse1(response)
  model@call$data[[name]] <- suppressWarnings(eval(response, model@call$data, environment(model@call$formula)))
  rename_response(model, as.name(name))
}

with_plain_response <- function(text, model) {
  name <- deparse1(model@call$formula[[2L]])
  gsub(paste0("`", name, "`"), name, text, fixed = TRUE)
}

# Leave `start` out of a model's call, so that the call can fit a model with fewer random effects, whose theta is
# another.
without_start <- function(model) {
  model@call$start <- NULL
  model
}

# The model as an object of lmerTest's. It is made once; the warnings of its making are given at each use.
lmerTest_model <- function(handle, ddf) {
  entry <- entry_of(handle)
  check_ddf(entry$model, ddf)
  if (is.null(entry$lmerTest)) {
    entry$lmerTest <- with_warnings(lmerTest::as_lmerModLmerTest(with_whole_call(entry)))
    assign(handle, entry, envir = models)
  } else {
    lapply(entry$lmerTest$warnings, warning)
  }
  entry$lmerTest$value
}

# A value and the warnings of its making, which are given too.
with_warnings <- function(expr) {
  found <- list()
  value <- withCallingHandlers(expr, warning = function(w) found[[length(found) + 1L]] <<- w)
  list(value = value, warnings = found)
}

# Refuse a model to which a method for the denominator degrees of freedom would give wrong numbers without a warning.
check_ddf <- function(model, ddf) {
  if (!lme4::isLMM(model)) {
    refuse(ddf, " is a method for the degrees of freedom of a linear model; tests of another one are by z and ",
           "chi-squared, which have none")
  }
  refuse_structured(model, ddf)
  if (!is.null(attr(model@pp$X, "scaled:scale"))) {
    refuse("the model was fitted with autoscale, whose estimates are of scaled columns and whose covariance is not, ",
           "which lmerTest and pbkrtest do not know; fit it without")
  }
  if (ddf != "Kenward-Roger") return(invisible())
  loadNamespace("pbkrtest")
  refuse_weights(model, "pbkrtest's Kenward-Roger method leaves out of the covariance of the response")
}

refuse_weights <- function(model, what) {
  if (any(model@resp$weights != 1)) refuse("the model has weights, which ", what, "; use Satterthwaite's method")
}

refuse_structured <- function(model, what) {
  structures <- setdiff(vapply(structures_of(model), function(block) class(block)[1L], ""), "Covariance.us")
  if (length(structures)) {
    refuse(what, " is for models whose random terms have a covariance without structure; this one has ",
           toString(sub("Covariance.", "", structures, fixed = TRUE)), ". Compare models by anova() or pb_modcomp()")
  }
}

# Refuse a comparison among the terms, such as (n > 2), around which R's update() loses the parentheses.
refuse_comparisons <- function(model, what) {
  variables <- as.list(attr(stats::terms(model), "variables"))[-1L]
  operators <- setdiff(operators_offered, c("list", "(", "^"))
  found <- Filter(function(part) is.call(part) && as.character(part[[1L]])[1L] %in% operators, variables[-1L])
  if (length(found)) {
    text <- deparse1(found[[1L]])
    refuse(what, " of R loses the parentheses of (", text, "); write I(", text, ") in the formula")
  }
}

need_reml <- function(model) {
  if (!ncol(model@pp$X)) {
    refuse("Kenward-Roger's method is for tests of fixed effects, and this model has none; ask for ddf=\"lme4\"")
  }
  if (!lme4::isREML(model)) {
    refuse("Kenward-Roger's method is for a fit by REML, and this one is by ML; fit the model with reml=True, ",
           "use kr_modcomp(), which does so itself, or ask for ddf=\"Satterthwaite\"")
  }
}

# Refuse a p-value by another method than the one asked for. Where pbkrtest fails, lmerTest takes Satterthwaite's
# method instead.
refuse_substitute <- function(expr) {
  withCallingHandlers(expr, warning = function(w) {
    if (grepl("using Satterthwaite instead", conditionMessage(w), fixed = TRUE)) {
      refuse("pbkrtest cannot compute Kenward-Roger's method for this model; use Satterthwaite's")
    }
  })
}

by_method <- function(handle, ddf) {
  model <- if (ddf == "lme4") model_of(handle) else lmerTest_model(handle, ddf)
  if (ddf == "Kenward-Roger") need_reml(model)
  model
}

# Refuse fixed effects of one name to what of lmerTest goes by names: level b of x, and a column xb.
refuse_shared_names <- function(model) {
  names <- colnames(model@pp$X)
  if (anyDuplicated(names)) {
    refuse("several fixed effects have the name ", names[duplicated(names)][1L], ", by which lmerTest goes; ",
           "rename a column")
  }
}

summary_of <- function(handle, ddf, correlation = NULL) {
  model <- by_method(handle, ddf)
  if (ddf != "lme4") refuse_shared_names(model)
  model@call <- model_of(handle)@call
  given <- c(list(model), if (ddf != "lme4") list(ddf = ddf),
             if (!is.null(correlation)) list(correlation = correlation))
  found <- refuse_substitute(do.call(summary, given, quote = TRUE))
  covariance <- as.matrix(found$vcov)
  list(
    text = printout(found, correlation = correlation),
    column = colnames(found$coefficients),
    value = as.vector(found$coefficients),
    quantiles = stats::quantile(found$residuals, na.rm = TRUE, names = FALSE),
    correlation = as.vector(covariance / tcrossprod(sqrt(diag(covariance))))
  )
}

anova_one <- function(handle, type, ddf) {
  if (lme4::isNLMM(model_of(handle))) {
    refuse("a nonlinear model has parameters and no terms that anova() could test; give it another model to compare")
  }
  empty <- !ncol(model_of(handle)@pp$X)
  model <- if (empty && ddf != "lme4") lmerTest_model(handle, ddf) else by_method(handle, ddf)
  if (ddf == "lme4") return(describe_tests(if (empty) no_terms() else stats::anova(model)))
  if (type == "3") refuse_shared_names(model)
  describe_tests(refuse_substitute(stats::anova(model, type = type, ddf = ddf)))
}

# The table of lme4's anova() of a model without fixed effects, which lme4 itself stops at.
no_terms <- function() {
  columns <- list(npar = numeric(), "Sum Sq" = numeric(), "Mean Sq" = numeric(), "F value" = numeric())
  structure(columns, row.names = character(), heading = "Analysis of Variance Table", class = c("anova", "data.frame"))
}

# Likelihood ratio tests of several models, in the order of their numbers of parameters.
anova_several <- function(handle, others, names, refit) {
  compared <- lapply(c(handle, others), function(h) model_of(h))
  for (i in seq_along(others)) refuse_unlike(compared[[1L]], compared[[i + 1L]], names[1L], names[i + 1L])
  describe_tests(do.call(stats::anova, c(compared, list(refit = refit, model.names = names)), quote = TRUE))
}

# Fit a linear model, or one of a family, which anova_several() compares, and keep it. Its call names the data as that of fit_lmer() does.
fit_linear <- function(handle, formula, data, allow = character(), family = NULL, link = NULL, theta = NULL) {
  scope <- formula_scope(data, allow)
  scope$cbind <- base::cbind
  given <- lapply(per_row[per_row %in% names(data)], as.name)
  own <- if (!is.null(family)) list(family = eval(family_call(family, link, theta)))
  fitter <- if (is.null(family)) quote(lm) else quote(glm)
  call <- as.call(c(list(fitter, formula = eval(str2lang(formula), scope), data = quote(data)), own, given))
  keep(handle, eval(call, list(lm = stats::lm, glm = stats::glm, data = data)), scope)
  list()
}

# Refuse to compare log-likelihoods of two scales: of other families, or by other numbers of nodes. Before lme4 2.1-0
# quadrature leaves out the saturated model's, too.
refuse_other_likelihood <- function(a, b, both) {
  nodes <- function(model) if (lme4::isGLMM(model)) model@devcomp$dims[["nAGQ"]] else -1L
  name <- function(model) sub("\\(.*", "", stats::family(model)$family) # without a negative binomial's shape
  if (!methods::is(b, "merMod")) {
    if (lacks_saturated(a)) refuse(both, " have likelihoods of two scales: by more than one node lme4 leaves out a constant")
    return(invisible())
  }
  if (name(a) != name(b)) refuse(both, " have the families ", name(a), " and ", name(b), "; compare models of one family")
  if (nodes(a) != nodes(b)) {
    lacking <- if (lacks_saturated(a) || lacks_saturated(b)) {
      ", and by more than one lme4 leaves out a constant of the log-likelihood"
    }
    refuse(both, " integrate out the random effects by ", nodes(a), " and ", nodes(b), " nodes", lacking,
           "; fit both with one n_agq")
  }
}

# Refuse models of other rows, responses or values. lme4 compares the name of the data only, which is always the same
# here.
refuse_unlike <- function(a, b, name_a, name_b) {
  both <- paste(name_a, "and", name_b)
  refuse_other_likelihood(a, b, both)
  linear <- inherits(b, "lm") # one of the very data
  frame <- if (linear) b$model else b@frame
  if (!identical(attr(a@frame, "row.names"), attr(frame, "row.names"))) {
    refuse(both, " are not fitted to the same rows (", nrow(a@frame), " and ", nrow(frame), " of them); ",
           "fit both where every variable has a value")
  }
  other <- if (inherits(b, "glm")) b$y else if (linear) stats::model.response(frame) else b@resp$y
  if (!identical(as.vector(a@resp$y), unname(as.vector(other)))) {
    refuse(both, " have different responses; fit both to the same one")
  }
  if (linear) return(invisible())
  shared <- setdiff(intersect(names(a@frame), names(b@frame)), c("(weights)", "(offset)"))
  other <- Filter(function(name) !identical(as.vector(a@frame[[name]]), as.vector(b@frame[[name]])), shared)
  if (length(other)) refuse(both, " are fitted to different values of ", toString(other), "; fit both to the same data")
}

drop1_of <- function(handle, scope = NULL, test = "none", k = 2, ddf = "lme4") {
  refuse_comparisons(model_of(handle), "drop1()")
  warn_of_shape(entry_of(handle), "drop1()")
  model <- by_method(handle, ddf)
  marginal <- stats::drop.scope(stats::terms(model))
  wrong <- setdiff(scope, if (ddf == "lme4") attr(stats::terms(model), "term.labels") else marginal)
  if (length(wrong)) {
    refuse("scope names ", toString(wrong), "; the terms that can be dropped are ", toString(marginal))
  }
  given <- c(list(model), if (length(scope)) list(scope),
             if (ddf == "lme4") list(test = test, k = k) else list(ddf = ddf))
  found <- refuse_substitute(do.call(stats::drop1, given, quote = TRUE))
  if (ddf == "lme4") row.names(found)[1L] <- "<none>" # which is lost where it is the only row
  describe_tests(found)
}

ranova_of <- function(handle, reduce_terms) {
  entry <- entry_of(handle)
  refuse_structured(entry$model, "ranova()")
  model <- with_named_response(without_start(with_whole_call(entry)))
  found <- describe_tests(lmerTest::ranova(model, reduce.terms = reduce_terms))
  found$text <- with_plain_response(found$text, entry$model)
  found
}

step_of <- function(handle, ddf, alpha_random, alpha_fixed, reduce_random, reduce_fixed, keep) {
  refuse_comparisons(model_of(handle), "step()")
  model <- by_method(handle, ddf)
  unknown <- setdiff(keep, attr(stats::terms(model), "term.labels"))
  if (length(unknown)) refuse("keep names ", toString(unknown), ", which is no term of the fixed part")
  start <- with_named_response(without_start(model))
  found <- refuse_substitute(lmerTest::step(start, ddf = ddf, alpha.random = alpha_random, alpha.fixed = alpha_fixed,
                                            reduce.random = reduce_random, reduce.fixed = reduce_fixed, keep = keep))
  last <- lmerTest::get_model(found)
  texts <- with_plain_response(c(printout(found), deparse1(stats::formula(last))), model)
  c(list(text = texts[1L], formula = texts[2L], mixed = methods::is(last, "merMod")),
    prefix_names("random", describe_frame(found$random)), prefix_names("fixed", describe_frame(found$fixed)))
}

# Test contrasts of the fixed effects, all in one F test or each in a t test. `weights` holds the rows of the matrix,
# one after another.
contest_of <- function(handle, weights, rhs, joint, level, ddf) {
  model <- by_method(handle, ddf)
  contrasts <- matrix(weights, length(rhs), byrow = TRUE)
  one <- function(i) lmerTest::contest1D(model, contrasts[i, ], rhs = rhs[i], ddf = ddf, confint = TRUE, level = level)
  describe_frame(refuse_substitute(if (joint) {
    lmerTest::contestMD(model, contrasts, rhs = rhs, ddf = ddf)
  } else {
    do.call(rbind, lapply(seq_along(rhs), one))
  }))
}

ls_means_of <- function(handle, which = NULL, pairwise = FALSE, level = 0.95, ddf = "Satterthwaite") {
  model <- by_method(handle, ddf)
  refuse_backticks(model)
  refuse_shared_names(model)
  wrong <- setdiff(which, factor_terms(model))
  if (length(wrong)) {
    known <- if (length(factor_terms(model))) toString(factor_terms(model)) else "none"
    refuse("which names ", toString(wrong), "; the terms of factors alone are ", known)
  }
  found <- refuse_substitute(lmerTest::ls_means(model, which = which, level = level, ddf = ddf, pairwise = pairwise))
  describe_frame(if (nrow(found)) as.data.frame(found) else {
    cbind(data.frame(term = character(), levels = character()), as.data.frame(found, add_levels = FALSE))
  })
}

factor_terms <- function(model) {
  terms <- stats::terms(model)
  of_factors <- function(label) !any(vapply(model@frame[all_in(terms, label)], is.numeric, TRUE))
  Filter(of_factors, attr(terms, "term.labels"))
}

all_in <- function(terms, label) {
  factors <- attr(terms, "factors")
  rownames(factors)[factors[, label] > 0]
}

# Refuse names that need backticks. lmerTest takes them, backticks and all, for the names of columns.
refuse_backticks <- function(model) {
  quoted <- names_in_backticks(all.vars(stats::delete.response(stats::terms(model))))
  if (length(quoted)) {
    refuse("lmerTest's ls_means() cannot read columns whose names need backticks: ", toString(quoted),
           "; rename them, or use emmeans()")
  }
}

names_in_backticks <- function(names) names[make.names(names) != names]
