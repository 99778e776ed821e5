# Writes glmm_numbers.json: what R gives of generalized and nonlinear fits, by lme4.
# Run from this directory: Rscript glmm_numbers.R
suppressMessages(library(lme4))
source("json.R")
data(Contraception, package = "mlmRev")
quiet <- function(x) suppressWarnings(suppressMessages(x))
cows <- function(link = "logit", ...) {
  quiet(glmer(cbind(incidence, size - incidence) ~ period + (1 | herd), cbpp, binomial(link), ...))
}
numbers <- function(x) I(as.vector(unname(x)))
logit <- cows()
counts <- quiet(glmer(incidence ~ period + (1 | herd), cbpp, poisson, offset = log(size)))
gamma <- quiet(glmer(Reaction ~ Days + (1 | Subject), sleepstudy, Gamma("log")))
ticks <- quiet(glmer(TICKS ~ YEAR + scale(HEIGHT) + (1 | BROOD) + (1 | INDEX) + (1 | LOCATION), grouseticks, poisson))
use <- quiet(glmer(use ~ age + I(age^2) + urban + livch + (1 | district), Contraception, binomial))
verbs <- quiet(glmer(r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item), VerbAgg, binomial, nAGQ = 0))
orange <- function(n) quiet(nlmer(circumference ~ SSlogis(age, Asym, xmid, scal) ~ Asym | Tree, Orange,
                                  start = c(Asym = 200, xmid = 725, scal = 350), nAGQ = n))
theoph <- quiet(nlmer(conc ~ SSfol(Dose, Time, lKe, lKa, lCl) ~ lCl | Subject, Theoph,
                      start = c(lKe = -2.5, lKa = 0.5, lCl = -3)))
last <- transform(cbpp, apart = period == "4", y = incidence > 0 & period != "4")
parted <- quiet(glmer(y ~ apart + (1 | herd), last, binomial))
optimizers <- c("bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap.NLOPT_LN_NELDERMEAD", "nloptwrap.NLOPT_LN_BOBYQA")
all_fit <- allFit # of lme4 1.1-31 stops where the packages of two other optimizers are missing
environment(all_fit) <- list2env(list(requireNamespace = function(...) TRUE), parent = asNamespace("lme4"))
every <- unclass(quiet(all_fit(logit, verbose = FALSE)))[optimizers]
of_nonlinear <- function(m) numbers(c(fixef(m), as.numeric(logLik(m)), sigma(m)))

found <- list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4")),
  link = sapply(c("logit", "probit", "cloglog", "cauchit", "log"), function(l) as.numeric(logLik(cows(l))), simplify = FALSE),
  std_error = list(hessian = numbers(sqrt(diag(as.matrix(vcov(logit))))),
                   RX = numbers(sqrt(diag(as.matrix(quiet(vcov(logit, use.hessian = FALSE))))))),
  predict = list(response = numbers(predict(logit, type = "response")),
                 population = numbers(predict(logit, type = "response", re.form = NA))),
  residuals = sapply(c("deviance", "pearson", "response", "working"), function(t) numbers(residuals(logit, t)),
                     simplify = FALSE),
  wald = numbers(confint(logit, parm = "beta_", method = "Wald")),
  leverage = list(hat = numbers(quiet(hatvalues(logit))), cook = numbers(quiet(cooks.distance(logit)))),
  quadrature = list(AGQ25 = as.numeric(logLik(cows(nAGQ = 25))), fast = as.numeric(logLik(cows(nAGQ = 0))),
                    saturated = with(cbpp, sum(dbinom(incidence, size, incidence / size, log = TRUE)))),
  offset = numbers(fitted(counts)),
  gamma = numbers(c(as.numeric(logLik(gamma)), getME(gamma, "theta"), sigma(gamma))),
  grouseticks = numbers(c(as.numeric(logLik(ticks)), getME(ticks, "theta"))),
  contraception = numbers(c(as.numeric(logLik(use)), fixef(use))),
  verbagg = numbers(c(as.numeric(logLik(verbs)), fixef(verbs))),
  separation = list(beta = numbers(fixef(parted)), std_error = numbers(quiet(sqrt(diag(as.matrix(vcov(parted)))))),
                    certain = sum(fitted(parted) * (1 - fitted(parted)) < 1e-8)),
  allFit = lapply(every, function(m) numbers(c(as.numeric(logLik(m)), fixef(m), getME(m, "theta")))),
  orange = list(laplace = of_nonlinear(orange(1)), fast = of_nonlinear(orange(0))),
  theoph = of_nonlinear(theoph)
)
writeLines(json(found), "glmm_numbers.json")
