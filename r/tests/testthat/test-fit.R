test_that("every number is lme4's own", {
  blocks <- lme4::VarCorr(plain)
  modes <- lme4::ranef(plain, condVar = FALSE)
  expect_identical(fixef_of(ours), lme4::fixef(plain))
  expect_identical(ours$covariance, as.vector(as.matrix(stats::vcov(plain))))
  expect_identical(ours$theta, unname(lme4::getME(plain, "theta")))
  expect_identical(ours$sigma, stats::sigma(plain))
  expect_identical(ours$loglik, as.numeric(stats::logLik(plain)))
  expect_identical(ours$df, attr(stats::logLik(plain), "df"))
  expect_identical(ours$criterion, lme4::REMLcrit(plain))
  expect_identical(ours$fitted_values, unname(stats::fitted(plain)))
  expect_identical(ours$residual_values, unname(stats::residuals(plain)))
  expect_identical(ours$rows, 1:180)
  expect_identical(ours$block.covariance, as.vector(as.matrix(blocks$Subject)))
  expect_identical(ours$block.stddev, unname(attr(blocks$Subject, "stddev")))
  expect_identical(ours$block.correlation, as.vector(attr(blocks$Subject, "correlation")))
  expect_identical(matrix(ours$group.mode, 18L), unname(as.matrix(modes$Subject)))
  expect_identical(ours$group.level, row.names(modes$Subject))
  expect_identical(ours[c("block.name", "block.group", "block.width", "block.term", "group.name", "group.size")],
                   list(block.name = "Subject", block.group = "Subject", block.width = 2L,
                        block.term = c("(Intercept)", "Days"), group.name = "Subject", group.size = 18L))
  expect_identical(ours[c("reml", "rows_dropped", "dropped_terms", "singular", "converged", "optimizer")],
                   list(reml = TRUE, rows_dropped = 0L, dropped_terms = NULL, singular = FALSE, converged = TRUE,
                        optimizer = "nloptwrap"))
})

test_that("every element is a plain vector without attributes", {
  expect_identical(Filter(Negate(is.null), lapply(ours, attributes)), structure(list(), names = character()))
})

test_that("maximum likelihood reports the deviance", {
  found <- fit_lmer("ml", "Reaction ~ Days + (Days | Subject)", lme4::sleepstudy, reml = FALSE)
  expect_identical(found$criterion, unname(stats::deviance(lme4::lmer(sleep, lme4::sleepstudy, REML = FALSE))))
  expect_false(found$reml)
})

test_that("columns named for weights, offset and subset act as those arguments", {
  found <- fit_lmer("rows", "Reaction ~ Days + (1 | Subject)", extra)
  peer <- lme4::lmer(Reaction ~ Days + (1 | Subject), extra, weights = .weights, offset = .offset, subset = .subset)
  expect_identical(fixef_of(found), lme4::fixef(peer))
  expect_identical(found$rows, which(extra$.subset))
  expect_false(identical(found$beta, unname(lme4::fixef(lme4::lmer(Reaction ~ Days + (1 | Subject), extra)))))
})

test_that("na.action decides what becomes of rows that lack a value", {
  holes <- lme4::sleepstudy
  holes$Days[c(1L, 100L)] <- NA
  fit <- function(action) fit_lmer(action, "Reaction ~ Days + (1 | Subject)", holes, na_action = action)
  expect_identical(fit("omit")$rows_dropped, 2L)
  expect_identical(fit("omit")$rows, setdiff(1:180, c(1L, 100L)))
  expect_length(fit("exclude")$fitted_values, 178L)
  expect_s3_class(attr(model_of("exclude")@frame, "na.action"), "exclude")
  expect_error(fit("fail"), "missing values in object")
})

test_that("contrasts, start and control reach lmer", {
  control <- list(optimizer = "bobyqa", optCtrl = list(maxfun = 3000L))
  found <- fit_lmer("arguments", "Reaction ~ third + (1 | Subject)", extra[c("Reaction", "third", "Subject")],
                    contrasts = list(third = "contr.sum"), start = 0.5, control = control)
  peer <- lme4::lmer(Reaction ~ third + (1 | Subject), extra, contrasts = list(third = "contr.sum"), start = 0.5,
                     control = do.call(lme4::lmerControl, control))
  expect_identical(fixef_of(found), lme4::fixef(peer))
  expect_identical(found$terms, c("(Intercept)", "third1", "third2"))
  expect_identical(found$optimizer, "bobyqa")
  expect_error(fit_lmer("wrong", "Reaction ~ Days + (1 | Subject)", lme4::sleepstudy, start = c(1, 2)), "theta|par")
})

