# What lme4 and emmeans do not export, and what stands behind their exported functions. A release may take any of it
# away: tests/testthat/test-internals.R says that each is still there. No other file reaches into another package.

lme4_namespace <- function() asNamespace("lme4")

# lme4's pooled standard deviation of the fits of an lmList, NaN where it finds no degrees of freedom and stops.
pooled_sd <- function(list) {
  without <- function(e) structure(NaN, df = 0L)
  tryCatch(get("pooledSD", lme4_namespace())(list), error = without)
}

# The function that makes the splines of a profile; NULL before 2.1.
profile_splines <- function() get0("profSplines", lme4_namespace(), inherits = FALSE)

# The method of refit() for a model. It asks isREML(), which `own` may replace.
refit_merMod <- function(own = list()) {
  method <- utils::getS3method("refit", "merMod", envir = lme4_namespace())
  if (length(own)) with_own(method, own) else method
}

# lme4::mkNewReTrms, which asks ranef() and levelfun().
mkNewReTrms_with <- function(own) with_own(lme4::mkNewReTrms, own)

# predict() for a model, which asks mkNewReTrms().
predict_merMod <- function(own) with_own(utils::getS3method("predict", "merMod", envir = lme4_namespace()), own)

# The levels of a model's factors, for which predict() asks model.frame().
orig_levs_with <- function(frame) with_own(get("get.orig.levs", lme4_namespace()), list(model.frame = frame))

# coef() for a model, which asks ranef().
coef_merMod <- function(own) with_own(utils::getS3method("coef", "merMod", envir = lme4_namespace()), own)

# lme4::.simulateFun, which asks mkNewReTrms(), predict(), rnorm() and simfunList.
simulateFun_with <- function(own) with_own(lme4::.simulateFun, own)

# The functions by which simulate() draws responses, by family.
family_simulators <- function() get("simfunList", lme4_namespace())

# A copy of a package's function that finds the functions in `own` before the package's.
with_own <- function(fun, own) {
  environment(fun) <- list2env(own, parent = environment(fun))
  fun
}

# What lme4's deviance function works with: `lower`, `pp`, `resp`, and in some releases `upper`, `mkPar` and `mkTheta`.
devfun_parts <- function(devfun) environment(devfun)

# The functions in C of which lme4 makes an evaluation of its objective, NULL where one has gone.
objective_steps <- function() {
  names <- c(.setTheta = "merPredDsetTheta", .updateDecomp = "merPredDupdateDecomp", .updateRes = "merPredDupdateRes",
             .solve = "merPredDsolve", .linPred = "merPredDlinPred", .ldL2 = "merPredDldL2", .ldRX2 = "merPredDldRX2",
             .sqrL = "merPredDsqrL", .updateMu = "lm_updateMu", .Laplace = "lmer_Laplace")
  if (all(vapply(names, exists, NA, lme4_namespace(), inherits = FALSE))) lapply(names, get, lme4_namespace())
}

# The point where lme4's optimizer would begin, for a deviance function that holds one already.
own_point <- function(devfun, start) {
  rho <- devfun_parts(devfun)
  begin <- get("getStart", lme4_namespace())
  if (lme4_since("2.0-1")) begin(start, rho, 0L) else begin(start, rho$pp)
}

# pbkrtest's function that draws likelihood ratios, which asks refit() and logLik().
reference_with <- function(own) with_own(get(".get_refdist_merMod", asNamespace("pbkrtest")), own)

# pbkrtest's test by a parametric bootstrap, whose own ratio asks update() for the models by ML.
modcomp_with <- function(own) {
  method <- function(generic, class) utils::getS3method(generic, class, envir = asNamespace("pbkrtest"))
  with_own(method("PBmodcomp", "merMod"), list(getLRT = with_own(method("getLRT", "lmerMod"), own)))
}

# Whether lme4's call of an optimizer has an argument.
optwrap_takes <- function(argument) argument %in% names(formals(get("optwrap", lme4_namespace())))

# lme4::optimizeLmer, whose calls of nloptr are prepared once.
optimizeLmer_again <- function() with_own(lme4::optimizeLmer, list(optwrap = optwrap_again()))

# lme4's call of an optimizer, whose calls of nloptr prepare and check their object at the first of many fits alone: that
# takes longer than a small design's evaluations. An R whose nloptr has no such function in C calls it as lme4 does.
optwrap_again <- function() {
  optwrap <- get("optwrap", lme4_namespace())
  entry <- get0("NLoptR_Optimize", asNamespace("nloptr"), inherits = FALSE) # not there before 2.1
  if (is.null(entry)) entry <- tryCatch(getNativeSymbolInfo("NLoptR_Optimize", "nloptr"), error = function(e) NULL)
  if (is.null(entry)) return(optwrap)
  wrap <- with_own(lme4::nloptwrap, list(nloptr = nloptr_again(entry)))
  own <- get("getOptfun", lme4_namespace())
  getOptfun <- function(optimizer) if (identical(optimizer, "nloptwrap")) wrap else own(optimizer)
  with_own(optwrap, list(getOptfun = getOptfun))
}

