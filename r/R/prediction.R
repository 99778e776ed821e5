# The model in the form that predict() and simulate() need. For the rows of the fit lme4 takes the variables of the
# random terms from the data of the call, which still have the rows that the fit left out. It also pads results for new
# data by those rows.
prediction_model <- function(entry) {
  model <- entry$model
  rows <- attr(model@frame, "row.names")
  if (length(rows) < nrow(entry$scope$data)) model@call$data <- entry$scope$data[rows, , drop = FALSE]
  attr(model@frame, "na.action") <- NULL
  model
}

# lme4's predict(), in which each term keeps effects of its own.
predict_by_place <- function(model, ...) predict_with(kept_effects)(model, ...)

predict_with <- function(effects) {
  predict_merMod(list(mkNewReTrms = effects, terms = terms_of_offsets, get.orig.levs = orig_levs_with(frame_of)))
}

# The model frame of a fit. lme4 looks its columns up without backticks, and does not find cbind(`n 1`, `n 2`).
frame_of <- function(formula, ..., fixed.only = FALSE) {
  if (!methods::is(formula, "merMod") || !fixed.only) return(stats::model.frame(formula, ...))
  factors <- attr(stats::terms(stats::formula(formula, fixed.only = TRUE)), "factors")
  plain <- function(names) gsub("`", "", names, fixed = TRUE)
  formula@frame[match(plain(rownames(factors)), plain(names(formula@frame)))]
}

# The terms of a model. lme4 computes the offsets of new data from those that it asks for without `fixed.only`: here they
# have the fit's own constants, since in the formula's variables offset(x / mean(x)) has the mean of the new data.
terms_of_offsets <- function(x, fixed.only, ...) {
  if (!missing(fixed.only)) return(stats::terms(x, fixed.only = fixed.only, ...))
  terms <- stats::terms(x, ...)
  offsets <- attr(terms, "offset") + 1L
  if (methods::is(x, "merMod") && length(offsets)) {
    variables <- attr(terms, "variables")
    variables[offsets] <- attr(terms, "predvars")[offsets]
    attr(terms, "variables") <- variables
  }
  terms
}

# Refuse new data where R would compute a term otherwise than in the fit. Of cut(x, 3) R does not know the fit's
# intervals, nor of I(scale(x)) the fit's mean. In such a model some row, taken alone, does not have its fitted value.
check_safe <- function(entry, model) {
  if (is.null(entry$scope$.safe)) entry$scope$.safe <- all(vapply(few(link_values(model)), has_own_value, NA, entry, model))
  if (!entry$scope$.safe) {
    check_predicts(entry, model)
    refuse_anew()
  }
}

refuse_anew <- function() {
  refuse("new data cannot be predicted: the formula has a function that depends on all the rows it is given, such ",
         "as cut(x, 3) or I(scale(x)), and R would compute it anew; make a column of it before the fit")
}

# Refuse new data where lme4's predict() fails on the fit's own rows, as with log(`the days`).
check_predicts <- function(entry, model) {
  data <- entry$scope$data[attr(model@frame, "row.names"), , drop = FALSE]
  tryCatch(predict_by_place(model, data), error = function(e) {
    quoted <- names_in_backticks(all.vars(stats::formula(model)))
    refuse("new data cannot be predicted: lme4's predict() fails of the fit's own rows (", conditionMessage(e), ")",
           if (length(quoted)) "; rename columns whose names need backticks: ", toString(quoted))
  })
}

few <- function(values) unique(round(seq(1, length(values), length.out = 3L)))

has_own_value <- function(i, entry, model) {
  data <- entry$scope$data[attr(model@frame, "row.names")[i], , drop = FALSE]
  alone <- tryCatch(predict_by_place(model, data), error = function(e) NaN)
  isTRUE(all.equal(unname(alone) + sum(data$.offset), link_values(model)[i]))
}

# The formula of the random effects that count: NULL is all of them, "~0" none, "~ (1 | g)" those of g.
chosen_effects <- function(re_form, scope) if (!is.null(re_form)) eval(str2lang(re_form), scope)

