# The random effects of a fit for rows of data, each found by the place of its term. lme4 finds them by their names, and
# takes the first's effects for all terms of a group that share a name.

# lme4's mkNewReTrms() for effects that keep their values.
kept_effects <- function(object, newdata, re.form, ...) {
  found <- numbered_effects(object, newdata, re.form, ...)
  list(Zt = found$Zt, b = c(0, object@pp$b(1))[pmax(found$place, 0L) + 1L])
}

# lme4's mkNewReTrms() for effects to be drawn, with the theta of their own terms.
new_effects <- function(object, newdata, re.form, ...) {
  found <- numbered_effects(object, newdata, re.form, ...)
  list(Zt = found$Zt, Lambdat = relabel(found$Lambdat, lme4::getME(object, "Lambdat"), first_place(object, found$place)))
}

# The effects of the terms of a formula, in lme4's order: a row of `Zt` for each, its `place` among those of the fit,
# for a new level minus that at the first level, and the pattern of `Lambdat`.
numbered_effects <- function(model, data, form, ...) {
  bars <- find_bars(form)
  if (!is.null(data)) data <- with_variables(model, data)
  terms <- Map(function(bar, term) numbered_term(model, data, bar, term, ...), bars, terms_of(model, bars))
  terms <- terms[term_order(vapply(terms, `[[`, 1L, "levels"))]
  part <- function(name) lapply(terms, `[[`, name)
  Zt <- do.call(rbind, part("Zt"))
  attr(Zt, "na.action") <- attr(terms[[1L]]$Zt, "na.action")
  list(Zt = Zt, place = unlist(part("b"), use.names = FALSE), Lambdat = Matrix::bdiag(part("Lambdat")))
}

# Data with some value for each variable of the random part that it lacks, as it may where not all terms are asked for.
with_variables <- function(model, data) {
  known <- eval(model@call$data, environment(stats::formula(model)))
  for (name in setdiff(all.vars(random_part(model)), names(data))) {
    data[[name]] <- rep(stats::na.omit(known[[name]])[1L], nrow(data))
  }
  data
}

random_part <- function(model) stats::formula(model, random.only = TRUE)[-2L]

# The effects of one term by lme4, which is given places for their values, and finds those of no other term. Its formula
# names the variables of all terms, since lme4 takes what is not named for missing, and fails of a missing factor.
numbered_term <- function(model, data, bar, term, ...) {
  group <- deparse1(bar[[3L]])
  places <- data.frame(t(mode_positions(model, group, term)), row.names = levels(model@flist[[group]]))
  names(places) <- unlist(model@cnms[term])
  levels <- 0L
  of_levels <- function(x, nl.n, ...) {
    levels <<- length(nl.n)
    at <- match(nl.n, rownames(x))
    found <- x[ifelse(is.na(at), 1L, at), , drop = FALSE]
    found * ifelse(is.na(at), -1L, 1L)
  }
  own <- list(ranef = function(...) structure(list(places), names = group), levelfun = of_levels)
  form <- random_part(model)
  form[[2L]] <- Reduce(function(left, right) call("+", left, as.name(right)), all.vars(form), call("(", bar))
  c(mkNewReTrms_with(own)(model, data, form, ...), levels = levels)
}

# The number of the fit's term that each bar is, or of all terms of its group, where it has some of their columns.
terms_of <- function(model, bars) {
  own <- find_bars(random_part(model))
  group_of <- function(bar) deparse1(bar[[3L]])
  number <- order(term_order(vapply(own, function(bar) nlevels(model@flist[[group_of(bar)]]), 1L)))
  lapply(bars, function(bar) {
    at <- Position(function(other) identical(other, bar), own)
    if (is.na(at)) return(terms_by(model, group_of(bar)))
    own[at] <<- list(NULL)
    number[at]
  })
}

# The numbers of the terms of a group.
terms_by <- function(model, group) which(names(model@flist)[attr(model@flist, "assign")] == group)

# lme4's order of terms with so many levels.
term_order <- function(levels) if (any(diff(levels) > 0L)) rev(order(levels)) else seq_along(levels)

# The places of a group's modes among all modes: a column per level, a row per column of its terms.
mode_positions <- function(model, group, terms = terms_by(model, group)) {
  of_term <- function(t) matrix(seq(model@Gp[t] + 1L, model@Gp[t + 1L]), nrow = length(model@cnms[[t]]))
  do.call(rbind, lapply(terms, of_term))
}

# The places, at the first level, of effects of the same columns.
first_place <- function(model, place) {
  before <- abs(place) - 1L
  term <- findInterval(before, model@Gp)
  model@Gp[term] + (before - model@Gp[term]) %% lengths(model@cnms, use.names = FALSE)[term] + 1L
}

# Give a sparse matrix the values that `from` has for the first level of the terms of its rows and columns.
relabel <- function(matrix, from, first) {
  entries <- methods::as(methods::as(matrix, "generalMatrix"), "TsparseMatrix")
  entries@x <- from[cbind(first[entries@i + 1L], first[entries@j + 1L])]
  entries
}
