# lme4 1.1-31 stops 37.3 deviance units above the optimum
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03"))
m <- lmer(y ~ x + (x | g), d, REML = TRUE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# lme4
show_engine <- function(d, m) {
  tryCatch({
    e <- m
    criterion <- -2 * as.numeric(logLik(e))
    cat("its -2 log-likelihood ", format(criterion), "\n")
    cat("its fixed effects ", format(fixef(e)), "\n")
    cat("its sigma ", format(sigma(e)), "\n")
    cat("its standard errors ", format(sqrt(diag(as.matrix(vcov(e))))), "\n")
    criterion
  }, error = function(e) cat("lme4 fails:", conditionMessage(e), "\n"))
}
before <- show_engine(d, m)

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
starts <- c(even, list(getME(m, 'theta'), c(1.449712482193821, -1280917.0970204733, -0.0), c(0.21833149433695134, 20957.397423894407, 5949.2791014312725)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that lme4 reports ", -102.4548311, "\n")
cat("criterion where lme4 stopped ", format(objective(c(0.21833149433695134, 20957.397423894407, 5949.2791014312725))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.21833149433695134, 20957.397423894407, 5949.2791014312725)) - best), "\n")