# Evaluate a prediction. Random effects that the fit does not have are an error of the caller, and so are new levels of
# factor(x) and of other functions, which R alone can tell.
predict_or_refuse <- function(expr) {
  tryCatch(expr, error = function(e) {
    told <- conditionMessage(e)
    if (grepl("specified in re.form", told)) refuse(told)
    if (grepl("has new level", told)) refuse("newdata cannot be predicted: ", told, "; levels of the fit are expected")
    stop(e)
  })
}

# The numbers of the rows of new data that have a value for every variable of the fixed part.
complete_rows <- function(model, newdata) {
  terms <- stats::delete.response(stats::terms(model, fixed.only = TRUE))
  frame <- stats::model.frame(terms, newdata, na.action = stats::na.omit)
  setdiff(seq_len(nrow(newdata)), attr(frame, "na.action"))
}

# Predictions for the rows of the fit or of new data: `fit`, `se_fit` where it is asked for, and `row`. With `complete`
# only the complete rows of new data count; lme4 would add the offset of all rows to their predictions.
predict_model <- function(handle, newdata = NULL, re_form = NULL, random_only = FALSE, allow_new_levels = FALSE,
                          complete = FALSE, se_fit = FALSE, newparams = NULL) {
  entry <- entry_of(handle)
  model <- prediction_model(entry)
  if (!is.null(newdata)) check_safe(entry, model)
  rows <- if (complete) complete_rows(model, newdata) else seq_len(NROW(newdata))
  newdata <- newdata[rows, , drop = FALSE]
  form <- chosen_effects(re_form, entry$scope)
  fit <- predict_or_refuse(predict_by_place(model, newdata, newparams, form, random.only = random_only,
                                            allow.new.levels = allow_new_levels))
  se <- if (se_fit) standard_errors(model, entry, newdata, form, random_only)
  list(fit = as.double(fit), se_fit = as.double(se), row = rows)
}

# Standard errors of the differences between the predictions of other rows and those of new data, row by row; on the
# scale of the response with the slopes of both means.
difference_errors <- function(handle, newdata, changed, re_form = NULL, slope = 1, changed_slope = 1) {
  entry <- entry_of(handle)
  model <- prediction_model(entry)
  check_safe(entry, model)
  form <- chosen_effects(re_form, entry$scope)
  part <- function(rows) {
    data <- rbind(newdata[rows, , drop = FALSE], changed[rows, , drop = FALSE])
    scaled <- function(m, i, slope) m[i, , drop = FALSE] * rep_len(slope, nrow(newdata))[rows]
    difference <- function(m) {
      scaled(m, length(rows) + seq_along(rows), changed_slope) - scaled(m, seq_along(rows), slope)
    }
    random <- random_design(model, data, form)
    for (name in c("known", "new")) random[[name]] <- Matrix::t(difference(Matrix::t(random[[name]])))
    sqrt(prediction_variance(model, difference(fixed_design(model, data)), random))
  }
  list(std_error = as.double(in_chunks(nrow(newdata), part)))
}

# The values of a function of the numbers of rows, a few hundred at a time.
in_chunks <- function(rows, value) {
  unlist(lapply(split(seq_len(rows), (seq_len(rows) - 1L) %/% 500L), value), use.names = FALSE)
}

# Standard errors of predictions, with theta held fixed. lme4 has them from 1.1-35 on, but leaves out the permutation
# of L, and confuses the columns of some random effects.
standard_errors <- function(model, entry, newdata, form, random_only) {
  data <- if (is.null(newdata)) entry$scope$data[attr(model@frame, "row.names"), , drop = FALSE] else newdata
  part <- function(rows) {
    rows <- data[rows, , drop = FALSE]
    x <- if (random_only) matrix(0, nrow(rows), ncol(model@pp$X)) else fixed_design(model, rows)
    sqrt(prediction_variance(model, x, random_design(model, rows, form)))
  }
  in_chunks(nrow(data), part)
}

prediction_variance <- function(model, x, random) {
  get <- function(name) lme4::getME(model, name)
  b <- get("Lambdat") %*% random$known
  u <- Matrix::solve(get("L"), Matrix::solve(get("L"), b, system = "P"), system = "L")
  beta <- solve_any(t(get("RX")), t(x) - as.matrix(Matrix::crossprod(get("RZX"), u)))
  of_new <- Matrix::colSums(random$new * (random$covariance %*% random$new))
  stats::sigma(model)^2 * (Matrix::colSums(u^2) + colSums(beta^2) + of_new)
}

