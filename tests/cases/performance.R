# Writes performance.json: what performance makes of the models of tests/models/test_variances.py.
# Run from this directory, where performance is installed: Rscript performance.R
suppressMessages({library(lme4); library(performance)})
source("json.R")
for (name in c("Orthodont", "Machines")) data(list = name, package = "nlme")
sleep <- transform(sleepstudy, w = 1 + Days %% 3)
gaps <- sleepstudy
gaps$Reaction[c(3, 50, 51, 100)] <- NA

models <- list(
  slopes = lmer(Reaction ~ Days + (Days | Subject), sleep),
  line = lmer(Reaction ~ Days + (1 | Subject), sleep),
  null = lmer(Reaction ~ 1 + (1 | Subject), sleep),
  by_ml = lmer(Reaction ~ Days + (Days | Subject), sleep, REML = FALSE),
  double_bar = lmer(Reaction ~ Days + (Days || Subject), sleep),
  poly = lmer(Reaction ~ poly(Days, 2) + (1 | Subject), sleep),
  poly_slopes = lmer(Reaction ~ poly(Days, 2) + (Days | Subject), sleep),
  weighted = lmer(Reaction ~ Days + (Days | Subject), sleep, weights = w),
  offset = lmer(Reaction ~ Days + offset(2 * Days) + (1 | Subject), sleep),
  exclude = lmer(Reaction ~ Days + (Days | Subject), gaps, na.action = na.exclude),
  crossed = lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  nested = lmer(strength ~ 1 + (1 | batch / cask), Pastes),
  cake = lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  orthodont = lmer(distance ~ age * Sex + (age | Subject), Orthodont),
  machines = lmer(score ~ Machine + (Machine | Worker), Machines),
  singular = suppressMessages(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2))
)

generalized <- suppressWarnings(list(
  cbpp = glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial),
  probit = glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial("probit")),
  cloglog = glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial("cloglog")),
  ticks = glmer(TICKS ~ YEAR + cHEIGHT + (1 | BROOD), grouseticks, poisson),
  crossed = glmer(TICKS ~ YEAR + (1 | BROOD) + (1 | LOCATION), grouseticks, poisson),
  slopes = glmer(TICKS ~ YEAR + cHEIGHT + (cHEIGHT | LOCATION), grouseticks, poisson),
  root = glmer(TICKS ~ YEAR + (1 | BROOD), grouseticks, poisson("sqrt")),
  shape = glmer.nb(TICKS ~ YEAR + (1 | BROOD), grouseticks),
  null = glmer(TICKS ~ 1 + (1 | BROOD), grouseticks, poisson)
))

# The same by hand, from the random model matrices themselves and the variance of each row's residual.
by_hand <- function(m) {
  row_variances <- function(z, s) rowSums((z %*% as.matrix(s)) * z)
  random <- Map(function(z, s) mean(row_variances(z, s)), getME(m, "mmList"), VarCorr(m))
  list(fixed = var(as.vector(getME(m, "X") %*% fixef(m))), random = I(unlist(random, use.names = FALSE)),
       residual = sigma(m)^2 * mean(1 / weights(m, type = "prior")))
}
of_performance <- function(m) {
  quiet <- function(x) suppressWarnings(suppressMessages(x))
  one <- quiet(icc(m))
  each <- quiet(icc(m, by_group = TRUE))
  explained <- quiet(r2_nakagawa(m))
  all <- quiet(as.data.frame(compare_performance(m, m, rank = FALSE)))[1L, ]
  number <- function(x) if (is.null(x)) NA_real_ else unname(x)
  if (!is.list(one)) one <- each <- list() # NA of a singular fit
  list(adjusted = number(one$ICC_adjusted), unadjusted = number(one$ICC_unadjusted),
       group = I(as.character(each$Group)), by_group = I(as.double(each$ICC)),
       marginal = number(explained$R2_marginal), conditional = number(explained$R2_conditional),
       aic = all$AIC, bic = all$BIC, rmse = all$RMSE, sigma = all$Sigma)
}
by_ml <- function(m) {
  m <- refitML(m)
  list(aic = AIC(m), bic = BIC(m), loglik = as.numeric(logLik(m)))
}
described <- function(m) list(performance = of_performance(m), by_hand = by_hand(m), refit = by_ml(m))
ladder <- as.data.frame(anova(models$null, models$line, models$slopes))

writeLines(json(list(
  made_with = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")),
                   performance = as.character(packageVersion("performance")),
                   insight = as.character(packageVersion("insight"))),
  models = lapply(models, described),
  generalized = lapply(generalized, function(m) {
    found <- suppressWarnings(insight::get_variance(m))
    list(performance = of_performance(m), fixed = found$var.fixed, random = found$var.random,
         residual = found$var.residual)
  }),
  ladder = list(chisq = ladder$Chisq, df = ladder$Df, p_value = ladder[["Pr(>Chisq)"]])
)), "performance.json", useBytes = TRUE)
