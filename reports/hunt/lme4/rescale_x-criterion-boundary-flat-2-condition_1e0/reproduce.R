# lme4 1.1-31 gives another answer when x is multiplied by 1000
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (x | g), d, REML = FALSE)
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
starts <- c(even, list(getME(m, 'theta'), c(1.373406286335995e-12, -3.4335157158399877e-13, 0.0)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("best criterion of all starts ", format(best), "\n")

# The same when x is multiplied by 1000.
d <- read.csv("changed.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (x | g), d, REML = FALSE)
after <- show_engine(d, m)
if (is.numeric(before) && is.numeric(after)) {
  cat("difference in criterion of lme4 ", format(abs(after - before - 0.0)), "\n")
}
objective <- update(m, devFunOnly = TRUE)
changed <- lowest(objective, c(even, list(getME(m, 'theta'))))
cat("best criterion of the changed data ", format(changed), "\n")
cat("after less before ", format(changed - best), ", it should be ", format(0.0), "\n", sep = "")
