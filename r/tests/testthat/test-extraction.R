fit_kept <- function(handle, ...) {
  fit_lmer(handle, ...)
  model_of(handle)
}

test_that("an object is described by what it is, its names beside its values", {
  expect_identical(describe(c(a = 1, b = 2)), list(kind = "vector", values = c(1, 2), name = c("a", "b")))
  expect_identical(describe(matrix(1:2, 1L, dimnames = list(NULL, c("x", "y")))),
                   list(kind = "matrix", values = 1:2, dim = 1:2, row = NULL, column = c("x", "y")))
  expect_identical(describe(TRUE)$kind, "logical")
  expect_identical(describe(array(1, c(1L, 1L, 2L)))$kind, "array")
  expect_identical(describe(factor(c("v", "u")))$detail.1, c("u", "v"))
  expect_identical(describe(Matrix::Diagonal(2L, 3))[c("x", "p")], list(x = c(3, 3), p = 0:2))
})

test_that("a list's elements follow one another, equal names numbered", {
  found <- describe(list(g = 1, g = "a"))
  expect_identical(found[c("kind", "name", "1.values", "2.values")],
                   list(kind = "list", name = c("g", "g.1"), `1.values` = 1, `2.values` = "a"))
  expect_identical(describe(list())$name, character())
})

test_that("the joint covariance holds the one of the fixed effects, and every variance is at least the conditional one", {
  model <- fit_kept("joint", "strength ~ 1 + (1 | batch / cask)", lme4::Pastes)
  found <- vcov_full("joint")
  joint <- matrix(found$values, found$dim[1L])
  expect_equal(joint[41L, 41L], as.numeric(stats::vcov(model)), tolerance = 1e-12)
  expect_true(all(diag(joint)[1:40] > Matrix::diag(mode_covariance(model))))
})

test_that("conditional covariances of several terms are lme4's blocks, with what lies between them", {
  model <- fit_kept("double", "Reaction ~ Days + (Days || Subject)", lme4::sleepstudy)
  whole <- array(cond_var("double")$`1.values`, c(2L, 2L, 18L))
  blocks <- attr(lme4::ranef(model)$Subject, "postVar")
  expect_identical(whole[1L, 1L, ], blocks[[1L]][1L, 1L, ])
  expect_identical(whole[2L, 2L, ], blocks[[2L]][1L, 1L, ])
  expect_true(all(whole[1L, 2L, ] < 0) && identical(whole[1L, 2L, ], whole[2L, 1L, ]))
})

test_that("a refit without rows leaves the model and its data as they were", {
  model <- fit_kept("whole", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff)
  before <- list(describe_fit(model), entry_of("whole")$scope$data)
  refit_without("whole", lme4::Dyestuff$Batch != "A")
  expect_identical(list(describe_fit(model_of("whole")), entry_of("whole")$scope$data), before)
})

test_that("the padded rows of a model do not spoil its hat matrix", {
  data <- lme4::sleepstudy
  data$Reaction[3L] <- NA
  fit_kept("padded", "Reaction ~ Days + (Days | Subject)", data, na_action = "exclude")
  found <- hat_matrix("padded")
  expect_identical(found$dim, c(179L, 179L))
  expect_equal(diag(matrix(found$values, 179L)), hat_values("padded")$values[-3L], tolerance = 1e-14)
})
