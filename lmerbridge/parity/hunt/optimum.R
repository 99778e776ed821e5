# The lowest criterion of the model in a folder, from many starts, by lme4's own deviance function and minqa's bobyqa,
# and the criterion at a point. Covariates of a linear model, and its response, are in units of their standard
# deviations while R's own starts are tried, and the criterion is written back.
suppressMessages(library(lme4))

checks <- list(
  check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore",
  check.nlev.gtr.1 = "ignore", check.scaleX = "ignore"
)

read_model <- function(folder) {
  model <- as.list(read.csv(file.path(folder, "model.csv"), colClasses = "character"))
  model$data <- read.csv(file.path(folder, "data.csv"), stringsAsFactors = TRUE)
  n <- nrow(model$data)
  model$prior <- if (nzchar(model$weights)) model$data[[model$weights]] else rep(1, n)
  model$shift <- if (nzchar(model$offset)) model$data[[model$offset]] else rep(0, n)
  model$coding <- if (nzchar(model$contrasts)) list(f = model$contrasts)
  model$reml <- model$reml == "True"
  model[c("point", "known")] <- lapply(model[c("point", "known")], function(text) as.numeric(strsplit(text, ";")[[1]]))
  model
}

# Linear models: a function of theta.
linear <- function(model, data) {
  data$prior <- model$prior
  lmer(
    as.formula(model$formula), data, REML = model$reml, weights = prior, contrasts = model$coding,
    devFunOnly = TRUE, control = do.call(lmerControl, checks)
  )
}

log_det <- function(deviance, weights) {
  x <- environment(deviance)$pp$X * sqrt(weights)
  2 * sum(log(abs(diag(qr.R(qr(x))))))
}

linear_optimum <- function(model) {
  data <- model$data
  data$y <- data$y - model$shift
  deviance <- linear(model, data)
  lower <- environment(deviance)$lower
  units <- vapply(intersect(c("x", "z"), names(data)), function(name) sd(data[[name]]), 0)
  scaled <- data
  for (name in names(units)) scaled[[name]] <- data[[name]] / units[[name]]
  scaled$y <- (data$y - mean(data$y)) / sd(data$y)
  small <- linear(model, scaled)
  n <- nrow(data) - model$reml * ncol(environment(deviance)$pp$X)
  back <- 2 * n * log(sd(data$y))
  if (model$reml) back <- back + log_det(deviance, model$prior) - log_det(small, model$prior)
  own <- lowest(small, starts(lower), lower) + back
  c(best = min(own, lowest(deviance, list(model$known, model$point), lower)), at_point = deviance(model$point))
}

# A deviance function that is large where lme4's stops with an error.
safe <- function(deviance) {
  force(deviance)
  function(point) {
    value <- tryCatch(deviance(point), error = function(e) NA)
    if (is.finite(value)) value else 1e10
  }
}

lowest <- function(deviance, points, lower) {
  deviance <- safe(deviance)
  values <- vapply(points, function(start) {
    wide <- list(rhobeg = 0.3 * max(abs(start), 1e-4), rhoend = 1e-8, maxfun = 1e4)
    first <- minqa::bobyqa(pmax(start, lower), deviance, lower, control = wide)
    again <- minqa::bobyqa(first$par, deviance, lower, control = list(rhobeg = 1e-3, rhoend = 1e-9, maxfun = 1e4))
    min(deviance(pmax(start, lower)), first$fval, again$fval)
  }, 0)
  min(values)
}

starts <- function(lower) {
  diagonal <- lower == 0
  even <- lapply(c(0.03, 0.3, 1, 3, 10, 100), function(size) size * diagonal)
  slanted <- lapply(c(-1, 1), function(side) diagonal + 0.7 * side * !diagonal)
  leaning <- lapply(c(-10, -1, 1, 10), function(side) 0.01 * diagonal + side * !diagonal)  # near a correlation of 1
  drawn <- replicate(5, ifelse(diagonal, 10^runif(length(lower), -2, 3), rnorm(length(lower))), simplify = FALSE)
  c(even, slanted, if (!all(diagonal)) leaning, drawn)
}

set.seed(1)
folder <- commandArgs(TRUE)[1]
model <- read_model(folder)
found <- suppressWarnings(suppressMessages(linear_optimum(model)))
write.csv(lapply(as.list(found), sprintf, fmt = "%.17g"), file.path(folder, "optimum.csv"), row.names = FALSE)
