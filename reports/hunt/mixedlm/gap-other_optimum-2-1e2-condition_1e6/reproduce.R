# mixedlm 1.3.0 stops 107 deviance units above the optimum
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04"))
m <- lmer(y ~ x * f + (x | g), d, REML = TRUE, contrasts = list(`f` = "contr.helmert"))
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
starts <- c(even, list(getME(m, 'theta'), c(2730.820037097096, -2.730651486090502, 0.0011869353516167358), c(0.4499753288709566, -0.000153127960312768, 1.8011412691802784e-07)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that mixedlm reports ", 212.6330975, "\n")
cat("criterion where mixedlm stopped ", format(objective(c(0.4499753288709566, -0.000153127960312768, 1.8011412691802784e-07))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.4499753288709566, -0.000153127960312768, 1.8011412691802784e-07)) - best), "\n")
