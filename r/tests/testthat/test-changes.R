test_that("a refit leaves the model it comes from, and its scope, as they were", {
  before <- list(model_of("sleep")@pp$theta, model_of("sleep")@resp$y, entry_of("sleep")$scope$data)
  response <- rev(lme4::sleepstudy$Reaction)
  refit_model("refit", "sleep", "Reaction", response, defect = utils::packageVersion("lme4") < "1.1-33")
  expect_identical(list(model_of("sleep")@pp$theta, model_of("sleep")@resp$y, entry_of("sleep")$scope$data), before)
  expect_identical(entry_of("refit")$scope$data$Reaction, response)
  expect_identical(environment(formula(model_of("refit"))), entry_of("refit")$scope)
})

test_that("a refit without a response is to the model's own", {
  found <- refit_model("again", "sleep", defect = utils::packageVersion("lme4") < "1.1-33")
  expect_equal(found$criterion, ours$criterion, tolerance = 1e-9)
  expect_identical(deparse(formula(model_of("again"))), deparse(formula(model_of("sleep"))))
})

test_that("a formula is changed by R, and nothing in it runs", {
  expect_identical(updated_formula("`y` ~ `x` + (1 | `g`)", "`.` ~ `.` - `x`")$text, "y ~ (1 | g)")
  expect_identical(updated_formula("y ~ x + (1 | g)", ". ~ . + stop()")$text, "y ~ x + (1 | g) + stop()")
})
