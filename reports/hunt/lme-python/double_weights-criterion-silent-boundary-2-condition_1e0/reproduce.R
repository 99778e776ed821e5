# lme-python 0.2.7 gives another answer when every weight is doubled and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "numeric"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03"))
m <- lmer(y ~ x + (x | g), d, REML = TRUE, offset = o)
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
starts <- c(even, list(getME(m, 'theta'), c(1.4724822122900043, 0.291881548120839, -0.0)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("best criterion of all starts ", format(best), "\n")

# The same when every weight is doubled.
d <- read.csv("changed.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "numeric", "numeric"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03"))
m <- lmer(y ~ x + (x | g), d, REML = TRUE, weights = w, offset = o)
objective <- update(m, devFunOnly = TRUE)
changed <- lowest(objective, c(even, list(getME(m, 'theta'))))
cat("best criterion of the changed data ", format(changed), "\n")
cat("after less before ", format(changed - best), ", it should be ", format(0.0), "\n", sep = "")
