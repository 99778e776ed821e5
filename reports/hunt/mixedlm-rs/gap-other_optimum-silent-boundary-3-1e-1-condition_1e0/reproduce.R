# mixedlm-rs 0.2.0 stops 0.165 deviance units above the optimum and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "character", "character"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c", "d"))
m <- lmer(y ~ f + (f | g), d, REML = TRUE)
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
starts <- c(even, list(getME(m, 'theta'), c(0.1783477665684523, -1.0046998058246563, -4.078413964616114, 4.7009022519494956e-11, 2.096897526599056e-10, 0.0), c(0.0, 0.0, 0.0, 0.8103550748339403, 3.84177435977915, 7.219868169983101e-08)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that mixedlm-rs reports ", 56.84776109, "\n")
cat("criterion where mixedlm-rs stopped ", format(objective(c(0.0, 0.0, 0.0, 0.8103550748339403, 3.84177435977915, 7.219868169983101e-08))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.0, 0.0, 0.0, 0.8103550748339403, 3.84177435977915, 7.219868169983101e-08)) - best), "\n")
