# statsmodels[shared] 0.15.0 stops 2.16 deviance units above the optimum
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (x | g), d, REML = TRUE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# Many starts, the best point known among them.
lowest <- function(objective, points) {
  value <- function(point) tryCatch(objective(point), error = function(e) Inf)
  min(vapply(points, function(start) {
    start <- pmax(start, lower)
    found <- tryCatch(minqa::bobyqa(start, objective, lower, control = list(rhoend = 1e-9, maxfun = 1e4))$fval,
                      error = function(e) Inf)
    min(value(start), found, na.rm = TRUE)
  }, 0))
}
even <- lapply(c(0.1, 1, 10), function(size) size * (lower == 0))
starts <- c(even, list(getME(m, 'theta'), c(4.508651460269061, -4.4610427071654835, 0.0), c(2.6157990226180754, -2.5378515310216, 1.1582740748740552)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that statsmodels[shared] reports ", 26.44232886, "\n")
cat("criterion where statsmodels[shared] stopped ", format(objective(c(2.6157990226180754, -2.5378515310216, 1.1582740748740552))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(2.6157990226180754, -2.5378515310216, 1.1582740748740552)) - best), "\n")
