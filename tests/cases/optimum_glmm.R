# The lowest -2 log-likelihood of each model listed in a folder, from many starts, by glmmTMB's objective and nlminb.
# For a canonical link it is also lme4's: Laplace's approximation has one definition there.
suppressMessages(library(glmmTMB))

optimum <- function(file, formula, family) {
  data <- read.csv(file, stringsAsFactors = TRUE)
  model <- glmmTMB(as.formula(formula), data, family = get(family)(), doFit = FALSE)
  tmb <- with(model, TMB::MakeADFun(
    data.tmb, parameters, map = mapArg, random = randomArg, DLL = "glmmTMB", silent = TRUE
  ))
  lowest(tmb, names(tmb$par))
}

lowest <- function(tmb, names) {
  theta <- names == "theta"
  values <- vapply(starts(sum(theta)), function(start) {
    par <- tmb$par
    par[theta] <- start
    end <- try(nlminb(par, tmb$fn, tmb$gr, control = list(iter.max = 1000, eval.max = 1000)), silent = TRUE)
    if (inherits(end, "try-error") || !is.finite(end$objective)) return(Inf)
    again <- nlminb(end$par, tmb$fn, tmb$gr, control = list(rel.tol = 1e-15, iter.max = 1000, eval.max = 1000))
    min(end$objective, again$objective, na.rm = TRUE)
  }, 0)
  2 * min(values)
}

# Logarithms of standard deviations, and what the correlations are made of, as far as there are any.
starts <- function(count) {
  even <- lapply(c(-6, -2, -1, 0, 1), rep, times = count)
  c(even, replicate(3, rnorm(count), simplify = FALSE))
}

set.seed(1)
folder <- commandArgs(TRUE)[1]
models <- read.csv(file.path(folder, "models.csv"))
models$optimum <- mapply(optimum, file.path(folder, models$file), models$formula, models$family)
models$optimum <- sprintf("%.17g", models$optimum)
write.csv(models[c("file", "optimum")], file.path(folder, "optima.csv"), row.names = FALSE)
