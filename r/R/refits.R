# lme4's refit() of one linear model by ML to many responses. What is the same for all is made once, and what lme4 only
# needs for a warning is taken from a smaller model where there is nothing to warn of.

# The log-likelihood of a refit, as a function of the response. refit() begins at the model's own theta, and takes no
# control but the optimizer's name.
kept_refit <- function(model) {
  optimizer <- model@optinfo$optimizer
  if (!is.character(optimizer)) return(function(response) stats::logLik(lme4::refit(model, response)))
  devfun <- quick_objective(stats::update(model, devFunOnly = TRUE), describe_structures(model)$structure.kind)
  design <- list(devfun = with_memory(devfun), rho = devfun_parts(devfun))
  wrap <- optwrap_of(design$rho)
  check <- check_of_ends(model, wrap, design)
  theta <- model@theta + 0
  function(response) {
    renew(design, response, theta)
    end <- wrap(optimizer, design$devfun, to_par(devfun, theta), calc.derivs = FALSE)
    check(end, response)
    -end$fval / 2
  }
}

# lme4's call of an optimizer between the bounds of a deviance function.
optwrap_of <- function(rho) {
  optwrap <- optwrap_again()
  bounds <- c(list(lower = rho$lower), if (!is.null(rho$upper)) list(upper = rho$upper))
  control <- lme4::lmerControl()$optCtrl
  function(...) do.call(optwrap, c(list(...), bounds, list(control = control)))
}

# lme4's check of an end by the derivatives there, of which it gives nothing but warnings.
check_of_ends <- function(model, wrap, design, control = lme4::lmerControl()$checkConv) {
  rho <- design$rho
  check <- function(derivs, end) {
    check_conv(derivs, end$par, ctrl = control, lbound = rho$lower, ubound = rho$upper, nobs = length(rho$resp$y),
               ndim = length(rho$lower))
  }
  if (is.null(model@optinfo$derivs)) return(function(end, response) check(NULL, end))
  derivs_at <- function(end, fun) {
    stay <- function(fn, par, lower, upper, control) list(par = par, fval = end$fval, conv = 0)
    attr(wrap(stay, fun, end$par, calc.derivs = TRUE), "derivs")
  }
  reduced <- reduced_deviance(model)
  function(end, response) {
    sound <- !is.null(reduced) && is_minimum(derivs_at(end, reduced$at(response)), control)
    if (!sound) check(derivs_at(end, design$devfun), end)
  }
}

# Whether derivatives are those of a minimum beyond doubt: with half the gradient, a hundred times the least eigenvalue
# and half the largest that lme4 asks for, which is far more than rounding moves them.
is_minimum <- function(derivs, control) {
  tol <- control$check.conv.hess$tol
  tryCatch({
    curvature <- eigen(derivs$Hessian, symmetric = TRUE, only.values = TRUE)$values
    gradient <- pmin(abs(solve(chol(derivs$Hessian), derivs$gradient)), abs(derivs$gradient))
    max(gradient) < control$check.conv.grad$tol / 2 && min(curvature) > 100 * tol * max(1, curvature) &&
      max(curvature) < 0.5 / tol
  }, error = function(e) FALSE)
}
