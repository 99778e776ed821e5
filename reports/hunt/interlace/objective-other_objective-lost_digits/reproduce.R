# interlace 0.3.2 reports a criterion that is 0.0105 off the model's at its own estimates
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04"))
d[["h"]] <- factor(d[["h"]], c("h0", "h1"))
m <- lmer(y ~ x + f + (1 | g/h), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(3.974746540883985, 9.482740982112894), c(1.0000008461530043, 1.0000014341896346)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that interlace reports ", -118.9168504, "\n")
cat("criterion where interlace stopped ", format(objective(c(1.0000008461530043, 1.0000014341896346))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(1.0000008461530043, 1.0000014341896346)) - best), "\n")
