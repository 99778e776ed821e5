# Writes glmm_objective.json: what lme4 and glmmTMB make of the models of tests/parity/test_glmm.py, at their optima and beside them.
# Run from this directory, where glmmTMB, HSAUR3 and mlmRev are installed: Rscript glmm_objective.R
suppressMessages({library(lme4); library(glmmTMB); library(MASS)})
source("json.R")
data(Contraception, package = "mlmRev")
Contraception <- transform(Contraception, used = as.integer(use == "Y"), many = as.integer(livch != "0"))
cbpp <- transform(cbpp, prop = incidence / size)
grouseticks$height <- as.vector(scale(grouseticks$HEIGHT))

model <- function(formula, data, family, ..., shape = NULL, tmb = family, lme4 = TRUE)
  list(formula = as.formula(formula), data = data, family = family, args = list(...), shape = shape, tmb = tmb, lme4 = lme4)
of_cbpp <- function(link) model("prop ~ period + (1 | herd)", cbpp, binomial(link), weights = quote(size))
ticks <- function(right, ...) model(paste("TICKS ~", right), grouseticks, poisson(), ...)
# Terms are in lme4's order, the most levels first, which is glmmTMB's order of them too.
models <- list(
  logit = of_cbpp("logit"), probit = of_cbpp("probit"), cloglog = of_cbpp("cloglog"),
  three_terms = ticks("YEAR + height + (1 | INDEX) + (1 | BROOD) + (1 | LOCATION)"),
  slopes = ticks("YEAR + height + (height | LOCATION)"),
  offset = ticks("YEAR + offset(height / 2) + (1 | BROOD)"),
  root = model("TICKS ~ YEAR + (1 | BROOD)", grouseticks, poisson("sqrt")),
  contraception = model("used ~ age + I(age^2) + urban + livch + (1 | district)", Contraception, binomial()),
  contraception_slope = model("used ~ age + I(age^2) + urban + many + (urban | district)", Contraception, binomial()),
  verbagg = model("r2 ~ Anger + Gender + btype + situ + (1 | id) + (1 | item)", VerbAgg, binomial()),
  bacteria = model("y ~ trt + I(week > 2) + (1 | ID)", bacteria, binomial()),
  epil = model("y ~ lbase * trt + lage + V4 + (1 | row) + (1 | subject)", transform(epil, row = factor(seq_len(nrow(epil)))), poisson()),
  negative_binomial = ticks("YEAR + (1 | BROOD)", shape = 3.3064, tmb = nbinom2()),
  gamma = model("Reaction ~ Days + (1 | Subject)", sleepstudy, Gamma("log"), lme4 = FALSE),
  gaussian_log = model("Reaction ~ Days + (1 | Subject)", sleepstudy, gaussian("log"), lme4 = FALSE)
)
models$negative_binomial$family <- MASS::negative.binomial(3.3064)

