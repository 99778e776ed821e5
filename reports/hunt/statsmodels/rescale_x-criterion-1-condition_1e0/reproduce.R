# statsmodels 0.15.0 gives another answer when x is multiplied by 1000
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g03", "g06", "g07"))
m <- lmer(y ~ x + f + (0 + x | g), d, REML = TRUE)
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
starts <- c(even, list(getME(m, 'theta'), c(0.07835874526610422)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("best criterion of all starts ", format(best), "\n")

# The same when x is multiplied by 1000.
d <- read.csv("changed.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g03", "g06", "g07"))
m <- lmer(y ~ x + f + (0 + x | g), d, REML = TRUE)
objective <- update(m, devFunOnly = TRUE)
changed <- lowest(objective, c(even, list(getME(m, 'theta'))))
cat("best criterion of the changed data ", format(changed), "\n")
cat("after less before ", format(changed - best), ", it should be ", format(13.815510557964274), "\n", sep = "")
