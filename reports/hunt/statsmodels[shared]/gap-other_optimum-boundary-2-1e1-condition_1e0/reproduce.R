# statsmodels[shared] 0.15.0 stops 19.6 deviance units above the optimum
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04", "g05", "g06", "g07", "g08", "g09", "g10", "g11", "g12", "g13", "g14"))
m <- lmer(y ~ 0 + f + (x | g), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(14.269888998488897, -4.944756029707886, -0.0), c(8.778746765234606, -2.859016640593735, 1.222227847795547)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that statsmodels[shared] reports ", 41.60063229, "\n")
cat("criterion where statsmodels[shared] stopped ", format(objective(c(8.778746765234606, -2.859016640593735, 1.222227847795547))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(8.778746765234606, -2.859016640593735, 1.222227847795547)) - best), "\n")
