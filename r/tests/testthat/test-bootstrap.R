fit_lmer("oats", "yield ~ nitro + (nitro | Block)", as.data.frame(nlme::Oats))

test_that("a factor's columns may change sign, and come back with a diagonal that is not negative", {
  devfun <- deviance_function(entry_of("oats"))
  model <- model_of("oats")
  found <- minimum(devfun, -model@theta, par_scale(model))
  expect_true(all(found$par[c(1L, 3L)] >= 0))
  expect_lte(devfun(found$par), lme4::REMLcrit(model) + 1e-6)
})

test_that("no start that is a wall to others ends above them", {
  # From a variance of zero the objective is flat in its direction: bounded optimizers stay there.
  devfun <- deviance_function(entry_of("oats"))
  model <- model_of("oats")
  stuck <- stats::nlminb(c(0, 0, 0), devfun, lower = c(0, -Inf, 0))$objective
  ends <- vapply(list(c(0, 0, 0), c(1, 0, 1), c(0, 0.1, 0)), function(start) {
    devfun(minimum(devfun, start, par_scale(model))$par)
  }, 0)
  expect_equal(ends, rep(min(ends), 3L), tolerance = 1e-9)
  expect_gt(stuck, min(ends) + 1)
})

test_that("refitting to other responses leaves the model and its objective as they were", {
  before <- deviance_at("oats", model_of("oats")@theta)$value
  refit_responses("oats", rev(model_of("oats")@resp$y), model_of("oats")@theta)
  expect_identical(deviance_at("oats", model_of("oats")@theta)$value, before)
})

test_that("the factor of each term holds theta where its template says", {
  suppressWarnings( # lme4 2.1 doubts where it ends, which is not what is asked here
    fit_lmer("terms", "distance ~ age + (age | Subject) + (1 | Sex)", as.data.frame(nlme::Orthodont))
  )
  theta <- model_of("terms")@theta
  expect_identical(describe_refits("terms")$index, c(1L, 2L, 0L, 3L, 4L))
  expect_identical(unname(lme4::getME(model_of("terms"), "Tlist")[[1L]]), matrix(c(theta[1:2], 0, theta[3]), 2L))
})
