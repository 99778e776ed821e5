# interlace 0.3.2 reports a criterion that is 41.8 off the model's at its own estimates
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character", "numeric", "numeric"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04", "g05", "g06", "g07", "g08"))
m <- lmer(y ~ x + f + (x | g), d, REML = FALSE, weights = w, offset = o)
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
starts <- c(even, list(getME(m, 'theta'), c(0.21540076666234004, 0.16979753363100214, 0.0), c(0.21541478185725113, 0.16979833798289284, 1.4964447495047217e-07)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that interlace reports ", 209.1438659, "\n")
cat("criterion where interlace stopped ", format(objective(c(0.21541478185725113, 0.16979833798289284, 1.4964447495047217e-07))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.21541478185725113, 0.16979833798289284, 1.4964447495047217e-07)) - best), "\n")
