# lme4's own profiled deviance or REML criterion of a kept model, as a function of theta.
deviance_function <- function(entry) {
  if (is.null(entry$scope$.devfun)) {
    call <- entry$model@call
    call$devFunOnly <- TRUE
    entry$scope$.devfun <- quick_objective(eval(call, entry$scope), describe_structures(entry$model)$structure.kind)
  }
  entry$scope$.devfun
}

# Convert theta to the argument of that function and back. From lme4 2.0-1 on the argument is `par`, which differs from
# theta where a term has a structure.
to_par <- function(devfun, theta) convert_by(devfun_parts(devfun)$mkPar, theta)

to_theta <- function(devfun, par) convert_by(devfun_parts(devfun)$mkTheta, par)

convert_by <- function(convert, values) if (is.null(convert)) values else convert(values)

# Convert theta, or refuse a theta that no structure gives. The theta of a structure has more elements than the
# structure has parameters.
valid_par <- function(devfun, theta) {
  par <- to_par(devfun, theta)
  if (!identical(par, theta) && !isTRUE(all.equal(to_theta(devfun, par), theta))) {
    refuse("theta has the point (", toString(signif(theta, 4L)), "), which no diag(), cs() or ar1() covariance gives")
  }
  par
}

# Call `use` with the objective of a kept model and the model.
with_objective <- function(handle, use, ...) {
  entry <- entry_of(handle)
  renew_unless_finite(entry$scope, ".devfun", use(deviance_function(entry), entry$model, ...))
}

# Evaluate the result of a kept function of lme4's. The function does not recover from a point where it has no value,
# so after an error or a value that is not finite the next use makes it again.
renew_unless_finite <- function(scope, name, found) {
  sound <- FALSE
  on.exit(if (!sound) scope[[name]] <- NULL)
  sound <- all(is.finite(found$value))
  found
}

each_point <- function(theta, model) split(theta, (seq_along(theta) - 1L) %/% length(model@theta))

# Values of the objective. `theta` holds the points one after another.
deviance_at <- function(handle, theta) {
  with_objective(handle, function(devfun, model) {
    pars <- lapply(each_point(theta, model), valid_par, devfun = devfun)
    list(value = vapply(pars, devfun, 0, USE.NAMES = FALSE))
  })
}

# The effect of a unit of each parameter on the linear predictor: the root mean square of the column of Z that the
# parameter scales, the largest where it scales several, and 1 for a correlation. Optimizers need it: the theta of a
# slope on x in thousands is a thousand times smaller.
par_scale <- function(model) {
  zt <- model@pp$Zt
  squares <- Matrix::rowSums(zt^2)
  found <- describe_structures(model)
  term <- function(t, k, kind, hom) {
    rows <- seq(model@Gp[t] + 1L, model@Gp[t + 1L])
    rms <- pmax(sqrt(rowSums(matrix(squares[rows], nrow = k)) / ncol(zt)), .Machine$double.eps)
    if (kind == "us") return(rms[row(diag(k))[lower.tri(diag(k), diag = TRUE)]])
    c(if (hom) max(rms) else rms, if (kind != "diag" && k > 1L) 1)
  }
  unlist(Map(term, seq_along(model@cnms), lengths(model@cnms), found$structure.kind, found$structure.hom),
         use.names = FALSE)
}

# Minimize from each of the given points (one after another in `theta`) with minqa's bobyqa down to rounding error.
# Returns the end points, one after another, and the values there.
polish <- function(handle, theta) {
  with_objective(handle, function(devfun, model) {
    polish_one <- polisher(devfun, par_scale(model), lme4::getME(model, "lower"), upper_of(devfun))
    ends <- lapply(each_point(theta, model), function(point) polish_one(valid_par(devfun, point)))
    list(theta = unlist(lapply(ends, to_theta, devfun = devfun), use.names = FALSE),
         value = vapply(ends, devfun, 0, USE.NAMES = FALSE))
  })
}

# A function that minimizes from one point. The end is never above the start, although bobyqa first moves a start that is
# close to a bound. A start or a search that comes beside an earlier end has no basin of its own, and ends there.
polisher <- function(devfun, scale, lower, upper = Inf) {
  objective <- function(p) devfun(p / scale)
  search <- function(from, radius, to) {
    minqa::bobyqa(from, objective, lower = lower * scale, upper = upper * scale,
                  control = list(rhobeg = radius, rhoend = to, maxfun = 5000L))
  }
  ends <- list()
  end_beside <- function(point) {
    Find(function(end) abs(end$fval - point$fval) < 1e-6 && max(abs(end$par - point$par)) < 0.01, ends)
  }
  function(start) {
    start <- pmin(pmax(start, lower), upper)
    begin <- list(par = start * scale, fval = devfun(start))
    if (is.null(end <- end_beside(begin))) {
      found <- search(begin$par, 0.2, 1e-4)
      if (is.null(end <- end_beside(found))) {
        for (radius in c(0.02, 0.002)) found <- search(found$par, radius, 1e-9)
        ends <<- c(ends, list(end <- found))
      }
    }
    if (devfun(end$par / scale) <= begin$fval) end$par / scale else start
  }
}

# The upper bounds of the parameters, which correlations have. lme4 2.1 has no value at the bound of a cs() of three
# columns, so the search stays below it.
upper_of <- function(devfun) {
  rho <- devfun_parts(devfun)
  upper <- if (is.null(rho$upper)) rep(Inf, length(rho$lower)) else rho$upper
  upper - 1e-8
}

# The end of each of lme4's optimizers from lme4's own start: `optimizer`, the points one after another in `theta`, and
# the objective there. An optimizer that fails is left out.
all_optimizers <- function(handle) {
  names <- c("bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap")
  ends <- lapply(names, function(name) tryCatch(with_objective(handle, end_of, name), error = function(e) NULL))
  found <- vapply(ends, function(end) all(is.finite(end$value)) && length(end$value) == 1L, NA)
  part <- function(name) unlist(lapply(ends[found], `[[`, name), use.names = FALSE)
  list(optimizer = names[found], theta = part("theta"), value = part("value"))
}

end_of <- function(devfun, model, name) {
  start <- list(theta = as.double(lme4::getME(model, "lower") == 0))
  par <- lme4::optimizeLmer(devfun, name, start = start, calc.derivs = FALSE)$par
  list(theta = to_theta(devfun, par), value = devfun(par))
}

# The matrices of a kept model. Z comes as the compressed columns of its transpose, one column per row of the data.
design <- function(handle) {
  model <- model_of(handle)
  groups <- attr(model@flist, "assign")
  list(
    terms = colnames(model@pp$X),
    x = as.vector(model@pp$X),
    y = model@resp$y,
    weights = model@resp$weights,
    offset = model@resp$offset,
    rows = attr(model@frame, "row.names"),
    random.group = names(model@flist)[groups],
    random.width = lengths(model@cnms, use.names = FALSE),
    random.term = unlist(model@cnms, use.names = FALSE),
    random.size = vapply(model@flist, nlevels, 1L, USE.NAMES = FALSE)[groups],
    random.level = unlist(lapply(model@flist[groups], levels), use.names = FALSE),
    z.x = model@pp$Zt@x,
    z.i = model@pp$Zt@i,
    z.p = model@pp$Zt@p
  )
}
