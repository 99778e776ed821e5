# nlme 3.1-162 fails on a model that has an answer
#
# Needs lme4 and nlme. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (1 | g), d, REML = FALSE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# nlme
show_engine <- function(d, m) {
  tryCatch({
    e <- nlme::lme(y ~ 1 + x, d, list(g = nlme::pdSymm(~ 1)), method = "ML", control = nlme::lmeControl(niterEM = 100, maxIter = 500, msMaxIter = 500, msMaxEval = 5000, tolerance = 1e-10, msTol = 1e-12, apVar = FALSE, returnObject = TRUE, allow.n.lt.q = TRUE))
    criterion <- -2 * as.numeric(logLik(e))
    cat("its -2 log-likelihood ", format(criterion), "\n")
    cat("its fixed effects ", format(nlme::fixef(e)), "\n")
    cat("its sigma ", format(sigma(e)), "\n")
    cat("its standard errors ", format(sqrt(diag(as.matrix(vcov(e))))), "\n")
    criterion
  }, error = function(e) cat("nlme fails:", conditionMessage(e), "\n"))
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
starts <- c(even, list(getME(m, 'theta'), c(1.1002037924195234)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(deviance(m)), "\n")
cat("best criterion of all starts ", format(best), "\n")
