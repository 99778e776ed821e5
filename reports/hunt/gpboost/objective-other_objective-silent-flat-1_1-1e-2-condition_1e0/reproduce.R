# gpboost 1.8.0 reports a criterion that is 0.0434 off the model's at its own estimates and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
d[["h"]] <- factor(d[["h"]], c("a", "b", "c"))
m <- lmer(y ~ x * f + (1 | g) + (1 | h), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(0.5297632494216219, 0.48580497130198197), c(0.4964677680328761, 0.45617696177998907)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that gpboost reports ", 42.90760795, "\n")
cat("criterion where gpboost stopped ", format(objective(c(0.4964677680328761, 0.45617696177998907))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.4964677680328761, 0.45617696177998907)) - best), "\n")
