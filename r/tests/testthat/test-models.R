test_that("a model is found by its handle until it is released", {
  fit_lmer("gone", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff)
  before <- length(models)
  expect_s4_class(model_of("gone"), "lmerMod")
  expect_identical(release(c("gone", "never was")), list(kept = before - 1L))
  expect_error(entry_of("gone"), "'gone' not found")
})

test_that("a kept model finds its data for update and drop1", {
  expect_identical(lme4::fixef(stats::update(model_of("sleep"), . ~ . - Days, data = entry_of("sleep")$scope$data)),
                   lme4::fixef(lme4::lmer(Reaction ~ (Days | Subject), lme4::sleepstudy)))
  expect_identical(row.names(stats::drop1(model_of("sleep"))), c("<none>", "Days"))
})

test_that("the text is R's own summary", {
  expect_identical(strsplit(summary_text("sleep")$text, "\n")[[1L]],
                   utils::capture.output(summary(model_of("sleep"))))
  # But for what the data is called, as of the model that nobody but lme4 has touched.
  its_own <- sub("lme4::sleepstudy", "data", utils::capture.output(print(summary(
    lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)))), fixed = TRUE)
  expect_identical(strsplit(summary_text("sleep")$text, "\n")[[1L]], its_own)
})

test_that("the summary shows control as a call of a line", {
  fit_lmer("shown", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff, control = list(optimizer = "bobyqa"))
  expect_match(summary_text("shown")$text, 'Control: lmerControl(optimizer = "bobyqa")', fixed = TRUE)
})
