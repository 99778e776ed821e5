# An optimizer for lme4::lmer whose objective knows the data by their cross products: the criterion, its gradient and
# its average information (Gilmour, Thompson and Cullis 1995, Biometrics 51, 1440) without a pass over the rows. The
# random effects of the factor with most levels are eliminated level by level, all levels at once, and those of other
# factors by one dense matrix. At its end lme4's own deviance function has the word.
#
# A vector of all random effects is a list: `inner`, for each of the k columns of that factor a matrix of a row per
# level, and `outer`, a matrix of the other effects. A, throughout, is Lambda' Z'Z Lambda + I.

most_others <- 2000L

# As lme4's optimizers. Another function than the deviance of a linear mixed model, such as a profile's, is minimized by
# lme4's own.
crossproduct <- function(fn, par, lower = -Inf, upper = Inf, control = list()) {
  par <- par + 0 # lme4's own memory, which each evaluation changes
  if (!is_lmer_deviance(fn, par)) return(lme4::nloptwrap(par, fn, lower, upper, control))
  parts <- devfun_parts(fn)
  data <- cross_products(parts$pp, parts$resp)
  found <- tryCatch(minimize_criterion(data, par, lower), error = function(e) NULL)
  settle_theta(found, fn, par, lower, upper)
}

# Put an optimizer of ours where lme4's get() finds it, once a model is to be fitted by it or was.
offer_optimizer <- function(name) {
  place <- "lmerbridge optimizers"
  if (identical(name, "crossproduct") && !place %in% search()) {
    attach(list(crossproduct = crossproduct), name = place, warn.conflicts = FALSE)
  }
}

is_lmer_deviance <- function(fn, par) {
  parts <- devfun_parts(fn)
  if (!inherits(parts, "environment") || is.null(parts$lmer_Deviance) || !inherits(parts$resp, "lmerResp")) return(FALSE)
  theta <- if (is.null(parts$mkTheta)) par else parts$mkTheta(par)
  length(theta) == length(parts$pp$theta) && identical(as.double(theta), as.double(par))
}

# The point that was found, if lme4 confirms it: by the gradient of its deviance function a further step of Newton's
# would gain less than `enough`. Its checkConv() has the same scaled gradient, and allows 2e-6.
settle_theta <- function(found, fn, par, lower, upper, enough = 1e-7) {
  if (is.null(found)) return(lme4_decides(list(par), fn, lower, upper, "there is no criterion by cross products"))
  value <- fn(found$par)
  gain <- newton_gain(found, fn, value)
  if (!isTRUE(gain <= enough)) {
    why <- sprintf("by its gradient a step from the theta found would gain %.1g", gain)
    return(lme4_decides(list(par, found$par), fn, lower, upper, why))
  }
  told <- "lme4's deviance function gives %.10g at theta; by its gradient a step would gain %.1g"
  list(par = found$par, fval = value, conv = 0, feval = found$feval, message = sprintf(told, value, gain))
}

# The lower of the ends of lme4's own optimizer, from its start and from other points. It starts again where it ends on
# a bound, as in lmer(); the deviance function of refit() has no bounds of its own.
lme4_decides <- function(starts, fn, lower, upper, why) {
  own <- function(start) {
    if (is.null(devfun_parts(fn)$lower)) return(lme4::nloptwrap(start, fn, lower, upper))
    lme4::optimizeLmer(fn, "nloptwrap", start = list(theta = start), calc.derivs = FALSE)
  }
  ends <- lapply(starts, own)
  end <- ends[[which.min(vapply(ends, `[[`, 1, "fval"))]]
  list(par = end$par + 0, fval = end$fval, conv = end$conv, feval = end$feval,
       message = paste0("lme4's nloptwrap decided: ", why, "; ", end$message))
}

# What a step of Newton's would gain by lme4's gradient, of central differences as lme4 takes them, and Inf where their
# second differences are negative. A bound is none to them: the sign of a column of the factor is free. Steps count by
# what a parameter moves. Near a singular covariance the average information is less than these differences, and they
# are believed.
newton_gain <- function(found, fn, value, step = 1e-4) {
  by <- step / found$scale
  moved <- function(j, by) fn(replace(found$par, j, found$par[j] + by)) - value
  up <- mapply(moved, seq_along(by), by)
  down <- mapply(moved, seq_along(by), -by)
  curvature <- (up + down) / step^2
  if (!isTRUE(all(curvature >= -rounding_of(value) / step^2))) return(Inf)
  hessian <- found$hessian / tcrossprod(found$scale)
  diag(hessian) <- pmax(diag(hessian), curvature)
  half_quadratic((up - down) / (2 * step), hessian)
}

rounding_of <- function(value) 64 * .Machine$double.eps * max(1, abs(value))

