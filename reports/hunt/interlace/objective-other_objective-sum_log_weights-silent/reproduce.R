# interlace 0.3.2 reports a criterion that is 1.1 off the model's at its own estimates and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "character", "numeric"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ 1 + (1 | g), d, REML = TRUE, weights = w)
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
starts <- c(even, list(getME(m, 'theta'), c(1.0943251693997555), c(1.0943357269080864)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that interlace reports ", 9.967581198, "\n")
cat("criterion where interlace stopped ", format(objective(c(1.0943357269080864))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(1.0943357269080864)) - best), "\n")
