structured <- utils::packageVersion("lme4") >= "2.0-1"
machines <- transform(nlme::Machines, Worker = factor(Worker, ordered = FALSE))

test_that("terms without a structure are us, and their parameters theta", {
  found <- describe_structures(plain)
  expect_identical(found$structure.kind, "us")
  expect_identical(found$structure.hom, FALSE)
  expect_identical(found$structure.size, 3L)
  expect_identical(found$structure.par, plain@theta)
  two <- describe_structures(lme4::lmer(Reaction ~ Days + (Days || Subject), lme4::sleepstudy))
  expect_identical(two$structure.kind, c("us", "us"))
  expect_identical(two$structure.size, c(1L, 1L))
})

test_that("a structure has its kind, its parameters and their number", {
  skip_if_not(structured, "lme4 has no covariance structures")
  found <- describe_structures(lme4::lmer(score ~ Machine + cs(0 + Machine | Worker, hom = TRUE), machines))
  expect_identical(found[c("structure.kind", "structure.hom", "structure.size")],
                   list(structure.kind = "cs", structure.hom = TRUE, structure.size = 2L))
  expect_gt(found$structure.par[1L], 0)
})

test_that("the objective goes from theta to the parameters of a structure and back", {
  skip_if_not(structured, "lme4 has no covariance structures")
  fit <- fit_lmer("cs", "score ~ Machine + cs(0 + Machine | Worker)", machines)
  devfun <- deviance_function(entry_of("cs"))
  expect_equal(to_theta(devfun, valid_par(devfun, fit$theta)), fit$theta, tolerance = 1e-14)
  expect_error(valid_par(devfun, as.double(1:6)), "which no diag", class = "lmerbridge_refusal")
  expect_equal(par_scale(model_of("cs")), c(rep(sqrt(1 / 3), 3L), 1), tolerance = 1e-15) # a third of the rows each
})

test_that("the objective is at hand again after a point where it has none", {
  skip_if_not(structured, "lme4 has no covariance structures")
  fit <- fit_lmer("lost", "score ~ Machine + cs(0 + Machine | Worker)", machines)
  devfun <- deviance_function(entry_of("lost"))
  expect_true(is.nan(devfun(c(1, 1, 1, 1)))) # rho = 1
  expect_true(is.nan(devfun(fit$structure.par))) # lme4's function does not recover
  expect_error(deviance_at("lost", fit$theta), NA)
  expect_equal(deviance_at("lost", fit$theta)$value, fit$criterion, tolerance = 1e-13)
})
