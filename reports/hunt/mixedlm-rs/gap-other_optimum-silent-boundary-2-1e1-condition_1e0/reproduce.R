# mixedlm-rs 0.2.0 stops 12.2 deviance units above the optimum and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g02", "g03", "g04", "g05"))
m <- lmer(y ~ x + f + (x | g), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(30.4292616729775, 8.234295137993609, 0.0), c(1.2550983481010365, -0.02373562635231802, 0.0)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that mixedlm-rs reports ", 44.67380409, "\n")
cat("criterion where mixedlm-rs stopped ", format(objective(c(1.2550983481010365, -0.02373562635231802, 0.0))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(1.2550983481010365, -0.02373562635231802, 0.0)) - best), "\n")
