# Writes contributions.json: predictions taken apart by hand, the columns of X by attr(assign) and the modes by their term.
# Run from this directory: Rscript contributions.R
suppressMessages(library(lme4))
source("json.R")

sleepstudy$w <- rep(c(1, 2, 4), 60)
sleepstudy$shift <- rep(c(0.5, -3, 10, 0), 45)
models <- list(
  slope = lmer(Reaction ~ Days + (Days | Subject), sleepstudy),
  poly = lmer(Reaction ~ poly(Days, 2) + (Days | Subject), sleepstudy),
  double_bar = lmer(Reaction ~ Days + (Days || Subject), sleepstudy),
  weighted = lmer(Reaction ~ Days + (1 | Subject), sleepstudy, weights = w),
  offset = lmer(Reaction ~ Days + offset(shift) + (1 | Subject), sleepstudy),
  cake = lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  crossed = lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  nested = lmer(strength ~ 1 + (1 | batch / cask), Pastes)
)

by_term <- function(m) {
  x <- getME(m, "X")
  labels <- c("(Intercept)", attr(terms(m), "term.labels"))[attr(x, "assign") + 1]
  summed <- function(label) rowSums(sweep(x, 2, fixef(m), `*`)[, labels == label, drop = FALSE])
  sapply(setdiff(labels, "(Intercept)"), summed, simplify = FALSE)
}
by_group <- function(m) { # each term of a group has one column here
  found <- list()
  for (group in names(ranef(m))) for (term in names(ranef(m)[[group]])) {
    column <- if (term == "(Intercept)") 1 else model.frame(m)[[term]]
    found[[paste(term, "|", group)]] <- column * ranef(m)[[group]][as.character(getME(m, "flist")[[group]]), term]
  }
  found
}
described <- function(m) {
  rows <- round(seq(1, nobs(m), length.out = 6))
  offset <- getME(m, "offset")
  parts <- c(by_term(m), by_group(m), if (any(offset != 0)) list("(offset)" = offset))
  stopifnot(all.equal(Reduce(`+`, parts) + if ("(Intercept)" %in% names(fixef(m))) fixef(m)[[1]] else 0,
                      unname(fitted(m)), check.attributes = FALSE))
  list(formula = deparse1(formula(m)), rows = I(rows - 1), parts = lapply(parts, function(x) I(unname(x[rows]))),
       means = lapply(parts, mean), intercept = fixef(m)[["(Intercept)"]], fitted = I(unname(fitted(m)[rows])),
       new = I(unname(predict(m, newdata = eval(m@call$data)[rev(rows), ]))))
}

writeLines(json(list(made_with = paste(R.version.string, "lme4", packageVersion("lme4")),
                     models = lapply(models, described))), "contributions.json", useBytes = TRUE)
