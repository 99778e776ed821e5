# gpboost 1.8.0 reports a criterion that is 1.32 off the model's at its own estimates
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "character", "character"))
d[["g"]] <- factor(d[["g"]], c("g01", "g02", "g03", "g06", "g07", "g09", "g10", "g11"))
d[["h"]] <- factor(d[["h"]], c("h0", "h1", "h2", "h3"))
m <- lmer(y ~ 1 + (1 | g) + (1 | h), d, REML = FALSE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# Many starts, the best point known among them.
lowest <- function(objective, points) {
  min(vapply(points, function(start) {
    start <- pmax(start, lower)
    found <- tryCatch(minqa::bobyqa(start, objective, lower, control = list(rhoend = 1e-9, maxfun = 1e4))$fval,
                      error = function(e) Inf)
    min(objective(start), found)
  }, 0))
}
even <- lapply(c(0.1, 1, 10), function(size) size * (lower == 0))
starts <- c(even, list(getME(m, 'theta'), c(0.6772056108789083, 2.8197668709980035), c(0.5928867603935268, 4.53680718138248)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion where gpboost stopped ", format(objective(c(0.5928867603935268, 4.53680718138248))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.5928867603935268, 4.53680718138248)) - best), "\n")
