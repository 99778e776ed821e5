# Writes broom.json: what broom.mixed makes of the models of tests/oracle.py.
# Run from this directory, where broom.mixed is installed: Rscript broom.R
suppressMessages({library(lme4); library(broom.mixed)})
source("json.R")
data(Orthodont, package = "nlme")

models <- list(
  sleepstudy = lmer(Reaction ~ Days + (Days | Subject), sleepstudy),
  pastes = lmer(strength ~ 1 + (1 | batch / cask), Pastes),
  penicillin = lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  cake = lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  orthodont = lmer(distance ~ age * Sex + (age | Subject), Orthodont),
  double_bar = lmer(Reaction ~ Days + (Days || Subject), sleepstudy)
)

columns <- function(table) lapply(as.list(table), function(x) I(if (is.factor(x)) as.character(x) else x))
some_rows <- function(table) table[seq(1, nrow(table), 15), ]
tidied <- function(...) columns(suppressMessages(suppressWarnings(tidy(...))))

described <- function(m) list(
  estimates = tidied(m, effects = c("ran_pars", "fixed")),
  variances = tidied(m, effects = "ran_pars", scales = "vcov"),
  wald = tidied(m, effects = "fixed", conf.int = TRUE, conf.level = 0.9),
  modes = tidied(m, effects = "ran_vals", conf.int = TRUE),
  coefficients = tidied(m, effects = "ran_coefs"),
  tests = tidied(lmerTest::as_lmerModLmerTest(m), effects = "fixed", conf.int = TRUE),
  glance = columns(glance(m)),
  glance_ml = columns(glance(refitML(m))),
  augment = columns(some_rows(augment(m)))
)
profiles <- lapply(models["cake"], tidied, effects = "ran_pars", conf.int = TRUE, conf.method = "profile")

writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4"), "broom.mixed", packageVersion("broom.mixed")),
  models = lapply(models, described), profiles = profiles
)), "broom.json", useBytes = TRUE)
