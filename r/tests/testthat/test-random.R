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

test_that("a block of replicates has the numbers that it has where all are drawn at once", {
  all <- with_seed(7L, list(effects = matrix(rnorm(6L), 2L), errors = matrix(rnorm(12L), 4L)))
  state <- list(effects = first_state(7L, "Mersenne-Twister")$state)
  for (n in c(1L, 2L)) {
    numbers <- generators(list(c(list(n = n, total = 3L), state)))
    numbers$begin()
    numbers$expect_effects()
    at <- if (n == 1L) 1L else 2:3
    expect_identical(numbers$own$rnorm(2L * n), as.vector(all$effects[, at]))
    expect_identical(numbers$own$rnorm(4L * n), as.vector(all$errors[, at]))
    state <- numbers$ends()[[1L]][c("effects", "errors")]
  }
})

test_that("a state is skipped by so many deviates, whatever is drawn at once", {
  state <- first_state(7L, "L'Ecuyer-CMRG")$state
  expect_identical(skip_normal(state, 10, at_once = 3), at_state(state, rnorm(10L))$state)
  expect_identical(skip_normal(state, 0), state)
})

test_that("what a family draws lane by lane is joined as it is drawn at once", {
  expect_identical(joined(list(1:2, 3L)), 1:3)
  expect_identical(joined(list(list(factor("a", c("a", "b"))), list(factor("b", c("a", "b"))))), list(factor(c("a", "b"))))
  expect_identical(joined(list(list(cbind(x = 1, y = 2)), list(cbind(x = 3, y = 4)))), list(cbind(x = c(1, 3), y = c(2, 4))))
})
