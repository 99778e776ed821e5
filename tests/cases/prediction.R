# Writes prediction.json: standard errors of predictions by hand, from dense matrices of what lme4 estimates.
# Run from this directory: Rscript prediction.R
suppressMessages(library(lme4))
source("json.R")
rows <- c(9, 4, 30) # of the data of each model

sleepstudy$w <- rep(c(1, 2, 0.5, 4), 45)
sleepstudy$h <- rep(c("p", "q", "r"), 60)
models <- list(
  slope = lmer(Reaction ~ Days + (Days | Subject), sleepstudy),
  weighted = lmer(Reaction ~ Days + (Days | Subject), sleepstudy, weights = w),
  double_bar = lmer(Reaction ~ Days + (Days || Subject), sleepstudy),
  basis = lmer(Reaction ~ poly(Days, 2) * h + (1 | Subject), sleepstudy),
  crossed = lmer(diameter ~ 1 + (1 | plate) + (1 | sample), Penicillin),
  nested = lmer(strength ~ 1 + (1 | batch / cask), Pastes),
  interaction = lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake),
  singular = suppressMessages(lmer(Yield ~ 1 + (1 | Batch), Dyestuff2))
)

# The joint covariance of the random effects' modes and the fixed effects, given theta: Henderson's equations, dense.
joint <- function(m) {
  z <- as.matrix(getME(m, "Z") %*% getME(m, "Lambda"))
  whole <- cbind(z, getME(m, "X")) * sqrt(weights(m))
  inverse <- solve(crossprod(whole) + diag(rep(1:0, c(ncol(z), ncol(whole) - ncol(z)))))
  back <- as.matrix(Matrix::bdiag(getME(m, "Lambda"), diag(length(fixef(m)))))
  sigma(m)^2 * back %*% inverse %*% t(back)
}

spread <- function(a, v) sqrt(rowSums((a %*% v) * a))

described <- function(m) {
  x <- getME(m, "X")[rows, , drop = FALSE]
  a <- cbind(as.matrix(getME(m, "Z"))[rows, ], x)
  conditional <- spread(a, joint(m))
  list(
    design = as.vector(x), fit = unname(fitted(m)[rows]), population_fit = as.vector(x %*% fixef(m)),
    conditional = conditional, population = spread(x, as.matrix(vcov(m))),
    response = sqrt(conditional^2 + sigma(m)^2 / weights(m)[rows])
  )
}

# A subject that the model has not seen, at three days; and one day more, of a subject that it has and of one it has not.
of_slopes <- function(m) {
  x <- cbind(1, c(0, 5, 10))
  between <- as.matrix(VarCorr(m)$Subject)
  v <- joint(m)
  at <- c(which(rownames(ranef(m)$Subject) == "309") * 2, ncol(v)) # the places of its slope, and of the fixed one
  list(new_subject = spread(x, as.matrix(vcov(m)) + between), day_known = sqrt(sum(v[at, at])),
       day_new = sqrt(vcov(m)[2, 2] + between[2, 2]), day_population = sqrt(vcov(m)[2, 2]))
}

writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4")), rows = rows - 1,
  models = lapply(models, described), slopes = lapply(models[c("slope", "weighted")], of_slopes)
)), "prediction.json", useBytes = TRUE)