# nloptr::nloptr for calls that differ in x0. Whatever its checks would say something of goes there.
nloptr_again <- function(entry) {
  given <- prepared <- NULL
  whole <- function(...) {
    noisy <- FALSE
    found <- withCallingHandlers(nloptr::nloptr(...), warning = function(w) noisy <<- TRUE)
    given <<- if (!noisy) list(...)[-1L]
    prepared <<- found
  }
  function(x0, eval_f, lb, ub, opts) {
    alike <- identical(given, list(eval_f = eval_f, lb = lb, ub = ub, opts = opts)) &&
      isTRUE(all(x0 >= lb & x0 <= ub)) && length(x0) == length(prepared$x0) && !is.na(eval_f(x0))
    if (!alike) return(whole(x0 = x0, eval_f = eval_f, lb = lb, ub = ub, opts = opts))
    prepared$x0 <- x0
    found <- .Call(entry, prepared)
    if (found$status == 6L) whole(x0 = x0, eval_f = eval_f, lb = lb, ub = ub, opts = opts) else found # out of time
  }
}

# The code of an optimizer's end.
convergence_of <- function(end) get("getConv", lme4_namespace())(end)

# The covariance structure of each random term; NULL before 2.0-1. Its accessor is not exported before 2.0-6.
structures_of <- function(model) attr(model, "reCovs")

# The reduction of covariates that emmeans::joint_tests() has by default, written with functions of its own.
joint_tests_reduction <- function() eval(formals(emmeans::joint_tests)$cov.reduce, asNamespace("emmeans"))

# Names such as T and pi in a model's formula that mean R's values and no column.
own_values_in <- function(model) {
  formula <- stats::formula(model)
  setdiff(intersect(names(values_offered), all.names(formula)), names(environment(formula)$data))
}

# The tolerance that lme4::isSingular() has where none is given.
singular_tolerance <- function() eval(formals(lme4::isSingular)$tol, lme4_namespace())

# Give a deviance function another response, and have what is kept of the last one forgotten.
set_response <- function(devfun, response) {
  rho <- devfun_parts(devfun)
  rho$resp$setResp(as.double(response))
  rho$.unexplained <- rho$.known <- NULL
}

# lme4's objective, evaluated by lme4's own steps less those that give the same in each evaluation: that of the weights
# decomposes the matrices a second time, and the response is the same until set_response(). The values are lme4's to the
# last bit, which the first one is held to; where it is not, or a step is not there, the objective stays as it is. So it
# does where a random term is of another kind than "us": a structure may have no value at a point, which spoils lme4's
# own for all others.
quick_objective <- function(devfun, kinds) {
  rho <- devfun_parts(devfun)
  step <- objective_steps()
  if (is.null(step) || !inherits(rho$resp, "lmerResp") || !all(kinds == "us")) return(devfun)
  list2env(step, rho)
  rho$.theta <- if (is.null(rho$mkTheta)) as.double else rho$mkTheta
  rho$.pp <- rho$pp$ptr()
  rho$.resp <- rho$resp$ptr()
  rho$.zero <- numeric(length(rho$resp$y))
  rho$.wtres <- rho$resp$wtres # lme4 writes into it
  rho$.unexplained <- NULL
  quick <- function(par) {
    if (is.null(.unexplained)) {
      .Call(.updateMu, .resp, .zero)
      .unexplained <<- .wtres + 0
    }
    .Call(.setTheta, .pp, .theta(par))
    .Call(.updateDecomp, .pp, NULL)
    .Call(.updateRes, .pp, .unexplained)
    .Call(.solve, .pp)
    .Call(.updateMu, .resp, .Call(.linPred, .pp, 1))
    .Call(.Laplace, .resp, .Call(.ldL2, .pp), .Call(.ldRX2, .pp), .Call(.sqrL, .pp, 1), NULL)
  }
  environment(quick) <- rho # where lme4 looks for what it works with
  begin <- to_par(devfun, rho$pp$theta + 0)
  same <- tryCatch(identical(quick(begin), devfun(begin)), error = function(e) FALSE)
  if (same) quick else devfun
}

# A deviance function that knows the first and the lowest point of a response again: optimizers ask for either several
# times. Its environment is lme4's, as an optimizer of ours wants.
with_memory <- function(devfun) {
  rho <- devfun_parts(devfun)
  rho$.evaluate <- devfun
  rho$.known <- NULL
  remember <- function(par) {
    for (point in .known) if (identical(point$par, par)) return(point$value)
    found <- list(par = par + 0, value = .evaluate(par)) # an optimizer may write into its vector
    if (is.null(.known)) .known <<- list(found, found)
    if (isTRUE(found$value < .known[[2L]]$value)) .known[[2L]] <<- found
    found$value
  }
  environment(remember) <- rho
  remember
}
