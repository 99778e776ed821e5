# The optimizer of cross products: its criterion, gradient and information against lme4's deviance function.
nested <- transform(lme4::sleepstudy, w = rep(c(1, 2, 0.5), 60), o = Days / 7, half = factor(rep(1:36, each = 5)),
                    day = factor(Days))
formulas <- list(
  Reaction ~ Days + (1 | Subject),
  Reaction ~ Days + (Days | Subject),
  Reaction ~ Days + (Days || Subject),
  Reaction ~ Days + (1 | Subject) + (1 | day),
  Reaction ~ Days + (Days | Subject) + (1 | day),
  Reaction ~ 0 + Days + (1 | half) + (Days | Subject)
)

deviance_of <- function(formula, reml = TRUE) {
  parts <- lme4::lFormula(formula, nested, REML = reml, weights = w, offset = o)
  do.call(lme4::mkLmerDevfun, parts)
}

products_of <- function(fn) {
  parts <- devfun_parts(fn)
  cross_products(parts$pp, parts$resp)
}

start_of <- function(fn) devfun_parts(fn)$pp$theta + 0.01 * seq_along(devfun_parts(fn)$pp$theta)

test_that("the criterion is lme4's", {
  for (formula in formulas) for (reml in c(TRUE, FALSE)) {
    fn <- deviance_of(formula, reml)
    theta <- start_of(fn)
    expect_equal(criterion_at(products_of(fn), theta)$value, fn(theta), tolerance = 1e-11)
  }
})

test_that("the gradient is that of lme4's function", {
  for (formula in formulas) for (reml in c(TRUE, FALSE)) {
    fn <- deviance_of(formula, reml)
    theta <- start_of(fn)
    point <- criterion_at(products_of(fn), theta)
    add_slope(products_of(fn), point)
    slope <- vapply(seq_along(theta), function(j) {
      (fn(replace(theta, j, theta[j] + 1e-5)) - fn(replace(theta, j, theta[j] - 1e-5))) / 2e-5
    }, 1)
    expect_equal(as.vector(point$gradient), slope, tolerance = 1e-5) # second differences of lme4's function
    expect_true(all(eigen(point$hessian, symmetric = TRUE)$values > 0))
  }
})

test_that("few evaluations end at lme4's optimum or below it", {
  for (formula in formulas) {
    theirs <- lme4::optimizeLmer(deviance_of(formula), "nloptwrap")
    fn <- deviance_of(formula)
    end <- crossproduct(fn, devfun_parts(fn)$pp$theta + 0, devfun_parts(fn)$lower)
    confirmed <- startsWith(end$message, "lme4's deviance function gives")
    expect_true(confirmed || startsWith(end$message, "lme4's nloptwrap decided"))
    if (confirmed) expect_lte(end$feval, 20)
    expect_lte(end$fval, theirs$fval + 1e-7)
    expect_equal(fn(end$par), end$fval, tolerance = 1e-12)
  }
})

test_that("Newton's steps settle alone on a clear optimum, and leave a variance of none to the search", {
  fn <- deviance_of(formulas[[4L]])
  data <- products_of(fn)
  deep <- function(theta) {
    point <- criterion_at(data, theta)
    add_slope(data, point)
    point
  }
  steps <- step_by_step(deep, devfun_parts(fn)$pp$theta + 0, c(0, 0), data$scale)
  searched <- search_region(function(x) criterion_at(data, x), deep, c(1, 1), c(0, 0), data$scale)
  if (steps$settled) expect_equal(fn(steps$par), fn(searched$par), tolerance = 1e-10)
  expect_false(step_by_step(deep, c(1, 0), c(0, 0), data$scale)$settled)
})

test_that("lme4's function has the last word", {
  fn <- deviance_of(formulas[[2L]])
  bounds <- devfun_parts(fn)$lower
  data <- products_of(fn)
  found <- minimize_criterion(data, c(1, 0, 1), bounds)
  confirmed <- settle_theta(found, fn, c(1, 0, 1), c(0, -Inf, 0), bounds)
  expect_match(confirmed$message, "^lme4's deviance function gives")
  found$par <- found$par * 1.01
  expect_match(settle_theta(found, fn, c(1, 0, 1), bounds, bounds)$message, "^lme4's nloptwrap decided: by its gradient")
  expect_match(settle_theta(NULL, fn, c(1, 0, 1), bounds, bounds)$message, "there is no criterion by cross products")
})

test_that("another function than the deviance at theta is lme4's to minimize", {
  ends <- crossproduct(function(x) sum((x - 1)^2), c(0, 0), rep(-Inf, 2), rep(Inf, 2))
  expect_equal(ends$par, c(1, 1), tolerance = 1e-5)
  expect_false(is_lmer_deviance(function(x) x, 1))
})

test_that("the optimizer is on R's search path where a model asked for it, and not before", {
  offer_optimizer("bobyqa")
  before <- "lmerbridge optimizers" %in% search()
  offer_optimizer("crossproduct")
  expect_true("lmerbridge optimizers" %in% search())
  if (!before) detach("lmerbridge optimizers", character.only = TRUE)
})

test_that("too many effects of other factors are refused", {
  many <- data.frame(y = sin(1:9000), a = factor((0:8999) %/% 3), b = factor((7L * (0:8999)) %% 2250L))
  fn <- do.call(lme4::mkLmerDevfun, lme4::lFormula(y ~ 1 + (1 | a) + (1 | b), many))
  expect_error(products_of(fn), "makes a dense matrix of the effects of all factors but the largest, here 2250")
})
