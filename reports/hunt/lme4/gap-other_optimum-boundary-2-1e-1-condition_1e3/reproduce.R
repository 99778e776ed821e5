# lme4 1.1-31 stops 0.437 deviance units above the optimum
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02"))
m <- lmer(y ~ x + z + (x | g), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(0.19907378278498605, 0.2924019174319031, -0.0), c(0.0, -0.2402333099344666, 0.10662720485965982)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("criterion that lme4 reports ", 64.28629078, "\n")
cat("criterion where lme4 stopped ", format(objective(c(0.0, -0.2402333099344666, 0.10662720485965982))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(0.0, -0.2402333099344666, 0.10662720485965982)) - best), "\n")
