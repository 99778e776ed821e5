# mixedlm-rs 0.2.0 reports a criterion that is 0.0237 off the model's at its own estimates and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c", "d"))
m <- lmer(y ~ x + z + (x + z | g), d, REML = TRUE)
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
starts <- c(even, list(getME(m, 'theta'), c(7.029100551347477, -4.369645198981411e-05, 81.97169605933172, 1.4255265706225114e-05, -57.6456754748603, 0.0), c(7.02910599561452, -4.36965018527552e-05, 81.97183953310288, 1.4306560973053291e-05, -57.439109087624374, 4.8759092582099015)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that mixedlm-rs reports ", 164.6518917, "\n")
cat("criterion where mixedlm-rs stopped ", format(objective(c(7.02910599561452, -4.36965018527552e-05, 81.97183953310288, 1.4306560973053291e-05, -57.439109087624374, 4.8759092582099015))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(7.02910599561452, -4.36965018527552e-05, 81.97183953310288, 1.4306560973053291e-05, -57.439109087624374, 4.8759092582099015)) - best), "\n")
