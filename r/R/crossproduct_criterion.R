# What the optimizer crossproduct evaluates. crossproduct.R makes the data, and says how effects are laid out.

# The factor of one level, k by k, and that of the other effects: the numbers of its diagonal where it is diagonal.
inner_factor <- function(data, theta) {
  made <- matrix(0, data$k, data$k)
  made[cbind(data$inner$a, data$inner$b)] <- theta[data$inner$par]
  made
}

outer_factor <- function(data, theta) {
  filled <- data$outer
  if (data$scalar) return(replace(numeric(data$others), filled$a, theta[filled$par]))
  Matrix::sparseMatrix(i = filled$a, j = filled$b, x = theta[filled$par], dims = rep(data$others, 2L))
}

times <- function(factor, x) if (is.numeric(factor)) factor * x else as.matrix(factor %*% x)
transposed_times <- function(factor, x) if (is.numeric(factor)) factor * x else as.matrix(Matrix::crossprod(factor, x))

# Sums over the columns of a level, x a list with one element per column.
mixed <- function(weights, x) {
  lapply(seq_len(nrow(weights)), function(a) {
    Reduce(`+`, lapply(which(weights[a, ] != 0), function(b) weights[a, b] * x[[b]]), 0 * x[[1L]])
  })
}

# Cholesky factors of k by k matrices, one per level, and what they solve; of the levels `i` where x has rows of those.
factor_levels <- function(x) {
  k <- dim(x)[2L]
  for (b in seq_len(k)) {
    for (a in seq(b, k)) {
      for (d in seq_len(b - 1L)) x[, a, b] <- x[, a, b] - x[, a, d] * x[, b, d]
      x[, a, b] <- if (a == b) sqrt(x[, a, b]) else x[, a, b] / x[, b, b]
    }
  }
  x
}

forward <- function(chol, x, i = seq_len(nrow(chol))) {
  for (a in seq_along(x)) {
    for (b in seq_len(a - 1L)) x[[a]] <- x[[a]] - chol[i, a, b] * x[[b]]
    x[[a]] <- x[[a]] / chol[i, a, a]
  }
  x
}

backward <- function(chol, x, i = seq_len(nrow(chol))) {
  for (a in rev(seq_along(x))) {
    for (b in seq_along(x)[-seq_len(a)]) x[[a]] <- x[[a]] - chol[i, b, a] * x[[b]]
    x[[a]] <- x[[a]] / chol[i, a, a]
  }
  x
}

by_column <- function(data, x) {
  cut <- function(a) x[seq_len(data$levels) + (a - 1L) * data$levels, , drop = FALSE]
  list(inner = lapply(seq_len(data$k), cut), outer = x[-seq_len(data$k * data$levels), , drop = FALSE])
}

in_pattern <- function(data, x) {
  data$pattern@x <- x
  data$pattern
}

# The criterion at theta, in an environment with what it was made of.
criterion_at <- function(data, theta) {
  at <- list2env(list(theta = theta, inner = inner_factor(data, theta)), parent = emptyenv())
  log_det <- eliminate_levels(data, at)
  if (data$others) {
    at$outer <- outer_factor(data, theta)
    at$reduced <- forward(at$chol, mixed(t(at$inner), data$between), data$i)
    at$root <- chol(reduced_others(data, at))
    log_det <- log_det + 2 * sum(log(diag(at$root)))
  }
  at$half <- half_solve(data, at, data$zty)
  at$fixed <- chol(diag(c(rep(1, data$p), data$square), data$p + 1L) - crossprod(at$half))
  roots <- diag(at$fixed)
  at$pwrss <- roots[data$p + 1L]^2
  log_fixed <- data$reml * 2 * sum(log(roots[seq_len(data$p)]))
  at$value <- data$constant + log_det + log_fixed + data$m * (1 + log(2 * pi * at$pwrss / data$m))
  at
}

# The levels' part of A, factored, and its log determinant. `product` is Z'Z Lambda within levels.
eliminate_levels <- function(data, at) {
  columns <- seq_len(data$k)
  inner <- at$product <- data$within
  for (a in columns) at$product[, a, ] <- matrix(data$within[, a, ], ncol = data$k) %*% at$inner
  for (b in columns) {
    inner[, , b] <- matrix(at$product[, , b], ncol = data$k) %*% at$inner
    inner[, b, b] <- inner[, b, b] + 1
  }
  at$chol <- factor_levels(inner)
  sum(vapply(columns, function(a) 2 * sum(log(at$chol[, a, a])), 1))
}

