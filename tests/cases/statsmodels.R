# Writes statsmodels.json: lme4's answers to the models of tests/engines/test_statsmodels.py, and the columns they add to sleepstudy.
# Run from this directory: Rscript statsmodels.R
suppressMessages({library(lme4); library(nlme, exclude = "lmList")})
source("json.R")

i <- seq_len(180)
added <- list(
  f = c("z", "a", "q")[i %% 3 + 1], l = i %% 7 < 3, o = i / 36, third = ifelse(i %% 11 == 0, NA, i %% 4),
  site = letters[(i - 1) %/% 30 + 1], `my col` = i %% 5 / 2, C = i %% 9
)
# statsmodels' optimizer stops early where a variance is zero, so these responses vary at every level.
Days <- lme4::sleepstudy$Days
added$by_site <- lme4::sleepstudy$Reaction + c(90, -60, 20, -80, 0, 30)[(i - 1) %/% 30 + 1] + c(-20, 15, 0, 10, -10, 5)[(i - 1) %/% 30 + 1] * Days
added$by_pair <- lme4::sleepstudy$Reaction + 60 * sin(7 * (i %% 4) + 3 * ((i - 1) %/% 10))
sleepstudy <- cbind(lme4::sleepstudy, as.data.frame(added, check.names = FALSE))
sleepstudy$stage <- ordered(sleepstudy$Days %/% 3)

model <- function(formula, data = sleepstudy, ...) list(formula = formula, data = data, args = list(...))
models <- list(
  slopes = model("Reaction ~ Days + (Days | Subject)"),
  slopes_ml = model("Reaction ~ Days + (Days | Subject)", REML = FALSE),
  intercepts = model("Reaction ~ Days + (1 | Subject)"),
  uncorrelated = model("Reaction ~ Days + (Days || Subject)"),
  three_levels = model("by_site ~ Days + (Days || Subject) + (1 | site)", REML = FALSE),
  nested = model("strength ~ 1 + (1 | batch/cask)", Pastes),
  nested_in_the_data_only = model("strength ~ 1 + (1 | sample) + (1 | batch)", Pastes),
  crossed = model("diameter ~ 1 + (1 | plate) + (1 | sample)", Penicillin),
  interaction_group = model("angle ~ recipe * temperature + (1 | recipe:replicate)", cake),
  correlated_and_inner = model("yield ~ nitro + (nitro | Block) + (1 | Variety:Block)", Oats),
  factor_slopes = model("score ~ Machine + (Machine | Worker)", Machines),
  numeric_by_factor = model("distance ~ age * Sex + (1 | Subject)", Orthodont),
  slopes_within_levels = model("distance ~ Sex / age - 1 + (1 | Subject)", Orthodont),
  logical_and_text = model("Reaction ~ l * f + (1 | Subject)"),
  ordered_factor = model("Reaction ~ stage * `my col` + (1 | Subject)"),
  ordered_without_margin = model("Reaction ~ 0 + stage + l + (1 | Subject)"),
  functions = model("log(Reaction) ~ I(Days^2) + log1p(Days) + poly(C, 2) + scale(`my col`) + factor(third) + (1 | Subject)"),
  missing_values = model("Reaction ~ Days + third + (1 | Subject)"),
  missing_groups = model("by_pair ~ Days + (1 | Subject) + (1 | third:Subject)"),
  offset_term = model("Reaction ~ Days + offset(10 * o) + (1 | Subject)"),
  offset_argument = model("Reaction ~ Days + (1 | Subject)", offset = quote(o)),
  subset = model("Reaction ~ f + scale(Days) + (1 | Subject)", subset = quote(l)),
  sum_contrasts = model("Reaction ~ f * Days + (1 | Subject)", contrasts = list(f = "contr.sum")),
  helmert_contrasts = model("Reaction ~ f * Days + (1 | Subject)", contrasts = list(f = "contr.helmert")),
  rank_deficient = model("Reaction ~ Days + I(2 * Days) + l + I(1 - l) + f + (1 | Subject)"),
  a_column_named_as_a_function = model("Reaction ~ C * stage + (1 | Subject)"),
  intercepts_only = model("distance ~ 1 + (1 | Subject)", Orthodont)
)
answer <- function(m) {
  formula <- as.formula(m$formula)
  fit <- suppressMessages(do.call(lmer, c(list(formula, m$data), m$args,
    list(control = lmerControl(optimizer = "bobyqa", calc.derivs = FALSE, optCtrl = list(rhoend = 1e-10))))))
  corr <- as.data.frame(VarCorr(fit))
  list(formula = m$formula, reml = isREML(fit), terms = I(names(fixef(fit))), beta = I(unname(fixef(fit))),
       se = I(unname(sqrt(diag(as.matrix(vcov(fit)))))), x_sums = I(unname(colSums(getME(fit, "X") * seq_len(nobs(fit))))),
       criterion = -2 * as.numeric(logLik(fit)), df = attr(logLik(fit), "df"), theta = I(unname(getME(fit, "theta"))),
       blocks = I(names(VarCorr(fit))), group = I(corr$grp), term1 = I(corr$var1), term2 = I(corr$var2), vcov = I(corr$vcov),
       nobs = nobs(fit), fitted = I(unname(fitted(fit))[1:5]), levels = lapply(ranef(fit), function(r) I(rownames(r))),
       modes = lapply(ranef(fit), function(r) I(unname(colSums(r * seq_len(nrow(r)))))),
       mode_terms = lapply(ranef(fit), function(r) I(names(r))), dropped = I(as.character(names(attr(getME(fit, "X"), "col.dropped")))))
}
writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4")), added = added, models = lapply(models, answer)
)), "statsmodels.json", useBytes = TRUE)
