logistic <- "circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree"
begin <- list(Asym = 200, xmid = 725, scal = 350)
quietly <- function(expr) suppressWarnings(expr) # the Hessian of these models is not positive definite

test_that("every number is lme4's own", {
  peer <- quietly(lme4::nlmer(circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree, datasets::Orange,
                              start = unlist(begin)))
  found <- quietly(fit_nlmer("nlmer", logistic, datasets::Orange, names(begin), start = begin))
  expect_identical(fixef_of(found), lme4::fixef(peer))
  expect_identical(found$theta, unname(lme4::getME(peer, "theta")))
  expect_identical(found$criterion, -2 * as.numeric(stats::logLik(peer)))
})

test_that("an expression becomes a function that evaluates nothing on the way", {
  made <- differentiated(quote(a * exp(b * x)), c("a", "b"))
  expect_identical(made$call, quote(.model(a, b, x)))
  value <- made$fun(2, 0, 3)
  expect_identical(as.double(value), 2)
  expect_identical(as.double(attr(value, "gradient")), c(1, 6))
  expect_error(differentiated(quote(f(a)), "a"), class = "lmerbridge_refusal")
})

test_that("predictions are the model at its parameters", {
  quietly(fit_nlmer("predicted", logistic, datasets::Orange, names(begin), start = begin))
  model <- model_of("predicted")
  own <- predict_nlmer("predicted")$fit
  expect_equal(own, model@resp$mu, tolerance = 1e-5)
  b <- lme4::fixef(model)
  expect_equal(predict_nlmer("predicted", random = FALSE)$fit,
               unname(b[1L] / (1 + exp((b[2L] - datasets::Orange$age) / b[3L]))))
})

test_that("a start that is not to be found is refused", {
  expect_error(found_start(quote(y ~ SSlogis(x, Asym, xmid, scal)), data.frame(x = 1:3, y = 0), globalenv()),
               "give start", class = "lmerbridge_refusal")
})
