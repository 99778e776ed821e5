# The lowest criterion of each model listed in a folder, from many starts, by lme4's own objective and minqa's bobyqa.
# Response and covariate are in units of their standard deviations meanwhile, and the criterion is written back.
suppressMessages(library(lme4))

lenient <- lmerControl(
  check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore",
  check.nlev.gtr.1 = "ignore", check.scaleX = "ignore"
)

optimum <- function(file, formula, reml, weighted) {
  data <- read.csv(file, stringsAsFactors = TRUE)
  units <- c(y = sd(data$y), x = sd(data$x))
  data$y <- (data$y - mean(data$y)) / units[["y"]]
  data$x <- data$x / units[["x"]]
  data$prior <- if (weighted) data$w else rep(1, nrow(data))
  model <- as.formula(formula)
  deviance <- lmer(model, data, REML = reml, weights = prior, devFunOnly = TRUE, control = lenient)
  lower <- environment(deviance)$lower
  n <- nrow(data) - reml * ncol(environment(deviance)$pp$X)
  slope <- reml && "x" %in% all.vars(nobars(model))
  lowest(deviance, lower) + 2 * n * log(units[["y"]]) + 2 * slope * log(units[["x"]])
}

lowest <- function(deviance, lower) {
  values <- vapply(starts(lower), function(start) {
    wide <- list(rhobeg = 0.3 * max(abs(start)), rhoend = 1e-8, maxfun = 1e4)
    first <- minqa::bobyqa(start, deviance, lower, control = wide)
    minqa::bobyqa(first$par, deviance, lower, control = list(rhobeg = 1e-3, rhoend = 1e-9, maxfun = 1e4))$fval
  }, 0)
  min(values)
}

starts <- function(lower) {
  diagonal <- lower == 0
  even <- lapply(c(0.03, 0.3, 1, 3, 10, 100, 1000), function(size) size * diagonal)
  slanted <- lapply(c(-1, 1), function(side) diagonal + 0.7 * side * !diagonal)
  leaning <- lapply(c(-10, -1, 1, 10), function(side) 0.01 * diagonal + side * !diagonal)  # near a correlation of 1
  drawn <- replicate(5, ifelse(diagonal, 10^runif(length(lower), -2, 3), rnorm(length(lower))), simplify = FALSE)
  c(even, slanted, leaning, drawn)
}

set.seed(1)
folder <- commandArgs(TRUE)[1]
models <- read.csv(file.path(folder, "models.csv"))
models$optimum <- mapply(optimum, file.path(folder, models$file), models$formula, models$reml, models$weighted)
models$optimum <- sprintf("%.17g", models$optimum)
write.csv(models[c("file", "optimum")], file.path(folder, "optima.csv"), row.names = FALSE)
