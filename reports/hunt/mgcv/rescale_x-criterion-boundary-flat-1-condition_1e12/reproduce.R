# mgcv 1.8-41 gives another answer when x is multiplied by 1000
#
# Needs lme4 and mgcv. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (1 | g), d, REML = TRUE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# mgcv
show_engine <- function(d, m) {
  tryCatch({
    e <- mgcv::gam(y ~ 1 + x + s(g, bs = "re"), data = d, method = "REML", control = mgcv::gam.control(epsilon = 1e-12, scalePenalty = FALSE, newton = list(conv.tol = 1e-11)))
    criterion <- 2 * as.numeric(e$gcv.ubre)
    cat("its -2 log-likelihood ", format(criterion), "\n")
    cat("its fixed effects ", format(coef(e)[seq_len(e$nsdf)]), "\n")
    cat("its sigma ", format(sqrt(e$reml.scale)), "\n")
    cat("its standard errors ", format(sqrt(diag(vcov(e))[seq_len(e$nsdf)])), "\n")
    criterion
  }, error = function(e) cat("mgcv fails:", conditionMessage(e), "\n"))
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
starts <- c(even, list(getME(m, 'theta'), c(-0.0)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("best criterion of all starts ", format(best), "\n")

# The same when x is multiplied by 1000.
d <- read.csv("changed.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("a", "b", "c"))
m <- lmer(y ~ x + (1 | g), d, REML = TRUE)
after <- show_engine(d, m)
if (is.numeric(before) && is.numeric(after)) {
  cat("difference in criterion of mgcv ", format(abs(after - before - 13.815510557964274)), "\n")
}
objective <- update(m, devFunOnly = TRUE)
changed <- lowest(objective, c(even, list(getME(m, 'theta'))))
cat("best criterion of the changed data ", format(changed), "\n")
cat("after less before ", format(changed - best), ", it should be ", format(13.815510557964274), "\n", sep = "")
