covariance_of <- function(flat, block) {
  at <- cumsum(c(0L, flat$block.width^2))
  matrix(flat$block.covariance[seq(at[block] + 1L, at[block + 1L])], flat$block.width[block])
}

# What nlme and glmmTMB give when they are called as their users call them, to half the digits of the deviance.
half <- 1e-4

test_that("nlme's numbers are those of the call a user would write", {
  found <- fit_nlme("nlme", "Reaction ~ Days + (Days | Subject)", lme4::sleepstudy)
  own <- nlme::lme(Reaction ~ Days, lme4::sleepstudy, ~Days | Subject)
  expect_equal(found$loglik, as.numeric(logLik(own)), tolerance = 1e-9)
  expect_equal(found$beta, unname(nlme::fixef(own)), tolerance = half)
  expect_equal(found$covariance, as.vector(vcov(own)), tolerance = half)
  expect_equal(covariance_of(found, 1L), unname(unclass(nlme::getVarCov(own)))[1:2, 1:2], tolerance = half)
  expect_equal(matrix(found$group.mode, 18L), unname(as.matrix(nlme::ranef(own)[levels(lme4::sleepstudy$Subject), ])),
               tolerance = half)
  expect_equal(found$fitted_values, as.vector(fitted(own)), tolerance = half)
  expect_true(found$converged)
})

test_that("glmmTMB's numbers are those of the call a user would write", {
  suppressWarnings(skip_if_not_installed("glmmTMB")) # Debian sid's warns that it was built with another TMB
  found <- fit_glmmTMB("tmb", "strength ~ 1 + (1 | batch/cask)", lme4::Pastes)
  own <- glmmTMB::glmmTMB(strength ~ 1 + (1 | batch/cask), lme4::Pastes, REML = TRUE)
  expect_equal(found$loglik, as.numeric(logLik(own)), tolerance = 1e-9)
  expect_equal(found$beta, unname(glmmTMB::fixef(own)$cond), tolerance = half)
  expect_equal(found$covariance, as.vector(vcov(own)$cond), tolerance = half)
  expect_identical(found$block.group, c("cask:batch", "batch"))
  expect_equal(found$block.stddev,
               vapply(glmmTMB::VarCorr(own)$cond[c("cask:batch", "batch")], attr, 0, "stddev", USE.NAMES = FALSE),
               tolerance = half)
})

test_that("mgcv's numbers are those of the call a user would write", {
  skip_if_not_installed("mgcv")
  found <- fit_mgcv("mgcv", "strength ~ 1 + (1 | batch/cask)", lme4::Pastes)
  own <- mgcv::gam(strength ~ s(batch, bs = "re") + s(sample, bs = "re"), data = lme4::Pastes, method = "REML")
  expect_equal(found$criterion, 2 * as.numeric(own$gcv.ubre), tolerance = 1e-9)
  expect_equal(found$beta, unname(coef(own)[1L]), tolerance = half)
  expect_equal(found$covariance, vcov(own)[1L, 1L], tolerance = half)
  expect_identical(found$block.group, c("cask:batch", "batch"))
  invisible(capture.output(spread <- mgcv::gam.vcomp(own)))
  if (is.list(spread)) spread <- spread$vc  # a newer mgcv gives the table as a part
  expect_equal(c(found$block.stddev, found$sigma), unname(spread[c(2L, 1L, 3L), 1L]), tolerance = half)
})

test_that("conditional modes are by lme4's levels, whatever order an engine has them in", {
  formula <- "strength ~ 1 + (1 | batch/cask)"
  lme4s <- fit_lmer("pastes", formula, lme4::Pastes)
  there <- c(fit_nlme, if (requireNamespace("mgcv", quietly = TRUE)) fit_mgcv,
             if (requireNamespace("glmmTMB", quietly = TRUE)) fit_glmmTMB)
  for (fit in there) {
    found <- fit("engine", formula, lme4::Pastes)
    expect_identical(found[c("group.name", "group.level", "group.term")], lme4s[c("group.name", "group.level", "group.term")])
    expect_equal(found$group.mode, lme4s$group.mode, tolerance = half)
  }
})

places_of <- function(formula, data) lme_places(raw_terms(read_lmer("read", formula, data, TRUE, "omit", NULL, character())))

test_that("nested factors are groups in groups, from the outermost", {
  found <- places_of("strength ~ 1 + (1 | batch/cask)", lme4::Pastes)
  expect_identical(vapply(found$of, `[[`, 0L, "at"), c(3L, 2L))
  expect_identical(lengths(lapply(found$groups, unique)), c(1L, 10L, 30L))
})

