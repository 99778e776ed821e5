# Numbers of each of many fits, in the order in which numbers_at() gives them, one fit a column; all of one shape.
fits_of <- function(found) matrix(found$value, ncol = sum(found$which > 0L))

# The same of a model of plain lme4's, up to the covariances of its fixed effects.
numbers_of <- function(model) {
  info <- model@optinfo
  converged <- info$conv$opt == 0 && length(info$warnings) == 0L && length(info$conv$lme4$messages) == 0L
  criterion <- if (lme4::isREML(model)) lme4::REMLcrit(model) else stats::deviance(model)
  c(criterion, stats::sigma(model), lme4::isSingular(model), converged, lme4::getME(model, "theta"),
    lme4::fixef(model), as.vector(as.matrix(stats::vcov(model))))
}

set.seed(1)
random_slope <- "Reaction ~ Days + (Days | Subject)"
responses <- as.matrix(stats::simulate(plain, nsim = 3L, seed = 2L))

fit_each <- function(formula, data, name, response, ...) {
  suppressMessages(suppressWarnings(apply(response, 2L, function(y) {
    data[[name]] <- y
    numbers_of(lme4::lmer(stats::as.formula(formula), data, ...))
  })))
}

first_rows <- function(found, expected) fits_of(found)[seq_len(nrow(expected)), , drop = FALSE]

test_that("each of many fits is lmer's own, to the bit", {
  for (reml in c(TRUE, FALSE)) {
    found <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(responses), reml = reml)
    expected <- unname(fit_each(random_slope, lme4::sleepstudy, "Reaction", responses, REML = reml))
    expect_identical(found$which, rep(1L, 3L))
    expect_identical(first_rows(found, expected), expected)
  }
})

test_that("where all terms are intercepts, lmer's start is taken from each response", {
  model <- lme4::lmer(Yield ~ 1 + (1 | Batch), lme4::Dyestuff)
  yields <- as.matrix(stats::simulate(model, nsim = 6L, seed = 3L))
  found <- fit_many("Yield ~ 1 + (1 | Batch)", lme4::Dyestuff, "Yield", as.vector(yields))
  expected <- unname(fit_each("Yield ~ 1 + (1 | Batch)", lme4::Dyestuff, "Yield", yields))
  expect_identical(first_rows(found, expected), expected)
  design <- design_of_rows(plan_many("Yield ~ 1 + (1 | Batch)", lme4::Dyestuff, "Yield"), yields[, 1L])
  starts <- apply(yields, 2L, own_start, design = design)
  expect_gt(length(unique(starts)), 1L)
  expect_identical(own_start(as.double(lme4::Dyestuff$Batch), design), design$theta) # nothing is left within a group
})

test_that("a response that lacks values is fitted to the rows that are left", {
  lacking <- responses
  lacking[c(5L, 77L), 2L] <- NA
  found <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(lacking))
  expected <- unname(fit_each(random_slope, lme4::sleepstudy, "Reaction", lacking))
  expect_identical(first_rows(found, expected), expected)
  expect_identical(found$which, rep(1L, 3L)) # the names are those of all rows
})

test_that("a response that has no fit costs itself, and its error is told beside its number", {
  bad <- responses
  bad[9L, 2L] <- Inf
  found <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(bad))
  expect_identical(found$which, c(1L, 0L, 1L))
  good <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(responses[, c(1L, 3L)]))
  expect_identical(found$value, good$value)
  expect_true("error" %in% found$told.kind[found$told.fit == 2L])
  expect_match(found$told.text[found$told.fit == 2L & found$told.kind == "error"], "NA/NaN/Inf in 'y'", fixed = TRUE)
})

test_that("a response that the model meets exactly has no fit", {
  exact <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.double(lme4::sleepstudy$Days))
  expect_identical(exact$which, 0L)
  expect_length(exact$value, 0L)
})

test_that("the numbers of a response do not depend on those before it", {
  for (exact in c(TRUE, FALSE)) {
    theta <- lme4::getME(plain, "theta")
    forward <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(responses), exact = exact, theta = theta)
    backward <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(responses[, 3:1]), exact = exact,
                         theta = theta)
    expect_identical(fits_of(forward), fits_of(backward)[, 3:1])
  }
})

test_that("fits that need not be exact are the bootstrap's, and no worse than lmer's", {
  theta <- lme4::getME(plain, "theta")
  found <- fit_many(random_slope, lme4::sleepstudy, "Reaction", as.vector(responses), exact = FALSE, theta = theta)
  boot <- matrix(refit_responses("sleep", as.vector(responses), theta)$values, ncol = 3L)
  criterion <- fit_each(random_slope, lme4::sleepstudy, "Reaction", responses)[1L, ]
  expect_true(all(fits_of(found)[1L, ] <= criterion + 1e-6)) # where lmer's default optimizer stops
  # One deviance function is made of a fit and the other of a design: their last digits may differ.
  expect_equal(fits_of(found)[1L, ], boot[1L, ], tolerance = 1e-9)
})

test_that("what fits share is named once, and a column without a rank is left out of it", {
  data <- transform(lme4::sleepstudy, twice = 2 * Days)
  shape <- suppressMessages(
    describe_shape("Reaction ~ Days + twice + (1 | Subject) + (0 + Days | Subject)", data, "Reaction")
  )
  expect_identical(shape$shape.term, c("(Intercept)", "Days"))
  expect_identical(shape$shape.dropped, "twice")
  expect_identical(shape$shape.block, c("Subject", "Subject.1"))
  expect_identical(shape$shape.group, c("Subject", "Subject"))
  expect_identical(shape$shape.width, c(1L, 1L))
  expect_identical(shape$shape.column, c("(Intercept)", "Days"))
  expect_identical(as.integer(shape$rows), 1:180)
})

test_that("weights, an offset and a subset are those of each fit", {
  call <- list(formula = "Reaction ~ Days + third + (1 | Subject)", data = extra, name = "Reaction")
  expected <- apply(responses, 2L, function(y) {
    data <- transform(extra, Reaction = y)
    numbers_of(lme4::lmer(Reaction ~ Days + third + (1 | Subject), data, weights = .weights, offset = .offset,
                          subset = .subset))
  })
  found <- do.call(fit_many, c(call, list(response = as.vector(responses))))
  expect_identical(first_rows(found, expected), unname(expected))
})
