test_that("what differs between releases of lme4 is met by name", {
  model <- lme4::lmer(Reaction ~ Days + (Days | Subject), lme4::sleepstudy)
  expect_true(lme4_since("1.1-23") && !lme4_since("99"))
  expect_identical(is.null(structures_of(model)), !lme4_since("2.0-1"))
  expect_identical(unlist(start_at(model), use.names = FALSE), model@theta)
  expect_identical(singular_by_term(model, 1e-4), FALSE)
  expect_setequal(rownames(wald_intervals(model)),
                  c("sd_(Intercept)|Subject", "sd_Days|Subject", "cor_Days.(Intercept)|Subject", "sigma", "(Intercept)", "Days"))
})
