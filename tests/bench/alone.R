# R alone, without the Python package: evaluate line by line what a bench tells it to, and say when it is done.

suppressPackageStartupMessages(library(lme4))

# What a user of R does to read the numbers that a fit of the Python package holds, R's printed summary among them.
face <- function(m) {
  s <- summary(m)
  list(fixef(m), as.matrix(vcov(m)), coef(s), as.data.frame(VarCorr(m)), ranef(m, condVar = FALSE), fitted(m),
       residuals(m), getME(m, "theta"), sigma(m), logLik(m), AIC(m), BIC(m), if (isLMM(m)) REMLcrit(m) else deviance(m),
       nobs(m), isSingular(m), m@optinfo, capture.output(print(s)))
}

# lme4's own bootstrap of all that it estimates, and of nothing else.
boot <- function(m, nsim, seed) {
  estimates <- function(m) c(fixef(m), getME(m, "theta"), sigma(m))
  suppressMessages(suppressWarnings(bootMer(m, estimates, nsim, seed = seed)))
}

input <- file("stdin", "r")
while (length(line <- readLines(input, 1))) {
  tryCatch({
    eval(parse(text = line), globalenv())
    cat("done\n")
  }, error = function(e) cat("failed:", gsub("\n", " ", conditionMessage(e)), "\n"))
}
