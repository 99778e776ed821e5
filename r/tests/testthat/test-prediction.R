two <- fit_lmer("two", "diameter ~ 1 + (1 | plate) + (1 | sample)", lme4::Penicillin)

test_that("what is drawn is what lme4's simulate() draws, where that takes each term's own theta", {
  found <- draw(model_of("two"), 2L, 7L)
  theirs <- with_seed(7L, stats::simulate(model_of("two"), 2L))
  expect_identical(as.vector(found), unlist(theirs, use.names = FALSE))
  expect_false(attr(found, "differs"))
  expect_true(attr(draw(model_of("two"), 2L, 7L, form = ~ (1 | plate)), "differs"))
  expect_false(attr(draw(model_of("two"), 2L, 7L, form = ~ (1 | sample)), "differs"))
})

test_that("random effects of other data are found among those of the fit, whatever their order", {
  model <- model_of("two")
  all <- ~ (1 | sample) + (1 | plate)
  expect_identical(numbered_effects(model, lme4::Penicillin, all)$place, 1:30)
  few <- subset(lme4::Penicillin, plate %in% c("c", "a"))
  few$plate <- factor(as.character(few$plate), c("c", "new", "a"))
  few$plate[few$plate == "c"][1L] <- "new"
  at <- c(A = 25, B = 26, C = 27, D = 28, E = 29, F = 30, a = 1, c = 3, new = -1)
  found <- numbered_effects(model, few, all, allow.new.levels = TRUE)
  expect_equal(found$place, unname(at[rownames(found$Zt)]))
  expect_equal(first_place(model, found$place), ifelse(rownames(found$Zt) %in% LETTERS, 25, 1))
  expect_identical(environment(lme4::mkNewReTrms), asNamespace("lme4"))
})

test_that("two terms of a group that share a name have effects of their own", {
  suppressWarnings(fit_lmer("shared", "Reaction ~ Days + (1 | Subject) + (Days | Subject)", lme4::sleepstudy))
  model <- model_of("shared")
  expect_identical(numbered_effects(model, lme4::sleepstudy, ~ (1 | Subject) + (Days | Subject))$place, 1:54)
  expect_identical(numbered_effects(model, lme4::sleepstudy, ~ (Days | Subject))$place, 19:54)
  expect_identical(numbered_effects(model, lme4::sleepstudy, ~ (0 + Days | Subject))$place, seq(20L, 54L, 2L))
  expect_equal(predict_by_place(model, lme4::sleepstudy), stats::fitted(model), check.attributes = FALSE)
  expect_identical(terms_of(model, find_bars(~ (Days | Subject) + (1 | Subject))), list(2L, 1L))
})

test_that("the design of the fit's own rows is the fit's", {
  model <- model_of("sleep")
  random <- random_design(model, lme4::sleepstudy, NULL)
  expect_equal(as.matrix(random$known), as.matrix(model@pp$Zt), check.attributes = FALSE)
  expect_true(all(random$new == 0))
  expect_equal(fixed_design(model, lme4::sleepstudy), model@pp$X, check.attributes = FALSE)
})

test_that("a model that cannot tell its own rows is refused for new data, and found so once", {
  fit_lmer("cut", "Reaction ~ cut(Days, 3) + (1 | Subject)", lme4::sleepstudy)
  entry <- entry_of("cut")
  expect_error(check_safe(entry, entry$model), "depends on all the rows", class = "lmerbridge_refusal")
  expect_false(entry$scope$.safe)
  expect_silent(check_safe(entry_of("sleep"), model_of("sleep")))
})

test_that("missing and new levels of a grouping factor are told with their rows", {
  data <- transform(lme4::sleepstudy[1:4, ], Subject = factor(c("308", NA, "1", "309")))
  expect_identical(unseen_levels("sleep", data, list(Subject = "`Subject`")),
                   list(group = rep("Subject", 2L), level = c(NA, "1"), row = 2:3, text = c(FALSE, FALSE)))
})

test_that("columns are seen together only in rows that have these very values", {
  known <- data.frame(a = c("a:b", "z"), b = c("c", "d"))
  new <- data.frame(a = factor(c("a", "a:b", "z", NA)), b = c("b:c", "c", "c", "c"))
  expect_identical(seen_together(new, known, c("a", "b")), c(FALSE, TRUE, FALSE, FALSE))
  expect_true(all(seen_together(new, known, "a")))
})

test_that("the fixed design of a row alone is the model's, or refused", {
  row <- lme4::sleepstudy[7L, ]
  expect_equal(new_fixed_design("sleep", row)$value, unname(model_of("sleep")@pp$X[7L, ]))
  fit_lmer("cut", "Reaction ~ cut(Days, 3) + (1 | Subject)", lme4::sleepstudy)
  expect_error(new_fixed_design("cut", row), "depends on all the rows", class = "lmerbridge_refusal")
})

test_that("the error of a difference is that of the slopes that differ", {
  before <- lme4::sleepstudy[1:2, ]
  error <- function(by, ...) difference_errors("sleep", before, transform(before, Days = Days + by), ...)$std_error
  expect_equal(error(2), 2 * error(1))
  expect_equal(error(0), c(0, 0))
  expect_equal(error(3, "~0"), rep(3 * sqrt(stats::vcov(model_of("sleep"))[2L, 2L]), 2L))
})

test_that("what the terms add to the linear predictor is summed by term, and adds up to the fitted values", {
  fit_lmer("parts", "Reaction ~ poly(Days, 2) + offset(Days) + (poly(Days, 2) | Subject)", lme4::sleepstudy)
  model <- model_of("parts")
  for (data in list(NULL, lme4::sleepstudy)) {
    found <- contributions_of("parts", data)
    expect_identical(found$term, rep(c("(Intercept)", "poly(Days, 2)"), 2L))
    expect_identical(found$block, c(0L, 0L, 1L, 1L))
    expect_identical(found$variable[found$of == 2L], "Days")
    expect_true(found$has_offset)
    expect_equal(rowSums(matrix(found$value, 180L)) + found$offset, unname(stats::fitted(model)))
  }
  expect_equal(matrix(found$value, 180L)[, 2L], drop(lme4::getME(model, "X")[, -1L] %*% lme4::fixef(model)[-1L]),
               check.attributes = FALSE)
  fit_lmer("none", "Reaction ~ 0 + (1 | Subject)", lme4::sleepstudy)
  expect_identical(contributions_of("none")$block, 1L)
})