# The model matrix of the fixed part for new data, by columns. It is refused where a row alone has another one.
new_fixed_design <- function(handle, newdata) {
  entry <- entry_of(handle)
  model <- prediction_model(entry)
  for (i in few(model@resp$mu)) {
    data <- entry$scope$data[attr(model@frame, "row.names")[i], , drop = FALSE]
    alone <- tryCatch(fixed_design(model, data), error = function(e) NaN)
    if (!isTRUE(all.equal(as.vector(alone), as.vector(model@pp$X[i, ])))) refuse_anew()
  }
  list(value = as.vector(fixed_design(model, newdata)))
}

fixed_design <- function(model, data) {
  terms <- stats::delete.response(stats::terms(model, fixed.only = TRUE))
  levels <- lapply(Filter(is.factor, model@frame[names_of_variables(terms)]), levels)
  frame <- predict_or_refuse(stats::model.frame(terms, data, na.action = stats::na.pass, xlev = levels))
  x <- stats::model.matrix(terms, frame, contrasts.arg = attr(model@pp$X, "contrasts"))
  x[, setdiff(seq_len(ncol(x)), attr(model@pp$X, "col.dropped")), drop = FALSE] # by place: columns may share a name
}

# The names that the variables of terms have in a model frame. lme4's, with `fixed.only`, lack those of log(`the days`).
names_of_variables <- function(terms) {
  vapply(as.list(attr(terms, "variables"))[-1L], function(v) paste(deparse(v, 500L), collapse = " "), "")
}

# What each term adds to the linear predictor of the rows of the fit or of new data: a column of `value` per effect, with
# its `term`, and the number of its random term in `block`, 0 for the fixed part. `offset` is that of each row. The
# variables of the i-th fixed effect are the `variable` whose `of` is i.
contributions_of <- function(handle, newdata = NULL) {
  entry <- entry_of(handle)
  model <- prediction_model(entry)
  if (!is.null(newdata)) check_safe(entry, model)
  design <- if (is.null(newdata)) own_design(model) else new_design(model, newdata)
  terms <- stats::terms(model, fixed.only = TRUE)
  labels <- c("(Intercept)", attr(terms, "term.labels"))
  fixed <- sum_columns(t(design$x) * lme4::fixef(model), labels[attr(model@pp$X, "assign") + 1L])
  random <- Map(function(t, of) sum_columns(model@pp$b(1)[t] * design$Zt[t, , drop = FALSE], of),
                places_of_terms(model), labels_of_terms(model))
  variables <- lapply(colnames(fixed), function(label) all.vars(str2lang(label)))
  list(value = as.vector(do.call(cbind, c(list(fixed), random))),
       term = c(colnames(fixed), unlist(lapply(random, colnames), use.names = FALSE)),
       block = rep(seq_along(c(1L, random)) - 1L, c(ncol(fixed), vapply(random, ncol, 1L))),
       offset = design$offset, has_offset = !is.null(attr(terms, "offset")) || any(model@resp$offset != 0),
       variable = as.character(unlist(variables)), of = rep(seq_along(variables), lengths(variables)))
}

own_design <- function(model) list(x = original_x(model), Zt = model@pp$Zt, offset = as.double(model@resp$offset))

new_design <- function(model, data) {
  terms <- stats::delete.response(stats::terms(model, fixed.only = TRUE))
  given <- as.list(attr(terms, "variables"))[-1L][attr(terms, "offset")]
  offset <- Reduce(`+`, lapply(given, eval, data, attr(terms, ".Environment")), numeric(nrow(data)))
  list(x = fixed_design(model, data), Zt = random_design(model, data, NULL)$known, offset = as.double(offset))
}

# The sums of rows by their label, as columns in the order of the labels.
sum_columns <- function(rows, of) {
  sums <- lapply(unique(of), function(label) Matrix::colSums(rows[of == label, , drop = FALSE]))
  matrix(as.double(unlist(sums)), ncol(rows), dimnames = list(NULL, unique(of)))
}

