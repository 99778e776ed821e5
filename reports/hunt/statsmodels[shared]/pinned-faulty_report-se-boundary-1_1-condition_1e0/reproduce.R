# statsmodels[shared] 0.15.0 reports numbers that its own estimates do not give
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "character", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
d[["h"]] <- factor(d[["h"]], c("a", "b", "c"))
m <- lmer(y ~ 1 + (1 | g) + (1 | h), d, REML = TRUE)
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
starts <- c(even, list(getME(m, 'theta'), c(-0.0, 1.3945081264792958), c(4.485786223089968e-05, 1.3944967723774147)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that statsmodels[shared] reports ", 21.44966145, "\n")
cat("criterion where statsmodels[shared] stopped ", format(objective(c(4.485786223089968e-05, 1.3944967723774147))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(4.485786223089968e-05, 1.3944967723774147)) - best), "\n")
