fit_lmer("smaller", "Reaction ~ 1 + (Days | Subject)", lme4::sleepstudy)
fit_lmer("called", "Reaction ~ Days + third + (Days | Subject)", extra, start = c(1, 0, 0.5),
         control = list(optimizer = "bobyqa"))

test_that("what the call of a model needs is in the call, wherever it is evaluated", {
  model <- with_whole_call(entry_of("called"))
  again <- eval(model@call, list2env(list(data = NULL), parent = globalenv()))
  expect_identical(lme4::fixef(again), lme4::fixef(model_of("called")))
  expect_null(without_start(model)@call$start)
  expect_identical(model_of("called")@call$data, quote(data))
})

test_that("lmerTest's model is made once for a handle, and of that handle's model", {
  first <- lmerTest_model("sleep", "Satterthwaite")
  expect_identical(lmerTest_model("sleep", "Satterthwaite"), first)
  assign("other", list(model = model_of("smaller"), scope = entry_of("sleep")$scope), envir = models)
  expect_length(lmerTest_model("other", "Satterthwaite")@beta, 1L)
})

test_that("Satterthwaite's method is not given out as Kenward-Roger's", {
  expect_error(refuse_substitute(warning("Unable to compute Kenward-Roger F-test: using Satterthwaite instead")),
               "cannot compute Kenward-Roger's method", class = "lmerbridge_refusal")
  expect_warning(refuse_substitute(warning("another")), "another")
})

test_that("a structured covariance is refused", {
  model <- model_of("sleep")
  blocks <- list(structure(list(), class = "Covariance.us"), structure(list(), class = "Covariance.ar1"))
  expect_silent(refuse_structured(structure(model, reCovs = blocks[1L]), "ranova()"))
  expect_error(refuse_structured(structure(model, reCovs = blocks), "ranova()"), "this one has ar1",
               class = "lmerbridge_refusal")
})

test_that("a scaling factor of F that makes it unreliable is warned of", {
  expect_silent(warn_of_scaling(0.9))
  expect_warning(warn_of_scaling(0.1), "smaller than 0.2; the unscaled statistic may be more reliable")
  expect_warning(warn_of_scaling(-0.1), "negative")
})

test_that("a model of some rows is made one of all rows of less data", {
  model <- with_whole_call(entry_of("called"))
  made <- of_rows_used(model)
  expect_identical(nrow(made@call$data), nrow(model@frame))
  expect_equal(lme4::fixef(made), lme4::fixef(stats::update(model, REML = FALSE)), tolerance = 1e-12)
  whole <- with_whole_call(entry_of("sleep"))
  expect_identical(of_rows_used(whole), whole)
})

test_that("a linear model of the same data is compared by likelihoods, and one of other rows is not", {
  fit_linear("linear", "Reaction ~ Days", lme4::sleepstudy)
  found <- suppressMessages(anova_several("sleep", "linear", c("mixed", "linear"), refit = TRUE))
  expect_identical(found$table.row.name, c("linear", "mixed"))
  fit_linear("fewer", "Reaction ~ Days", transform(lme4::sleepstudy, .subset = Days > 1))
  expect_error(anova_several("sleep", "fewer", c("mixed", "linear"), refit = TRUE), class = "lmerbridge_refusal")
})
