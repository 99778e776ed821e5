published <- read.csv("published.csv")

test_that("at the optimum the objective is the criterion of the fit", {
  # The fit's criterion was computed there by the same code; a permutation may differ in its last digits.
  expect_equal(deviance_at("sleep", ours$theta)$value, ours$criterion, tolerance = 1e-13)
})

test_that("the objective is the published one", {
  for (i in seq_len(nrow(published))) {
    row <- published[i, ]
    fit_lmer("published", row$formula, getExportedValue("lme4", row$data), reml = row$reml)
    theta <- as.double(strsplit(as.character(row$theta), " ")[[1L]])
    # Printed to 15 digits and more, by other factorizations of the same matrices.
    expect_equal(deviance_at("published", theta)$value, row$value, tolerance = 1e-13, info = row$source)
  }
})

test_that("points come one after another, and the kept model stays as it was", {
  before <- model_of("sleep")@pp$theta
  values <- deviance_at("sleep", c(1, 0, 1, 0.5, 0.1, 0.2))$value
  expect_identical(values, c(deviance_at("sleep", c(1, 0, 1))$value, deviance_at("sleep", c(0.5, 0.1, 0.2))$value))
  expect_identical(model_of("sleep")@pp$theta, before)
})

test_that("the scale of a parameter is the root mean square of its column of Z", {
  days <- sqrt(mean(lme4::sleepstudy$Days^2))
  expect_equal(par_scale(model_of("sleep")), c(1, days, days), tolerance = 1e-15)
  fit_lmer("pastes", "strength ~ 1 + (1 | batch) + (1 | cask)", lme4::Pastes)
  expect_equal(par_scale(model_of("pastes")), c(1, 1), tolerance = 1e-15)
})

test_that("polish finds the minimum from afar, start by start", {
  starts <- cbind(c(5, 1, 5), c(0.01, 0, 0.01))
  found <- polish("sleep", as.vector(starts))
  best <- min(found$value)
  expect_lte(best, ours$criterion)
  expect_equal(found$value, rep(best, 2L), tolerance = 1e-12)  # the floor of the objective's rounding
  expect_equal(found$theta[1:3], ours$theta, tolerance = 1e-4)  # half the digits of a minimum
})

test_that("polish finds a minimum on the boundary", {
  suppressMessages(fit_lmer("boundary", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff2))
  found <- polish("boundary", c(3, 0))
  expect_identical(found$theta[2L], 0)
  expect_lt(found$theta[1L], 1e-3)
  expect_equal(found$value, rep(deviance_at("boundary", 0)$value, 2L), tolerance = 1e-12)
})

test_that("polish never ends above its start", {
  set.seed(1)
  starts <- matrix(abs(rnorm(15L)), 3L)
  starts <- cbind(starts, polish("sleep", ours$theta)$theta, c(1, 0.5, 0), c(1e-8, 0, 1e-8))
  found <- polish("sleep", as.vector(starts))
  expect_true(all(found$value <= deviance_at("sleep", as.vector(starts))$value))
})

test_that("polish keeps a start that bobyqa leaves for the worse", {
  objective <- function(p) if (p == 1e-3) 0 else 1 + p
  expect_identical(polisher(objective, scale = 1, lower = 0)(1e-3), 1e-3)
})

test_that("a start beyond a bound is moved to it", {
  expect_gte(polish("sleep", c(-1, 0, -1))$theta[1L], 0)
})

test_that("a design holds the model's matrices", {
  found <- design("sleep")
  z <- Matrix::sparseMatrix(i = found$z.i, p = found$z.p, x = found$z.x, index1 = FALSE, dims = c(36L, 180L))
  expect_identical(matrix(found$x, 180L, dimnames = list(NULL, found$terms)),
                   structure(lme4::getME(plain, "X")[, ], dimnames = list(NULL, c("(Intercept)", "Days"))))
  expect_identical(unname(as.matrix(z)), unname(as.matrix(lme4::getME(plain, "Zt"))))
  expect_identical(found$y, unname(lme4::getME(plain, "y")))
  expect_identical(found[c("random.group", "random.width", "random.size")],
                   list(random.group = "Subject", random.width = 2L, random.size = 18L))
  expect_identical(found$random.level, levels(lme4::sleepstudy$Subject))
})

test_that("a design has weights, offset and the rows used", {
  fit_lmer("weighted", "Reaction ~ Days + (1 | Subject)", extra)
  found <- design("weighted")
  expect_identical(found[c("weights", "offset", "rows")],
                   list(weights = extra$.weights[extra$.subset], offset = extra$.offset[extra$.subset],
                        rows = which(extra$.subset)))
})

test_that("a point without a value spoils the objective for nobody", {
  before <- deviance_at("sleep", ours$theta)
  for (wild in list(c(Inf, 0, 0), c(1e155, 0, 1))) {
    try(deviance_at("sleep", wild), silent = TRUE)
    expect_identical(deviance_at("sleep", ours$theta), before)
    try(polish("sleep", wild), silent = TRUE)
    expect_identical(deviance_at("sleep", ours$theta), before)
  }
})
