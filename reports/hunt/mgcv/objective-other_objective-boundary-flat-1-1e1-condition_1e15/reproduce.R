# mgcv 1.8-41 reports a criterion that is 26.3 off the model's at its own estimates
#
# Needs lme4 and mgcv. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character", "character", "numeric"))
d[["f"]] <- factor(d[["f"]], c("a", "b", "c"))
d[["g"]] <- factor(d[["g"]], c("g00", "g01", "g02", "g03", "g04", "g05"))
m <- lmer(y ~ x + f + (1 | g), d, REML = TRUE, offset = o)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# mgcv
show_engine <- function(d, m) {
  tryCatch({
    e <- mgcv::gam(y - o ~ 1 + x + f + s(g, bs = "re"), data = d, method = "REML", control = mgcv::gam.control(epsilon = 1e-12, scalePenalty = FALSE, newton = list(conv.tol = 1e-11)))
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
starts <- c(even, list(getME(m, 'theta'), c(-0.0), c(1.981292857844069e-05)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion that mgcv reports ", 93.61319818, "\n")
cat("criterion where mgcv stopped ", format(objective(c(1.981292857844069e-05))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(1.981292857844069e-05)) - best), "\n")
