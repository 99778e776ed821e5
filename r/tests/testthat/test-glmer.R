cows <- cbind(incidence, size - incidence) ~ period + (1 | herd)
text <- "cbind(incidence, size - incidence) ~ period + (1 | herd)"
peer <- lme4::glmer(cows, lme4::cbpp, family = "binomial")
found <- fit_glmer("glmer", text, lme4::cbpp, "binomial", "logit")

test_that("every number is lme4's own", {
  table <- stats::coef(summary(peer))
  expect_identical(fixef_of(found), lme4::fixef(peer))
  expect_identical(found$covariance, as.vector(as.matrix(stats::vcov(peer))))
  expect_identical(found$p_values, unname(table[, "Pr(>|z|)"]))
  expect_identical(found$criterion, -2 * as.numeric(stats::logLik(peer)))
  expect_identical(found$residual_deviance, stats::deviance(peer))
  expect_identical(found$residual_values, unname(stats::residuals(peer)))
  expect_identical(found$linear_predictor, unname(stats::predict(peer)))
  expect_identical(found[c("covariance_from", "constant", "sigma", "reml")],
                   list(covariance_from = "hessian", constant = 0, sigma = 1, reml = FALSE))
})

test_that("quadrature leaves out the saturated log-likelihood before lme4 2.1", {
  nodes <- fit_glmer("nodes", text, lme4::cbpp, "binomial", "logit", n_agq = 25L)
  data <- lme4::cbpp
  saturated <- sum(stats::dbinom(data$incidence, data$size, data$incidence / data$size, log = TRUE))
  expect_equal(nodes$constant, if (lme4_since("2.1-0")) 0 else saturated)
  expect_lt(abs(nodes$loglik + nodes$constant - found$loglik), 0.1)
})

test_that("without a Hessian the covariance is that of RX", {
  quick <- fit_glmer("quick", text, lme4::cbpp, "binomial", "logit", n_agq = 0L)
  expect_identical(quick$covariance_from, "RX")
})

test_that("a formula may call cbind only where the family is binomial", {
  expect_error(fit_glmer("cbind", text, lme4::cbpp, "poisson", "log"), class = "lmerbridge_unfit")
})

refused <- function(y, family) {
  scope <- list2env(list(data = data.frame(y = y)))
  check_response(y ~ 1, scope, family)
}

test_that("a response that is not of its family is refused", {
  expect_error(refused(c(0, 1, 2), "binomial"), "from 0 to 1", class = "lmerbridge_unfit")
  expect_error(refused(factor(letters[1:3]), "binomial"), "has 3 levels", class = "lmerbridge_unfit")
  expect_error(refused(c(TRUE, TRUE), "binomial"), "same in every row", class = "lmerbridge_unfit")
  expect_error(refused(c(0, -1), "poisson"), "negative", class = "lmerbridge_unfit")
  expect_error(refused(c(0, 1.5), "negative.binomial"), "1.5 in a row", class = "lmerbridge_unfit")
  expect_error(refused(c(0, 1.5), "Gamma"), "positive", class = "lmerbridge_unfit")
  expect_null(refused(c(0, 0.5, NA), "binomial"))
  expect_null(refused(c(0, 3, NA), "poisson"))
})

test_that("a profile leaves the model as it was, which lme4's own does not", {
  fit_glmer("profiled", text, lme4::cbpp, "binomial", "logit")
  before <- simulate_model("profiled", 1L, 1L, re_form = "~0")$value
  profile_parameter("profiled", 1L, "sdcor")
  expect_identical(simulate_model("profiled", 1L, 1L, re_form = "~0")$value, before)
})

test_that("a response goes to numbers and back", {
  expect_identical(as_values(factor(c("a", "b", "a"))), c(0L, 1L, 0L))
  model <- model_of("glmer")
  expect_identical(as_response(model, as_values(stats::model.response(model@frame))),
                   stats::model.response(model@frame))
})

test_that("means and their slopes follow the link", {
  fit_glmer("means", text, lme4::cbpp, "binomial", "probit")
  found <- inverse_link("means", c(-1, 0, 2))
  expect_equal(found$mean, stats::pnorm(c(-1, 0, 2)))
  expect_equal(found$slope, stats::dnorm(c(-1, 0, 2)))
})

test_that("an estimated shape is held by drop1, which says so", {
  found <- fit_glmer_nb("shape", "TICKS ~ YEAR + (1 | BROOD)", lme4::grouseticks)
  expect_identical(found$nb_theta, lme4::getME(model_of("shape"), "glmer.nb.theta"))
  expect_warning(drop1_of("shape"), "the shape is held at")
})