half_quadratic <- function(gradient, hessian) {
  spectrum <- eigen(hessian, symmetric = TRUE)
  least <- 1e-8 * max(spectrum$values, 1e-8)
  sum(crossprod(spectrum$vectors, gradient)^2 / pmax(spectrum$values, least)) / 2
}

# Minimize by Newton's steps, and from where they do not do by PORT's trust region.
minimize_criterion <- function(data, par, lower) {
  known <- NULL
  evaluations <- 0
  at <- function(theta) {
    if (is.null(known) || !identical(known$theta, theta)) {
      evaluations <<- evaluations + 1
      known <<- criterion_at(data, theta)
    }
    known
  }
  deep <- function(theta) {
    point <- at(theta)
    if (is.null(point$gradient)) add_slope(data, point)
    point
  }
  steps <- step_by_step(deep, par, lower, data$scale)
  end <- if (steps$settled) steps else search_region(at, deep, steps$par, lower, data$scale)
  c(end[c("par", "hessian")], list(scale = data$scale, feval = evaluations))
}

# Newton's steps from lme4's start, while what the next one is to gain is a tenth of this one's at most. The end is
# where, at that rate, a further step would gain less than `enough`. What has a bound is stepped along its logarithm,
# by which the criterion is nearer to a parabola.
step_by_step <- function(deep, par, lower, scale, near = 1e-4, enough = 1e-8) {
  before <- Inf
  repeat {
    point <- deep(par)
    step <- tryCatch(-solve(point$hessian, point$gradient), error = function(e) NA)
    gain <- -sum(step * point$gradient) / 2
    along <- ifelse(lower == 0, step / par, 0)
    sure <- all(scale * par > near | lower != 0) && isTRUE(max(abs(along)) < 1) && isTRUE(gain <= 0.1 * before)
    if (!sure) return(list(par = par, settled = FALSE))
    par <- ifelse(lower == 0, par * exp(along), par + step)
    rate <- if (is.finite(before)) gain / before else 1
    if (gain * rate < enough) return(list(par = par, settled = TRUE, hessian = point$hessian))
    before <- gain
  }
}

# Minimize by PORT's trust region. A parameter counts by what it moves: the root mean square of its column of Z. The
# search keeps off the bounds, where the gradient is none whatever lies inside, and at its end those that are near are
# tried. It ends where a step would gain less than `enough`, or where PORT does.
search_region <- function(at, deep, par, lower, scale, near = 1e-4, enough = 1e-10) {
  least <- ifelse(lower == 0, near, -Inf)
  slope <- function(x) {
    point <- deep(x / scale)
    inside <- all(x > 2 * least)
    if (inside && half_quadratic(point$gradient / scale, point$hessian / tcrossprod(scale)) < enough) {
      stop(structure(class = c("settled", "error", "condition"), list(message = "settled", call = NULL, par = x)))
    }
    point
  }
  start <- pmax(par * scale, least)
  first <- at(start / scale)$value
  end <- tryCatch(
    stats::nlminb(start, function(x) at(x / scale)$value - first, function(x) slope(x)$gradient / scale,
                  function(x) slope(x)$hessian / tcrossprod(scale), lower = least,
                  control = list(rel.tol = 1e-12, x.tol = 1e-9))$par,
    settled = function(e) e$par
  )
  point <- deep(end / scale)
  value <- function(x) at(x / scale)$value
  list(par = at_bounds(end, which(lower == 0 & end < 2 * near), value, point$value) / scale, hessian = point$hessian)
}

# The point with those of its parameters at 0 that do not raise the criterion there.
at_bounds <- function(x, near, value_at, value) {
  for (j in near) {
    tried <- value_at(replace(x, j, 0))
    if (isTRUE(tried <= value)) {
      x[j] <- 0
      value <- tried
    }
  }
  x
}

# What the criterion needs of the data: Z'Z, Z'X and Z'y, where X is made orthonormal and y is what least squares leave,
# so that little cancels.
cross_products <- function(pp, resp) {
  root <- resp$sqrtrwt
  zt <- pp$Zt
  zt@x <- zt@x * rep(root, diff(zt@p))
  x <- orthonormal(pp$X * root)
  y <- (resp$y - resp$offset) * root
  for (again in 1:2) y <- y - x$q %*% crossprod(x$q, y)
  reml <- resp$REML > 0
  data <- list(p = ncol(x$q), m = length(y) - resp$REML, reml = reml, square = sum(y^2),
               constant = reml * x$log_det - 2 * sum(log(root[root > 0])))
  entries <- list(row = rep(seq_len(nrow(zt)), diff(pp$Lambdat@p)), col = pp$Lambdat@i + 1L, par = pp$Lind)
  make_blocks(c(data, eliminate(Matrix::tcrossprod(zt), as.matrix(zt %*% cbind(x$q, y)), entries, length(y))))
}

