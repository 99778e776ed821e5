fit_lmer("pastes", "strength ~ 1 + (1 | batch) + (1 | cask:batch)", lme4::Pastes)

test_that("names are lme4's own of the random part, sigma and the fixed effects", {
  expect_setequal(parameter_names("sleep")$name, c("sd_(Intercept)|Subject", "sd_Days|Subject",
                                                   "cor_Days.(Intercept)|Subject", "sigma", "(Intercept)", "Days"))
  expect_identical(utils::tail(parameter_names("sleep")$name, 3L), c("sigma", "(Intercept)", "Days"))
})

test_that("a parameter is profiled as lme4 does it, and a fixed effect has no bounds", {
  place <- match("Days", parameter_names("sleep")$name)
  ours <- profile_parameter("sleep", place, "sdcor")
  theirs <- stats::profile(plain, which = "Days")
  expect_identical(ours$zeta, theirs$.zeta)
  expect_identical(matrix(ours$values, length(ours$zeta))[, place], theirs$Days)
  expect_identical(ours$backward.knots, attr(theirs, "backward")$Days$knots)
  expect_identical(c(ours$lower, ours$upper), c(NA_real_, NA_real_))
})

test_that("what was profiled before, and failed, leaves no trace", {
  alone <- profile_parameter("pastes", 2L, "varcov")
  suppressWarnings(profile_parameter("pastes", 1L, "varcov"))
  expect_identical(profile_parameter("pastes", 2L, "varcov"), alone)
  expect_false(anyNA(alone$zeta))
})

test_that("a fixed effect's profile on the scale of variances holds variances in every row", {
  place <- length(parameter_names("pastes")$name)
  deviations <- profile_parameter("pastes", place, "sdcor")
  variances <- profile_parameter("pastes", place, "varcov")
  rows <- length(deviations$zeta)
  expect_equal(variances$zeta, deviations$zeta)
  expect_equal(matrix(variances$values, rows)[, -place], matrix(deviations$values, rows)[, -place]^2, tolerance = 1e-6)
})

test_that("points that no monotonic spline goes through have none back", {
  found <- interpolated(as.double(1:5), c(1, 3, 2, 4, 5))
  expect_length(found$forward.knots, 5L)
  expect_true(found$forward.natural)
  expect_identical(found[c("backward.knots", "backward.coefficients", "backward.natural")],
                   list(backward.knots = double(), backward.coefficients = double(), backward.natural = FALSE))
})
