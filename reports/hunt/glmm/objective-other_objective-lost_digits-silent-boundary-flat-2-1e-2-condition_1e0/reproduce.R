# glmm 0.6.2 reports a criterion that is 0.0226 off the model's at its own estimates and says nothing
#
# Needs lme4. Run it in this folder: Rscript reproduce.R
options(digits = 10)
library(lme4)
d <- read.csv("data.csv", check.names = FALSE, na.strings = "<NA>", encoding = "UTF-8",
              colClasses = c("numeric", "numeric", "character"))
d[["g"]] <- factor(d[["g"]], c("g06", "g08", "g09", "g11", "g12", "g13"))
m <- lmer(y ~ x + (x | g), d, REML = TRUE)
objective <- update(m, devFunOnly = TRUE)
lower <- environment(objective)$lower

# Many starts, the best point known among them.
lowest <- function(objective, points) {
  min(vapply(points, function(start) {
    start <- pmax(start, lower)
    found <- tryCatch(minqa::bobyqa(start, objective, lower, control = list(rhoend = 1e-9, maxfun = 1e4))$fval,
                      error = function(e) Inf)
    min(objective(start), found)
  }, 0))
}
even <- lapply(c(0.1, 1, 10), function(size) size * (lower == 0))
starts <- c(even, list(getME(m, 'theta'), c(3.1812939133983265, -467.29168364453, -0.0), c(3.4971147625009342, -508.27984617761473, 0.4663378049572202)))
best <- lowest(objective, starts)
cat("criterion of lme4's own fit ", format(REMLcrit(m)), "\n")
cat("criterion where glmm stopped ", format(objective(c(3.4971147625009342, -508.27984617761473, 0.4663378049572202))), "\n")
cat("best criterion of all starts ", format(best), "\n")
cat("gap ", format(objective(c(3.4971147625009342, -508.27984617761473, 0.4663378049572202)) - best), "\n")