test_that("without an optimizer the start is the result, and nothing has converged", {
  found <- fit_lmer("none", "Reaction ~ Days + (1 | Subject)", lme4::sleepstudy, start = 0.5,
                    control = list(optimizer = NULL))
  expect_identical(found[c("theta", "optimizer", "converged")],
                   list(theta = 0.5, optimizer = "none", converged = FALSE))
})

test_that("a logical stays logical, an ordered factor has polynomial contrasts", {
  found <- fit_lmer("kinds", "Reaction ~ late + ordered(third) + (1 | Subject)", extra[c("Reaction", "late", "third",
                                                                                       "Subject")])
  expect_identical(found$terms, c("(Intercept)", "lateTRUE", "ordered(third).L", "ordered(third).Q"))
})

test_that("a rank-deficient column is named", {
  expect_message(found <- fit_lmer("rank", "Reaction ~ Days + I(2 * Days) + (1 | Subject)", lme4::sleepstudy),
                 "rank deficient")
  expect_identical(found$dropped_terms, "I(2 * Days)")
})

test_that("a singular fit says so and has converged", {
  expect_message(found <- fit_lmer("singular", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff2), "boundary \\(singular\\)")
  expect_identical(found[c("theta", "singular", "converged")], list(theta = 0, singular = TRUE, converged = TRUE))
})

test_that("several terms of a group are blocks of their own and one table of modes", {
  found <- fit_lmer("split", "Reaction ~ Days + (1 | Subject) + (0 + Days | Subject)", lme4::sleepstudy)
  expect_identical(found$block.name, c("Subject", "Subject.1"))
  expect_identical(found$block.group, c("Subject", "Subject"))
  expect_identical(found$group.term, c("(Intercept)", "Days"))
})

test_that("convergence needs the optimizer's word and lme4's", {
  expect_true(has_converged(list(opt = 0L, lme4 = list())))
  expect_false(has_converged(list(opt = 0L, lme4 = list(code = -1L))))
  expect_false(has_converged(list(opt = 1L, lme4 = list())))
  expect_false(has_converged(list(opt = NULL)))
})

test_that("covariance, modes and singularity are the doubles of lme4's own functions, warnings with them", {
  data <- transform(lme4::sleepstudy, third = factor(rep(1:3, 60L)), w = rep(c(0.5, 2, 3), each = 60L), far = Days + 1e9)
  quiet <- function(expr) suppressMessages(suppressWarnings(expr))
  models <- quiet(list(
    lme4::lmer(Reaction ~ Days + (Days | Subject), data),
    lme4::lmer(Reaction ~ Days + I(2 * Days) + (1 | Subject), data, REML = FALSE),
    lme4::lmer(Reaction ~ Days + (Days | Subject) + (third - 1 | Subject), data, weights = w, control = lme4::lmerControl(
      check.nobs.vs.nRE = "ignore")),
    lme4::lmer(Reaction ~ 0 + (Days || Subject), data),
    lme4::lmer(Reaction ~ far + (1 | Subject), data),
    lme4::lmer(diameter ~ 1 + (1 | plate) + (1 | sample), lme4::Penicillin),
    lme4::lmer(strength ~ 1 + (1 | batch / cask), lme4::Pastes),
    lme4::lmer(Yield ~ 1 + (1 | Batch), lme4::Dyestuff2),
    lme4::glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), lme4::cbpp, stats::binomial())
  ))
  for (model in models) {
    expect_identical(as.vector(fixed_covariance(model)), as.vector(as.matrix(stats::vcov(model, correlation = FALSE))))
    expect_identical(describe_own_modes(model), describe_modes(lme4::ranef(model, condVar = FALSE)))
    expect_identical(ends_singular(model), lme4::isSingular(model))
  }
})

test_that("the covariance of scaled columns, and one that is hardly positive definite, are left to lme4", {
  model <- lme4::lmer(Reaction ~ Days + (1 | Subject), lme4::sleepstudy)
  named <- function(of) !is.null(dimnames(of)) # as that of vcov() is
  expect_identical(c(named(fixed_covariance(model)), named(fixed_covariance(model, doubt = 2))), c(FALSE, TRUE))
  if (lme4_since("2.0-1")) {
    scaled <- lme4::lmer(Reaction ~ Days + (1 | Subject), lme4::sleepstudy, control = lme4::lmerControl(autoscale = TRUE))
    expect_true(named(fixed_covariance(scaled)))
    expect_identical(fixed_covariance(scaled), as.matrix(stats::vcov(scaled, correlation = FALSE)))
  }
})