orthonormal <- function(x) {
  if (!ncol(x)) return(list(q = x, log_det = 0))
  decomposed <- qr(x, LAPACK = TRUE)
  list(q = qr.Q(decomposed), log_det = 2 * sum(log(abs(diag(decomposed$qr)))))
}

# The effects in the order of elimination: those of the factor with most levels first, column by column.
eliminate <- function(ztz, zty, entries, n) {
  level <- eliminated_levels(ztz, entries)
  rest <- setdiff(seq_len(nrow(ztz)), level)
  if (length(rest) > most_others) {
    refuse("the optimizer crossproduct makes a dense matrix of the effects of all factors but the largest, here ",
           length(rest), ", of at most ", most_others, "; leave the optimizer out, and lme4's own fits the model")
  }
  order <- c(as.vector(level), rest)
  at <- order(order)
  squares <- rowsum(Matrix::diag(ztz)[entries$row], factor(entries$par, seq_len(max(entries$par))))
  list(k = ncol(level), levels = nrow(level), others = length(rest), ztz = ztz[order, order],
       zty = zty[order, , drop = FALSE], row = at[entries$row], col = at[entries$col], par = entries$par,
       scale = pmax(sqrt(as.vector(squares) / n), sqrt(.Machine$double.eps)))
}

# The columns of Z that belong to the factor with most levels: a matrix of a row per level.
eliminated_levels <- function(ztz, entries) {
  terms <- columns_of_terms(entries, nrow(ztz))
  largest <- terms[[which.max(vapply(terms, nrow, 1L))]]
  same <- Filter(function(other) nrow(other) == nrow(largest) && meet_in_order(ztz, largest, other), terms)
  do.call(cbind, same)
}

# The columns of Z of each term, likewise. Levels of one term share their parameters.
columns_of_terms <- function(entries, q) {
  first <- seq_len(q)
  off <- entries$row != entries$col
  nearest <- tapply(entries$col[off], entries$row[off], min)
  first[as.integer(names(nearest))] <- nearest
  first <- first[first]
  shared <- vapply(split(entries$par, first[entries$row]), paste, "", collapse = " ")
  heads <- split(as.integer(names(shared)), match(shared, unique(shared)))
  unname(lapply(heads, function(head) outer(head, seq_len(sum(first == head[1L])) - 1L, `+`)))
}

# Whether a level of one term meets that of the other in the same place, and no other.
meet_in_order <- function(ztz, one, other) {
  met <- methods::as(general(ztz[as.vector(one), as.vector(other), drop = FALSE]), "TsparseMatrix")
  all(met@i %% nrow(one) == met@j %% nrow(one))
}

general <- function(x) methods::as(methods::as(x, "generalMatrix"), "CsparseMatrix")

# The parts of Z'Z: `within` levels, an array; `between` levels and other effects, for each column the numbers in one
# sparse `pattern`; and `among` other effects.
make_blocks <- function(data) {
  columns <- seq_len(data$k)
  rows <- function(a) seq_len(data$levels) + (a - 1L) * data$levels
  data$within <- array(0, c(data$levels, data$k, data$k))
  for (a in columns) for (b in columns) data$within[, a, b] <- data$ztz[cbind(rows(a), rows(b))]
  inner <- data$row <= data$k * data$levels
  first <- inner & (data$row - 1L) %% data$levels == 0L
  column <- function(x) (x[first] - 1L) %/% data$levels + 1L
  data$inner <- list(a = column(data$row), b = column(data$col), par = data$par[first])
  if (!data$others) return(data)
  outer <- function(x) x[!inner] - data$k * data$levels
  data$outer <- list(a = outer(data$row), b = outer(data$col), par = data$par[!inner])
  data$scalar <- all(data$outer$a == data$outer$b)
  rest <- data$k * data$levels + seq_len(data$others)
  data$among <- as.matrix(data$ztz[rest, rest, drop = FALSE])
  list_cells(with_pattern(data, lapply(columns, function(a) general(data$ztz[rows(a), rest, drop = FALSE]))))
}

with_pattern <- function(data, parts) {
  ones <- lapply(parts, function(x) {
    x@x[] <- 1
    x
  })
  data$pattern <- Reduce(`+`, ones)
  data$i <- data$pattern@i + 1L
  j <- rep(seq_len(data$others), diff(data$pattern@p))
  data$between <- lapply(parts, function(x) if (length(x@x) == length(j)) x@x else x[cbind(data$i, j)])
  data
}

# Where the upper triangle of the others' matrix is not zero, if their factor is diagonal. Two effects that no level
# meets both are in no row both.
list_cells <- function(data) {
  if (!data$scalar) return(data)
  met <- Matrix::crossprod(data$pattern)
  data$cell_row <- met@i + 1L
  data$cell_column <- rep(seq_len(data$others), diff(met@p))
  data$cell <- (data$cell_column - 1L) * data$others + data$cell_row
  data$among <- data$among[data$cell]
  data
}