places_of_terms <- function(model) lapply(seq_along(model@cnms), function(t) seq(model@Gp[t] + 1L, model@Gp[t + 1L]))

# For each random term, in lme4's order, the label of the term that each of its places belongs to.
labels_of_terms <- function(model) {
  bars <- find_bars(random_part(model))
  of_bar <- function(bar, term) {
    form <- stats::as.formula(call("~", bar[[2L]]), environment(stats::formula(model)))
    columns <- attr(stats::model.matrix(form, stats::model.frame(model)), "assign")
    rep(c("(Intercept)", attr(stats::terms(form), "term.labels"))[columns + 1L], diff(model@Gp)[term] / length(columns))
  }
  number <- unlist(terms_of(model, bars))
  Map(of_bar, bars, number)[order(number)]
}

# The design of the random part for data, one column per row of the data. `known` has a row per random effect of the
# fit. `new` also has a row per effect of new levels, and `covariance` is the relative covariance of its rows.
random_design <- function(model, data, form) {
  fitted <- lme4::getME(model, "Lambdat")
  none <- Matrix::Matrix(0, nrow(fitted), nrow(data), sparse = TRUE)
  if (!is.null(form) && identical(form[[2L]], 0)) return(list(known = none, new = none, covariance = fitted))
  bars <- if (is.null(form)) random_part(model) else form
  own <- predict_or_refuse(numbered_effects(model, data, bars, allow.new.levels = TRUE))
  is_new <- own$place < 0L
  place <- Matrix::sparseMatrix(own$place[!is_new], which(!is_new), x = 1, dims = c(nrow(fitted), length(is_new)))
  own$Lambdat@x[] <- 1
  list(known = place %*% own$Zt, new = Matrix::Diagonal(x = as.numeric(is_new)) %*% own$Zt,
       covariance = relabel(Matrix::crossprod(own$Lambdat), Matrix::crossprod(fitted), first_place(model, own$place)))
}

# Simulate responses, one after another in `value`. `differs` tells whether lme4's own would be others.
simulate_model <- function(handle, nsim, seed, newdata = NULL, re_form = NULL, allow_new_levels = FALSE,
                           newparams = NULL, cluster_rand = NULL, weights = NULL) {
  entry <- entry_of(handle)
  model <- prediction_model(entry)
  if (!is.null(newdata)) check_safe(entry, model)
  cluster <- if (!is.null(cluster_rand)) find_export(cluster_rand)
  by_kind <- if (lme4::isGLMM(model)) draw_glmer else draw
  drawn <- by_kind(model, nsim, seed, newdata, newparams, chosen_effects(re_form, entry$scope), allow_new_levels, cluster,
                   weights)
  c(list(value = as.vector(drawn), differs = attr(drawn, "differs")), attr(drawn, "form"))
}

# Draw responses as lme4's simulate() does, one per column, but with the model's own means and variances. lme4 takes
# theta from the wrong term where only some terms are drawn, or where new data order them otherwise, takes the effects of
# the wrong term where two of a group share a name, and leaves weights out (its issue 386). The normal deviates are the
# same. `differs` tells whether the numbers are others.
draw <- function(model, nsim, seed, newdata = NULL, newparams = NULL, form = ~0, allow_new_levels = FALSE,
                 cluster_rand = NULL, weights = NULL, numbers = NULL) {
  if (is.null(weights) && is.null(newdata)) weights <- model@resp$weights
  from <- simulator(numbers)
  simulated <- function(cond.sim) {
    unname(as.matrix(from$draw(model, nsim, seed, newdata, newparams, form, allow_new_levels, cluster_rand,
                               cond.sim = cond.sim)))
  }
  responses <- simulated(TRUE)
  differs <- from$differs()
  if (any(weights != 1)) {
    mean <- if (from$random()) simulated(FALSE) else predict_by_place(model, newdata, newparams, form,
                                                                      allow.new.levels = allow_new_levels)
    responses <- mean + (responses - mean) / sqrt(ifelse(weights > 0, weights, 1))
    differs <- TRUE
  }
  structure(responses, differs = differs)
}