test_that("a factor crossed with another is columns in a group of all rows", {
  found <- places_of("diameter ~ 1 + (1 | plate) + (1 | sample)", lme4::Penicillin)
  expect_identical(vapply(found$of, `[[`, 0L, "at"), c(2L, 1L))
  expect_null(found$of[[1L]]$local)
  expect_identical(max(found$of[[2L]]$local), 6L)
})

test_that("a factor crossed within a third is columns in that, its levels counted anew in each", {
  found <- places_of("logDens ~ 1 + (1 | Block) + (1 | Block:sample) + (1 | Block:dilut)", as.data.frame(nlme::Assay))
  expect_identical(vapply(found$of, `[[`, 0L, "at"), c(3L, 2L, 2L))
  expect_identical(max(found$of[[2L]]$local), 5L)
})

test_that("correlated effects stay with their factor where another is crossed with it", {
  data <- transform(lme4::sleepstudy, third = factor(rep(1:3, 60)))
  found <- places_of("Reaction ~ Days + (Days | third) + (1 | Subject)", data)
  expect_identical(vapply(found$of, `[[`, 0L, "at"), c(1L, 2L))
  expect_error(places_of("Reaction ~ Days + (Days | third) + (Days | Subject)", data),
               class = "lmerbridge_not_expressible")
})

test_that("weights divide nlme's residual variance as they do lme4's", {
  found <- fit_nlme("weighted", "Reaction ~ Days + (Days | Subject)", extra)
  lme4s <- fit_lmer("plain", "Reaction ~ Days + (Days | Subject)", extra)
  expect_identical(found$rows, lme4s$rows)
  expect_equal(found$loglik, lme4s$loglik, tolerance = 1e-9)
  expect_equal(found$fitted_values, lme4s$fitted_values, tolerance = half)
  expect_equal(found$fitted_values + found$residual_values, design("plain")$y, tolerance = 1e-12)
})

test_that("what an engine cannot do is told by the class of the condition", {
  expect_error(need("no.such.package"), "no.such.package", class = "lmerbridge_not_installed")
  expect_error(by_engine(stop("it broke")), "it broke", class = "lmerbridge_engine_failed")
  expect_error(fit_glmmTMB("weighted", "Reaction ~ Days + (1 | Subject)", extra), "divide the variance",
               class = "lmerbridge_not_expressible")
})

herds <- "cbind(incidence, size - incidence) ~ period + (1 | herd)"

test_that("glmmTMB's numbers of a generalized model are those of the call a user would write", {
  suppressWarnings(skip_if_not_installed("glmmTMB"))
  found <- fit_glmmTMB_glmm("tmb", herds, lme4::cbpp, "binomial", "probit")
  own <- glmmTMB::glmmTMB(cbind(incidence, size - incidence) ~ period + (1 | herd), lme4::cbpp, stats::binomial("probit"))
  expect_equal(found$loglik, as.numeric(logLik(own)), tolerance = 1e-9)
  expect_equal(found$beta, unname(glmmTMB::fixef(own)$cond), tolerance = half)
  expect_equal(found$covariance, as.vector(vcov(own)$cond), tolerance = half)
  expect_equal(found$fitted_values, unname(fitted(own)), tolerance = half)
  expect_identical(c(found$sigma, found$nb_theta), c(1, NaN))
})

test_that("glmmTMB estimates a shape, or holds the one that is given", {
  suppressWarnings(skip_if_not_installed("glmmTMB"))
  formula <- "TICKS ~ YEAR + (1 | BROOD)"
  free <- fit_glmmTMB_glmm("free", formula, lme4::grouseticks, "negative.binomial", "log")
  own <- glmmTMB::glmmTMB(TICKS ~ YEAR + (1 | BROOD), lme4::grouseticks, glmmTMB::nbinom2())
  expect_equal(free$nb_theta, stats::sigma(own), tolerance = half)
  expect_equal(free$loglik, as.numeric(logLik(own)), tolerance = 1e-9)
  held <- fit_glmmTMB_glmm("held", formula, lme4::grouseticks, "negative.binomial", "log", theta = 2)
  expect_equal(held$nb_theta, 2, tolerance = 1e-12)
  expect_lt(held$loglik, free$loglik)
})

test_that("an engine of a generalized model has lme4's response, trials, rows and offset", {
  data <- transform(lme4::cbpp, days = seq_len(56), p = incidence / size, .weights = size)
  data$days[7L] <- NA
  formula <- "p ~ days + offset(log(size)) + (1 | herd)"
  read_glmer("read", formula, data, "binomial", "logit", "omit", NULL, character())
  suppressWarnings(fit_glmer("fitted", formula, data, "binomial", "logit"))
  expect_identical(design("read"), design("fitted"))
  expect_identical(design("read")$weights[1L], 14)
})

test_that("counts are whole where a proportion of trials is off by rounding", {
  expect_identical(near_whole(c(0.07 * 100, 2.5)), c(7, 2.5))
})