# The other effects' matrix, I + Lambda' (Z'Z - what elimination takes) Lambda. Where their factor is diagonal, only the
# entries that are not zero are made, and of the upper triangle.
reduced_others <- function(data, at) {
  taken <- lapply(at$reduced, function(x) Matrix::crossprod(in_pattern(data, x)))
  if (data$scalar) {
    left <- data$among - Reduce(`+`, lapply(taken, function(x) x@x))
    s <- matrix(0, data$others, data$others)
    s[data$cell] <- left * at$outer[data$cell_row] * at$outer[data$cell_column]
  } else {
    at$left <- data$among - Reduce(`+`, lapply(taken, as.matrix))
    s <- as.matrix(Matrix::crossprod(at$outer, as.matrix(at$left %*% at$outer)))
  }
  diagonal <- seq(1L, by = data$others + 1L, length.out = data$others)
  s[diagonal] <- s[diagonal] + 1
  s
}

# L^-1 Lambda' x, and then all of A^-1 Lambda' x, where A = L L' = Lambda' Z'Z Lambda + I.
half_solve <- function(data, at, x) {
  x <- by_column(data, x)
  inner <- forward(at$chol, mixed(t(at$inner), x$inner))
  if (!data$others) return(do.call(rbind, inner))
  for (a in seq_along(inner)) {
    x$outer <- x$outer - as.matrix(Matrix::crossprod(in_pattern(data, at$reduced[[a]]), inner[[a]]))
  }
  rbind(do.call(rbind, inner), backsolve(at$root, transposed_times(at$outer, x$outer), transpose = TRUE))
}

solve_rest <- function(data, at, half) {
  x <- by_column(data, half)
  if (data$others) {
    x$outer <- backsolve(at$root, x$outer)
    shift <- times(at$outer, x$outer)
    for (a in seq_along(x$inner)) x$inner[[a]] <- x$inner[[a]] - as.matrix(in_pattern(data, at$reduced[[a]]) %*% shift)
  }
  x$inner <- backward(at$chol, x$inner)
  x
}
bound <- function(x) rbind(do.call(rbind, x$inner), x$outer)
factor_times <- function(data, at, x) {
  x$inner <- mixed(at$inner, x$inner)
  if (data$others) x$outer <- times(at$outer, x$outer)
  x
}

# Sums, over the entries of Lambda that a parameter fills, of `inner(a, b)` of the entry in row a and column b of a
# level's factor, and of `outer` of all entries of the others.
by_parameter <- function(data, theta, inner, outer) {
  sums <- numeric(length(theta))
  for (t in seq_along(data$inner$par)) {
    to <- data$inner$par[t]
    sums[to] <- sums[to] + inner(data$inner$a[t], data$inner$b[t])
  }
  if (data$others) {
    sum_of <- rowsum(outer(data$outer$a, data$outer$b), data$outer$par)
    to <- as.integer(rownames(sum_of))
    sums[to] <- sums[to] + sum_of
  }
  sums
}

# The gradient of the criterion and its average information, put to what was made at a point.
add_slope <- function(data, at) {
  fixed <- seq_len(data$p)
  root <- at$fixed[fixed, fixed, drop = FALSE]
  weights <- c(if (data$p) -backsolve(root, at$fixed[fixed, data$p + 1L]), 1) # of X and y, for the residual
  solved <- solve_rest(data, at, at$half)
  left <- by_column(data, data$zty - as.matrix(data$ztz %*% bound(factor_times(data, at, solved))))
  u <- lapply_parts(solved, function(x) x %*% weights)
  residual <- lapply_parts(left, function(x) x %*% weights)
  inverse <- if (data$p) chol2inv(root) else matrix(0, 0L, 0L)
  pull <- 2 * products_by_parameter(data, at, residual, u, diag(1))
  at$gradient <- 2 * gradient_of_determinant(data, at) - data$m / at$pwrss * pull
  if (data$reml && data$p) {
    of_fixed <- function(x) lapply_parts(x, function(part) part[, fixed, drop = FALSE])
    at$gradient <- at$gradient - 2 * products_by_parameter(data, at, of_fixed(left), of_fixed(solved), inverse)
  }
  moved <- moved_effects(data, at, u, residual)
  met <- as.matrix(data$ztz %*% moved)
  by_fixed <- crossprod(bound(left)[, fixed, drop = FALSE], moved)
  information <- crossprod(moved, met) - crossprod(half_solve(data, at, met))
  information <- information - crossprod(by_fixed, inverse %*% by_fixed)
  at$hessian <- data$m / at$pwrss * information - data$m / at$pwrss^2 * tcrossprod(pull)
}