# lme4's simulate(), in which each term has effects of its own: `differs` tells whether any are other than lme4's, and
# `random` whether any are drawn. Random numbers come from `numbers`, made by generators(), or after a seed.
simulator <- function(numbers = NULL) {
  differs <- random <- FALSE
  note_difference <- function(effects, part) function(...) {
    found <- effects(...)
    theirs <- tryCatch(lme4::mkNewReTrms(...), error = function(e) NULL)
    differs <<- differs || is.null(theirs) || any(found[[part]] != theirs[[part]])
    random <<- random || part == "Lambdat"
    if (part == "Lambdat" && !is.null(numbers)) numbers$expect_effects()
    found
  }
  own <- list(predict = predict_with(note_difference(kept_effects, "b")),
              mkNewReTrms = note_difference(new_effects, "Lambdat"))
  own <- c(own, numbers$own)
  draw <- function(model, nsim, seed, newdata, newparams, form, allow_new_levels, cluster_rand, ...) {
    given <- list(model, nsim, newdata = newdata, newparams = newparams, re.form = form,
                  allow.new.levels = allow_new_levels, ...)
    given$cluster.rand <- cluster_rand
    if (!is.null(numbers)) numbers$begin()
    callCC(function(take) { # lme4 takes longer to make a data frame of many responses than to draw them
      own$as.data.frame <- function(x, ...) take(x)
      with_seed(seed, predict_or_refuse(do.call(simulateFun_with(own), given)))
    })
  }
  list(draw = draw, differs = function() differs, random = function() random)
}

# Draw responses of a generalized model as lme4's simulate() does, one after another, as numbers. `form` tells what these
# stand for: `failures` beside the successes of cbind(), the `level`s of a factor.
draw_glmer <- function(model, nsim, seed, newdata = NULL, newparams = NULL, form = ~0, allow_new_levels = FALSE,
                       cluster_rand = NULL, weights = NULL, numbers = NULL) {
  refuse_dispersion(model, "simulate()")
  two <- is.matrix(stats::model.response(model@frame))
  if (!is.null(newdata) && two && is.null(weights)) {
    refuse("the response has two columns, so new data need weights, the number of trials of each row")
  }
  if (is.null(weights)) weights <- if (is.null(newdata)) model@resp$weights else rep(1, nrow(newdata))
  from <- simulator(numbers)
  drawn <- from$draw(model, nsim, seed, newdata, newparams, form, allow_new_levels, cluster_rand, weights = weights)
  values <- vapply(drawn, as_values, double(length(weights)))
  levels <- if (is.factor(drawn[[1L]])) levels(drawn[[1L]])
  failures <- if (two) as.vector(weights - values)
  structure(values, differs = from$differs(), form = list(failures = as.double(failures), level = as.character(levels)))
}

# Levels in new data that the fit has not seen. `groups` has the text of each grouping factor by its name. Returns
# `group`, `level`, and `row` from 1, and whether the `text` of the level is that of another one that the fit has: the
# pairs ("a", "b:c") and ("a:b", "c") share one.
unseen_levels <- function(handle, newdata, groups) {
  entry <- entry_of(handle)
  used <- entry$scope$data[attr(entry$model@frame, "row.names"), , drop = FALSE]
  found <- Map(function(name, text) {
    group <- str2lang(text)
    value <- as.character(eval(group, lapply(newdata[all.vars(group)], as.factor), entry$scope))
    known <- value %in% levels(entry$model@flist[[name]])
    row <- which(!known | !seen_together(newdata, used, all.vars(group)))
    list(group = rep(name, length(row)), level = value[row], row = row, text = known[row])
  }, names(groups), groups)
  part <- function(name) unlist(lapply(found, `[[`, name), use.names = FALSE)
  list(group = as.character(part("group")), level = as.character(part("level")), row = as.integer(part("row")),
       text = as.logical(part("text")))
}

# Whether some columns have, in each row of new data, values that they have together in the data known.
seen_together <- function(newdata, known, columns) {
  if (length(columns) == 1L) return(rep(TRUE, nrow(newdata)))
  code <- function(data) {
    codes <- lapply(columns, function(name) match(as.character(data[[name]]), unique(as.character(known[[name]]))))
    do.call(paste, codes)
  }
  code(newdata) %in% code(known)
}
