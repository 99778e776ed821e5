# interlace 0.3.2 reports a criterion that is 33.8 off the model's at its own estimates and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character", "numeric"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04", "g05"))
m <- lmer(y ~ x + f + (x | g), d, REML = TRUE, weights = w, contrasts = list(`f` = "contr.sum"))
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
starts <- c(even, list(getME(m, 'theta'), c(3.94307978614064, 0.16073605711676028, 0.5150447398370517), c(3.943088914440765, 0.1607380315539938, 0.5150456692376488)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that interlace reports ", 146.1286183, "\n")
cat("criterion where interlace stopped ", format(objective(c(3.943088914440765, 0.1607380315539938, 0.5150456692376488))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(3.943088914440765, 0.1607380315539938, 0.5150456692376488)) - best), "\n")