quiet <- function(x) suppressWarnings(suppressMessages(x))
tolerances <- 10^-c(15, 14, 13, 12, 10)
fit_tightly <- function(m, ...) for (tolerance in tolerances) {
  control <- glmerControl(optimizer = "bobyqa", tolPwrss = tolerance, optCtrl = list(rhoend = 1e-9, maxfun = 1e5))
  fit <- try(quiet(do.call(glmer, c(list(m$formula, m$data, m$family, control = control, ...), m$args))), silent = TRUE)
  if (!inherits(fit, "try-error")) return(list(fit = fit, tolerance = tolerance))
}
# lme4's function of theta and beta, whose PIRLS stops no earlier than at the tolerance.
function_of <- function(m, tolerance) {
  control <- glmerControl(tolPwrss = tolerance)
  parts <- quiet(do.call(glFormula, c(list(m$formula, m$data, m$family, control = control), m$args)))
  f <- do.call(mkGlmerDevfun, c(parts, list(control = control)))
  start <- quiet(optimizeGlmer(f))
  updateGlmerDevfun(f, parts$reTrms)
}
beside <- function(theta, beta, se) list(
  list(theta = I(theta), beta = I(beta)),
  list(theta = I(0.7 * theta + 0.1), beta = I(beta + 0.5 * se * (-1)^seq_along(beta))),
  list(theta = I(1.5 * theta), beta = I(beta - 0.5 * se))
)
# glmmTMB's parameters of a theta: logarithms of standard deviations, and the scaled correlation of a pair.
of_theta <- function(theta, widths) {
  out <- c()
  for (k in widths) {
    t <- matrix(0, k, k)
    t[lower.tri(t, diag = TRUE)] <- theta[seq_len(k * (k + 1) / 2)]
    theta <- theta[-seq_len(k * (k + 1) / 2)]
    s <- t %*% t(t)
    r <- cov2cor(s)[lower.tri(s)]
    out <- c(out, log(diag(s)) / 2, r / sqrt(1 - r^2))
  }
  out
}
theta_of <- function(fit) unlist(lapply(VarCorr(fit)$cond, function(s) { t <- t(chol(s)); t[lower.tri(t, diag = TRUE)] }), use.names = FALSE)
# glmmTMB's sigma() of a Gamma or gaussian is the root of the dispersion.
shape_of <- function(m, tmb) {
  if (!is.null(m$shape)) return(m$shape)
  if (!"betad" %in% names(tmb$fit$par)) return(NA)
  sigma(tmb)^2
}
record <- function(m) {
  out <- list(formula = deparse1(m$formula), family = m$family$family, link = m$family$link)
  tmb <- quiet(do.call(glmmTMB, c(list(m$formula, m$data, m$tmb), m$args,
    if (!is.null(m$shape)) list(start = list(betad = log(m$shape)), map = list(betad = factor(NA))))))
  tmb$obj$env$inner.control$tol <- 1e-14
  tmb$obj$env$inner.control$tol10 <- 0
  theta <- theta_of(tmb)
  widths <- vapply(VarCorr(tmb)$cond, nrow, 1L)
  beta <- unname(fixef(tmb)$cond)
  se <- unname(sqrt(diag(vcov(tmb)$cond)))
  points <- beside(theta, beta, se)
  par <- tmb$fit$par
  at <- function(p) {
    par[names(par) == "beta"] <- p$beta
    par[names(par) == "theta"] <- of_theta(p$theta, widths)
    2 * as.numeric(tmb$obj$fn(par))
  }
  out$shape <- shape_of(m, tmb)
  out$glmmTMB <- list(theta = I(theta), beta = I(beta), se = I(se), value = -2 * as.numeric(logLik(tmb)), at = I(vapply(points, at, 0)))
  if (m$lme4) {
    tight <- fit_tightly(m)
    f <- function_of(m, tight$tolerance)
    default <- quiet(do.call(glmer, c(list(m$formula, m$data, m$family), m$args)))
    value <- function(fit) list(theta = I(getME(fit, "theta")), beta = I(unname(fixef(fit))), value = -2 * as.numeric(logLik(fit)),
      se_rx = I(unname(sqrt(diag(as.matrix(vcov(fit, use.hessian = FALSE)))))))
    out$tight <- c(value(tight$fit), tolerance = tight$tolerance, at = list(I(vapply(points, function(p) f(c(p$theta, p$beta)), 0))),
      list(modes = I(unlist(lapply(ranef(tight$fit, condVar = FALSE), function(r) r[[1]][1:5]), use.names = FALSE)), residuals = I(unname(residuals(tight$fit)[1:5]))))
    out$default <- value(default)
  }
  out$points <- points
  out
}
agq <- lapply(setNames(nm = c(0, 2, 5, 9, 15, 25, 50, 100)), function(n) {
  found <- fit_tightly(models$logit, nAGQ = n)
  list(theta = getME(found$fit, "theta"), beta = I(unname(fixef(found$fit))), value = -2 * as.numeric(logLik(found$fit)))
})
shaped <- quiet(glmmTMB(TICKS ~ YEAR + (1 | BROOD), grouseticks, nbinom2()))
nb <- list(value = -2 * as.numeric(logLik(shaped)), shape = sigma(shaped), theta = I(theta_of(shaped)), beta = I(unname(fixef(shaped)$cond)),
  se = I(unname(sqrt(diag(vcov(shaped)$cond)))))
Contraception <- Contraception[c("used", "age", "urban", "livch", "many", "district")]
writeLines(json(list(
  made_with = list(R = R.version.string, lme4 = as.character(packageVersion("lme4")), glmmTMB = as.character(packageVersion("glmmTMB"))),
  models = lapply(models, record), agq = agq, shaped = nb,
  frames = lapply(list(contraception = Contraception, epil = models$epil$data[all.vars(models$epil$formula)]),
    lapply, function(x) I(if (is.factor(x)) as.character(x) else x))
)), "glmm_objective.json", useBytes = TRUE)
