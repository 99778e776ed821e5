test_that("lme4 has what it does not export", {
  expect_true(is.function(get0("pooledSD", lme4_namespace(), inherits = FALSE)))
  expect_true(is.function(refit_merMod()))
  expect_true(all(c("binomial", "poisson", "negative.binomial") %in% names(family_simulators())))
  expect_identical(is.function(profile_splines()), lme4_since("2.1-0"))
  expect_named(splines_through(as.double(1:5), as.double(1:5)), c("forward", "backward"), ignore.order = TRUE)
})

test_that("lme4's pooled standard deviation is that of all residuals, with its degrees of freedom", {
  list <- lme4::lmList(Reaction ~ Days | Subject, lme4::sleepstudy)
  found <- pooled_sd(list)
  expect_identical(attr(found, "df"), 144)
  expect_equal(as.numeric(found), sqrt(sum(stats::residuals(list)^2) / 144), tolerance = 1e-12)
})

test_that("lme4's functions ask for what is replaced in a copy of them, and are themselves as before", {
  ask <- function(...) stop("it asked")
  form <- ~ (1 | Subject)
  expect_error(mkNewReTrms_with(list(ranef = ask))(plain, lme4::sleepstudy, form), "it asked")
  expect_error(mkNewReTrms_with(list(levelfun = ask))(plain, lme4::sleepstudy, form), "it asked")
  expect_error(simulateFun_with(list(mkNewReTrms = ask))(plain, re.form = form), "it asked")
  expect_error(predict_merMod(list(mkNewReTrms = ask))(plain, lme4::sleepstudy), "it asked")
  expect_error(simulateFun_with(list(predict = ask))(plain), "it asked")
  expect_error(simulateFun_with(list(rnorm = ask))(plain), "it asked")
  expect_error(simulateFun_with(list(as.data.frame = ask))(plain), "it asked")
  expect_error(coef_merMod(list(ranef = ask))(plain), "it asked")
  if (!lme4_since("1.1-33")) { # later its refit() needs no other isREML()
    expect_error(refit_merMod(list(isREML = ask))(plain, lme4::sleepstudy$Reaction), "it asked")
  }
  for (fun in list(refit_merMod(), lme4::mkNewReTrms, lme4::.simulateFun)) {
    expect_identical(environment(fun), lme4_namespace())
  }
})

test_that("a deviance function has the parts that refits and searches read", {
  parts <- devfun_parts(deviance_function(entry_of("sleep")))
  expect_identical(unname(parts$lower), unname(lme4::getME(plain, "lower")))
  expect_true(all(c("setResp", "wrss") %in% ls(parts$resp$.refClassDef@refMethods)))
  expect_true(all(c("beta", "sqrL", "unsc") %in% ls(parts$pp$.refClassDef@refMethods)))
  expect_length(parts$pp$theta, 3L)
  expect_identical(parts$resp$REML, 2L)
  since <- lme4_since("2.0-1")
  expect_identical(c(is.function(parts$mkPar), is.function(parts$mkTheta), is.null(structures_of(plain))),
                   c(since, since, !since))
})

test_that("emmeans' joint_tests() has a reduction of covariates by default", {
  skip_if_not_installed("emmeans")
  reduce <- joint_tests_reduction()
  expect_true(is.function(reduce))
  expect_length(reduce(c(1, 2, 4)), 2L)
  data <- transform(lme4::cbpp, x = seq_len(56))
  plain <- lme4::lmer(incidence ~ x + period + (1 | herd), data)
  offset <- lme4::lmer(incidence ~ x + period + offset(size) + (1 | herd), data)
  expect_true(is.function(reduction_of_terms(plain)))
  expect_named(reduction_of_terms(offset), c("x", "period"))
  expect_identical(reduction_of_terms(offset, list(x = "range")), list(x = "range"))
})

test_that("nloptr's object is prepared once, and each end is lme4's own", {
  devfun <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy, devFunOnly = TRUE)
  again <- optimizeLmer_again()
  calls <- 0L
  trace(nloptr::nloptr, function() calls <<- calls + 1L, print = FALSE, where = asNamespace("nloptr"))
  on.exit(untrace(nloptr::nloptr, where = asNamespace("nloptr")))
  for (begin in list(c(1, 0, 1), c(0.5, 0.1, 0.2), c(2, 0, 0))) {
    start <- list(theta = begin)
    found <- again(devfun, "nloptwrap", start = start)
    before <- calls
    expected <- lme4::optimizeLmer(devfun, "nloptwrap", start = start)
    calls <- before
    expect_identical(unclass(found)[c("par", "fval", "feval", "conv", "message")],
                     unclass(expected)[c("par", "fval", "feval", "conv", "message")])
  }
  expect_equal(calls, 1L)
})
