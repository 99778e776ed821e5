# glmm 0.6.2 reports numbers that its own estimates do not give
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "numeric", "character", "numeric"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + z + (x + z | g), d, REML = TRUE, weights = w)
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
starts <- c(even, list(getME(m, 'theta'), c(2.6776080584200117, -0.3355761873228023, 377387.53186643426, 4.374351440355703e-09, 0.006383440943461325, 0.0), c(2.677607154889281, -0.33557615954369485, 377386.835107529, 0.005524276640384149, -0.005524255058534187, 3.555021227928637e-11)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that glmm reports ", 4.55526309, "\n")
cat("criterion where glmm stopped ", format(objective(c(2.677607154889281, -0.33557615954369485, 377386.835107529, 0.005524276640384149, -0.005524255058534187, 3.555021227928637e-11))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(2.677607154889281, -0.33557615954369485, 377386.835107529, 0.005524276640384149, -0.005524255058534187, 3.555021227928637e-11)) - best), "\n")
