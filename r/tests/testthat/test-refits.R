tall <- local({
  g <- rep(1:15, each = 40)
  x <- cos(7 * seq_along(g))
  data.frame(g = factor(g), x = x, h = factor(rep(1:4, 150)), y = 1 + x + sin(g) + x * cos(3 * g) + cos(seq_along(g)^2))
})
models <- list(
  sleep = lme4::lmer(sleep, lme4::sleepstudy, REML = FALSE),
  scalar = lme4::lmer(Yield ~ 1 + (1 | Batch), lme4::Dyestuff, REML = FALSE),
  tall = lme4::lmer(y ~ x + (x | g), tall, REML = FALSE),
  one = lme4::lmer(y ~ x + (1 | g), tall, REML = FALSE),
  crossed = lme4::lmer(y ~ x + (1 | g) + (0 + x | g) + (1 | h), tall, REML = FALSE, weights = rep(c(0.5, 2), 300), offset = x / 3),
  minqa = lme4::lmer(y ~ x + (x | g), tall, REML = FALSE, control = lme4::lmerControl(optimizer = "bobyqa")),
  unchecked = lme4::lmer(y ~ x + (x | g), tall, REML = FALSE, control = lme4::lmerControl(calc.derivs = FALSE))
)

told_by <- function(expr) {
  told <- character()
  withCallingHandlers(suppressMessages(expr), warning = function(w) {
    told <<- c(told, conditionMessage(w))
    invokeRestart("muffleWarning")
  })
  told
}

test_that("a kept refit has the log-likelihood and the warnings of lme4's refit()", {
  for (model in models) {
    kept <- kept_refit(model)
    for (response in stats::simulate(model, 6L, seed = 1L)) {
      expect_identical(suppressMessages(suppressWarnings(kept(response))),
                       suppressMessages(suppressWarnings(as.double(stats::logLik(lme4::refit(model, response))))))
      expect_identical(told_by(kept(response)), told_by(lme4::refit(model, response)))
    }
  }
})

test_that("what lme4 warns of is warned of", {
  model <- models$tall
  loose <- lme4::lmerControl()$checkConv
  loose$check.conv.grad$tol <- 1e-12 # no end is so exact
  end <- list(par = model@theta, fval = stats::deviance(model))
  devfun <- stats::update(model, devFunOnly = TRUE)
  check <- check_of_ends(model, optwrap_of(devfun_parts(devfun)), list(devfun = devfun, rho = devfun_parts(devfun)), loose)
  expect_match(told_by(check(end, model@resp$y)), "failed to converge with max", all = FALSE)
})

test_that("the reduced deviance differs from lme4's by a constant", {
  for (name in c("tall", "one", "crossed")) {
    model <- models[[name]]
    devfun <- stats::update(model, devFunOnly = TRUE)
    reduced <- reduced_deviance(model)
    for (response in c(list(model@resp$y), stats::simulate(model, 2L, seed = 1L))) {
      set_response(devfun, response)
      at <- lapply(1:5, function(i) model@theta * i / 3 + 0.1)
      off <- vapply(at, devfun, 0) - vapply(at, reduced$at(response), 0)
      expect_lt(diff(range(off)), 1e-9)
    }
  }
  few <- lme4::lmer(strength ~ 1 + (1 | batch / cask), lme4::Pastes, REML = FALSE)
  expect_null(reduced_deviance(few)) # 60 rows, and 41 without them
})

test_that("derivatives near a limit of lme4's are not those of a minimum", {
  control <- lme4::lmerControl()$checkConv
  at <- function(gradient, hessian) is_minimum(list(gradient = gradient, Hessian = hessian), control)
  expect_true(at(c(1e-5, 0), diag(2)))
  expect_true(at(c(0.05, 0), diag(1e4, 2))) # small beside the curvature
  expect_false(at(c(0.0015, 0), diag(2)))
  expect_false(at(c(0, 0), diag(c(1, 5e-5))))
  expect_false(at(c(0, 0), diag(c(1, -1))))
  expect_false(at(c(0, 0), diag(c(1, NaN))))
  expect_false(is_minimum(NULL, control))
})

test_that("a function with a memory is asked once for its first and its lowest point", {
  asked <- numeric()
  fun <- function(par) {
    asked <<- c(asked, par)
    par^2
  }
  expect_identical(vapply(c(3, 1, 2, 3, 1), with_memory(fun), 0), c(9, 1, 4, 9, 1))
  expect_identical(asked, c(3, 1, 2))
})

test_that("an objective with a structure stays lme4's own", {
  devfun <- stats::update(models$tall, devFunOnly = TRUE)
  expect_identical(quick_objective(devfun, c("us", "cs")), devfun)
  expect_false(identical(quick_objective(devfun, "us"), devfun))
})