# Sums over the entries of Lambda that a parameter fills of x' weights y, x in the entry's row and y in its column.
products_by_parameter <- function(data, at, x, y, weights) {
  of <- function(x, y) rowSums((x %*% weights) * y)
  by_parameter(data, at$theta, function(a, b) sum(of(x$inner[[a]], y$inner[[b]])),
               function(a, b) of(x$outer[a, , drop = FALSE], y$outer[b, , drop = FALSE]))
}

lapply_parts <- function(x, f) list(inner = lapply(x$inner, f), outer = f(x$outer))

# How the conditional modes move with each parameter: dLambda u + Lambda dLambda' residual.
moved_effects <- function(data, at, u, residual) {
  blank <- matrix(0, data$k * data$levels + data$others, length(at$theta))
  direct <- turned <- by_column(data, blank)
  for (t in seq_along(data$inner$par)) {
    a <- data$inner$a[t]
    b <- data$inner$b[t]
    par <- data$inner$par[t]
    direct$inner[[a]][, par] <- direct$inner[[a]][, par] + u$inner[[b]]
    turned$inner[[b]][, par] <- turned$inner[[b]][, par] + residual$inner[[a]]
  }
  for (par in unique(data$outer$par)) {
    mine <- data$outer$par == par
    a <- data$outer$a[mine]
    b <- data$outer$b[mine]
    direct$outer[a, par] <- direct$outer[a, par] + u$outer[b, ]
    turned$outer[b, par] <- turned$outer[b, par] + residual$outer[a, ]
  }
  bound(direct) + bound(factor_times(data, at, turned))
}

# Half the gradient of log det A: traces of Z'Z Lambda A^-1 dLambda'.
gradient_of_determinant <- function(data, at) {
  columns <- seq_len(data$k)
  identity <- lapply(columns, function(b) lapply(columns, function(a) rep(as.double(a == b), data$levels)))
  inverse <- lapply(identity, function(x) backward(at$chol, forward(at$chol, x)))
  own <- function(a, b) sum(vapply(columns, function(d) sum(at$product[, a, d] * inverse[[b]][[d]]), 1))
  if (!data$others) return(by_parameter(data, at$theta, own, NULL))
  others <- chol2inv(at$root)
  through <- trace_through(data, at, others)
  by_parameter(data, at$theta, function(a, b) own(a, b) + through(a, b), trace_of_others(data, at, others))
}

# The same of the other effects, of entries in rows a and columns b of their factor.
trace_of_others <- function(data, at, others) {
  if (data$scalar) {
    size <- at$outer
    return(function(a, b) ifelse(size[a] == 0, 0, (1 - diag(others)[a]) / size[a]))
  }
  folded <- as.matrix(at$outer %*% others)
  function(a, b) rowSums(at$left[a, , drop = FALSE] * t(folded[, b, drop = FALSE]))
}

# What the other effects add to those of the levels, of the entry in row a and column b of a level's factor.
trace_through <- function(data, at, others) {
  solved <- backward(at$chol, at$reduced, data$i)
  columns <- seq_len(data$k)
  if (data$scalar && data$k == 1L) {
    met <- Matrix::crossprod(in_pattern(data, solved[[1L]]))@x
    twice <- 2 - (data$cell_row == data$cell_column)
    total <- sum(met * others[data$cell] * at$outer[data$cell_row] * at$outer[data$cell_column] * twice)
    return(function(a, b) -total / at$inner[1L])
  }
  spread <- times(at$outer, t(times(at$outer, others)))
  left <- lapply(columns, function(a) {
    Reduce(`+`, lapply(columns, function(d) at$product[data$i, a, d] * solved[[d]]), -data$between[[a]])
  })
  function(a, b) sum(spread * as.matrix(Matrix::crossprod(in_pattern(data, left[[a]]), in_pattern(data, solved[[b]]))))
}
