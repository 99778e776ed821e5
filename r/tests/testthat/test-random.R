test_that("a seed decides the numbers whatever the session's generators are, and leaves those as they were", {
  suppressWarnings(RNGkind("Mersenne-Twister", "Inversion", "Rejection"))
  set.seed(1)
  expected <- list(rnorm(2L), sample(9L))
  suppressWarnings(RNGkind("Wichmann-Hill", "Box-Muller", "Rounding"))
  on.exit(suppressWarnings(RNGkind("default", "default", "default")))
  before <- .Random.seed
  expect_identical(with_seed(1, list(rnorm(2L), sample(9L))), expected)
  expect_identical(.Random.seed, before)
  expect_identical(RNGkind(), c("Wichmann-Hill", "Box-Muller", "Rounding"))
})

test_that("after an error the session's generator is as it was", {
  set.seed(2)
  before <- .Random.seed
  expect_error(with_seed(1, stop("no")), "no")
  expect_identical(.Random.seed, before)
})

test_that("without a seed the session goes on", {
  set.seed(2)
  expected <- rnorm(1L)
  set.seed(2)
  expect_identical(with_seed(NULL, rnorm(1L)), expected)
})
