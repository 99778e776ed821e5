# Writes checks.json: what R, car and performance find when they check the models of tests/models/test_check.py, and
# where plain lme4 ends on scaled columns and on simpler models.
# Run from this directory, where car and performance are installed: Rscript checks.R
suppressMessages({library(lme4); library(car); library(performance)})
source("json.R")
data(Orthodont, package = "nlme")
data(carrots, package = "lmerTest")
weighted <- transform(sleepstudy, w = 1 + Days / 10)

models <- list(
  sleepstudy = lmer(Reaction ~ Days + (Days | Subject), sleepstudy),
  pastes = lmer(strength ~ 1 + (1 | batch / cask), Pastes),
  penicillin = lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  cake = lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  orthodont = lmer(distance ~ age * Sex + (age | Subject), Orthodont),
  double_bar = lmer(Reaction ~ Days + (Days || Subject), sleepstudy),
  singular = suppressMessages(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2)),
  weighted = lmer(Reaction ~ poly(Days, 2) + (1 | Subject), weighted, weights = w),
  carrots = lmer(Preference ~ sens1 + sens2 + Homesize + Age + (1 | Consumer), carrots)
)

shapiro <- function(x) if (diff(range(x)) == 0) NULL else {
  test <- shapiro.test(x)
  list(statistic = unname(test$statistic), p_value = test$p.value)
}
of_effects <- function(m) {
  effects <- ranef(m, condVar = FALSE)
  found <- lapply(names(effects), function(g) setNames(lapply(effects[[g]], shapiro), paste(g, names(effects[[g]]))))
  do.call(c, found)
}
# Levene's test by groups of three rows and more, as the package has it: car would count smaller ones.
by_group <- function(m) lapply(getME(m, "flist"), function(g) {
  large <- g %in% names(which(table(g) >= 3))
  if (nlevels(droplevels(g[large])) < 2) return(NULL)
  test <- leveneTest(residuals(m, "pearson", scaled = TRUE)[large], droplevels(g[large]))
  list(statistic = test[["F value"]][1], df = test$Df[1], df2 = test$Df[2], p_value = test[["Pr(>F)"]][1])
})
# car::ncvTest of a linear model, on the residuals of a mixed one. performance's check_heteroscedasticity (0.10.2) has the
# same sum of squares, and takes -2 log-likelihood for the sum of squared residuals of a mixed model.
breusch_pagan <- function(m) {
  if (diff(range(fitted(m))) < 1e-10) return(NULL)
  r2 <- residuals(m, "pearson")^2
  squares <- anova(lm(I(r2 / mean(r2)) ~ fitted(m)))[["Sum Sq"]][1]
  list(statistic = squares / 2, p_value = pchisq(squares / 2, 1, lower.tail = FALSE))
}
outliers <- function(m) {
  found <- suppressWarnings(check_outliers(m, method = "cook"))
  list(limit = attr(found, "threshold")$cook, rows = I(which(found) - 1L))
}
inflation <- function(m) {
  found <- tryCatch(vif(m), error = function(e) NULL)
  if (is.null(found)) return(NULL)
  if (!is.matrix(found)) found <- cbind(GVIF = found, Df = 1)
  list(term = I(rownames(found)), gvif = I(unname(found[, "GVIF"])), df = I(unname(found[, "Df"])))
}
simulated <- function(m) {
  u <- rowMeans(simulate(m, 250, seed = 1) < getME(m, "y"))
  test <- suppressWarnings(ks.test(u, "punif"))
  list(first = I(unname(head(u))), statistic = unname(test$statistic), p_value = test$p.value)
}
described <- function(m) list(
  residuals = shapiro(residuals(m, "pearson", scaled = TRUE)), effects = of_effects(m), by_group = by_group(m),
  breusch_pagan = breusch_pagan(m), outliers = outliers(m), inflation = inflation(m),
  simulated = if (all(weights(m) == 1)) simulated(m) # simulate() leaves weights out before lme4 1.1-38
)

criterion <- function(formula, data, ...) REMLcrit(suppressMessages(suppressWarnings(lmer(formula, data, ...))))
scaled_ <- transform(sleepstudy, D = as.vector(scale(Days)))
two <- function(simple, full, df) list(chisq = simple - full, p_value = pchisq(simple - full, df, lower.tail = FALSE))
plain <- REMLcrit(models$sleepstudy)
parted <- criterion(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy)
alone <- criterion(Reaction ~ Days + (1 | Subject), sleepstudy)
remedies <- list(
  unscaled = criterion(Reaction ~ D + (D | Subject), transform(sleepstudy, D = Days * 1e5)),
  scaled = criterion(Reaction ~ D + (D | Subject), scaled_),
  sd = sd(sleepstudy$Days),
  without_correlations = two(parted, plain, 1), without_slope = two(alone, parted, 1),
  linear = -2 * as.numeric(logLik(lm(Yield ~ 1, Dyestuff2), REML = TRUE)),
  no_plate = criterion(diameter ~ 1 + (1 | sample), Penicillin)
)

writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4"), "car", packageVersion("car"),
                    "performance", packageVersion("performance")),
  models = lapply(models, described), remedies = remedies
)), "checks.json", useBytes = TRUE)
