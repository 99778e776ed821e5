# lme4's own profiled deviance or REML criterion of a kept model, as a function of theta.
deviance_function <- function(entry) {
  if (is.null(entry$scope$.devfun)) {
    call <- entry$model@call
    call$devFunOnly <- TRUE
    entry$scope$.devfun <- eval(call, entry$scope)
  }
  entry$scope$.devfun
}

# Call `use` with the objective of a kept model and the model. lme4's function does not recover from a point where it
# has no value, so after an error or a value that is not finite the next use makes it anew.
with_objective <- function(handle, use) {
  entry <- kept(handle)
  sound <- FALSE
  on.exit(if (!sound) entry$scope$.devfun <- NULL)
  found <- use(deviance_function(entry), entry$model)
  sound <- all(is.finite(found$value))
  found
}

# Values of the objective; `theta` holds the points one after another.
deviance_at <- function(handle, theta) {
  with_objective(handle, function(devfun, model) {
    list(value = apply(matrix(theta, nrow = length(model@theta)), 2L, devfun))
  })
}

# What a unit of each theta moves in the linear predictor: the root mean square of the column of Z it
# scales. Optimizers need it: a slope on x in thousands has a theta a thousand times smaller.
theta_scale <- function(model) {
  zt <- model@pp$Zt
  squares <- Matrix::rowSums(zt^2)
  term <- function(t, k) {
    rows <- seq(model@Gp[t] + 1L, model@Gp[t + 1L])
    rms <- sqrt(rowSums(matrix(squares[rows], nrow = k)) / ncol(zt))
    pmax(rms, .Machine$double.eps)[row(diag(k))[lower.tri(diag(k), diag = TRUE)]]
  }
  unlist(Map(term, seq_along(model@cnms), lengths(model@cnms)), use.names = FALSE)
}

# Minimize from each of the given points (one after another in `theta`) with minqa's bobyqa at rounding level.
# Returns the end points, one after another, and the values there.
polish <- function(handle, theta) {
  with_objective(handle, function(devfun, model) {
    scale <- theta_scale(model)
    starts <- matrix(theta, nrow = length(scale))
    ends <- apply(starts, 2L, polish_from, devfun = devfun, scale = scale, lower = lme4::getME(model, "lower"))
    ends <- matrix(ends, nrow = length(scale))
    list(theta = as.vector(ends), value = apply(ends, 2L, devfun))
  })
}

# Never ends above its start: bobyqa moves a start that is close to a bound before it looks.
polish_from <- function(start, devfun, scale, lower) {
  start <- pmax(start, lower)
  best <- start * scale
  for (radius in c(0.2, 0.02, 0.002)) {
    found <- minqa::bobyqa(best, function(p) devfun(p / scale), lower = lower * scale,
                           control = list(rhobeg = radius, rhoend = 1e-9, maxfun = 5000L))
    best <- found$par
  }
  end <- best / scale
  if (devfun(end) <= devfun(start)) end else start
}

# Where each of lme4's optimizers ends from lme4's own start: `optimizer`, the points one after another in `theta`, and
# the objective there. One that fails is left out.
all_optimizers <- function(handle) {
  names <- c("bobyqa", "Nelder_Mead", "nlminbwrap", "nloptwrap")
  with_objective(handle, function(devfun, model) {
    start <- list(theta = as.double(lme4::getME(model, "lower") == 0))
    end <- function(name) tryCatch(lme4::optimizeLmer(devfun, name, start = start)$par, error = function(e) NULL)
    ends <- Filter(Negate(is.null), stats::setNames(lapply(names, end), names))
    list(optimizer = names(ends), theta = unlist(ends, use.names = FALSE),
         value = vapply(ends, devfun, 0, USE.NAMES = FALSE))
  })
}

# The matrices of a kept model. Z comes as the compressed columns of its transpose, a column a row of the data.
design <- function(handle) {
  model <- kept(handle)$model
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
