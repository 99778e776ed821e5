# Fits of one model to many responses: what lme4::lmer does with each, with the formula read and the matrices made once.

# Fit a model to each of some responses, given one after another with a value per row of the data. `name` is the column
# of the response in the formula. A response that lacks values is fitted to the rows that are left. The optimizer and its
# start are lmer's; where the fits need not be `exact`, nlminb starts from `theta`. The numbers of a response do not
# depend on the others.
fit_many <- function(formula, data, name, response, ...) {
  plan <- plan_many(formula, data, name, ...)
  response <- matrix(response, nrow = nrow(data))
  found <- vector("list", ncol(response))
  lacking <- apply(is.na(response), 2L, function(missing) paste(which(missing), collapse = " "))
  for (alike in split(seq_along(found), lacking)) {
    design <- attempt(design_of_rows(plan, response[, alike[1L]]))
    found[alike] <- lapply(alike, function(i) fit_response(design, plan, response[, i]))
  }
  describe_many(found)
}

# One fit: its numbers and their shape, the conditions on the way, and the error where there is one.
fit_response <- function(design, plan, response) {
  if (design$failed) return(design)
  one <- if (plan$exact) fit_as_lmer else fit_quickly
  fitted <- attempt(one(design$value, plan, response[design$value$rows]))
  list(value = fitted$value, shape = design$value$shape, told = c(design$told, fitted$told), failed = fitted$failed)
}

# A value with the conditions on the way to it, as call_named() has them; without the value where there is an error.
attempt <- function(expr) {
  notes <- new_notes()
  value <- NULL
  failed <- FALSE
  tryCatch(
    value <- quietly(expr, notes),
    error = function(e) {
      notes$note("error", e)
      failed <<- TRUE
    }
  )
  list(value = value, told = list(notes$described()), failed = failed)
}

# What all fits share: the call of lmer, and what lmer makes of its arguments.
plan_many <- function(formula, data, name, reml = TRUE, na_action = "omit", contrasts = NULL, start = NULL, control = NULL, allow = character(),
                      exact = TRUE, theta = NULL) {
  scope <- open_scope(formula_scope(data, allow))
  call <- lmer_call(eval(str2lang(formula), scope), data, reml, na_action, contrasts, start, control)
  control <- if (is.null(call$control)) lme4::lmerControl() else eval(call$control, scope)
  list(call = call, scope = scope, name = name, control = control, start = start, exact = exact, theta = theta)
}

# The terms of the fixed part, the names of theta and the random terms of the rows that lack no predictor.
describe_shape <- function(formula, data, name, ...) {
  design <- design_of_rows(plan_many(formula, data, name, ...), as.double(seq_len(nrow(data))))
  c(describe_shapes(list(design$shape)), list(rows = design$rows))
}

# The design of the rows that a response has a value in: lme4's deviance function, and what else lmer makes of them.
design_of_rows <- function(plan, response) {
  plan$scope$data[[plan$name]] <- response
  call <- plan$call
  call[[1L]] <- quote(lme4::lFormula)
  read <- eval(call, plan$scope)
  theta <- read$reTrms$theta + 0 # the deviance function writes into the vector that it is given
  parts <- c(read[names(read) != "formula"], list(start = plan$start, control = plan$control))
  devfun <- quick_objective(do.call(lme4::mkLmerDevfun, parts), kinds_of(read$reTrms))
  design <- list(devfun = devfun, rho = devfun_parts(devfun), read = read, theta = theta,
                 rows = attr(read$fr, "row.names"), minimize = optimizeLmer_again())
  design$shape <- names_in(design)
  if (!plan$exact) design$scale <- par_scale(model_at(design, list(par = theta, fval = 0, conv = 0)))
  design
}

model_at <- function(design, end) {
  lme4::mkMerMod(design$rho, end, design$read$reTrms, fr = design$read$fr, mc = quote(lme4::lmer()))
}

# The names of the numbers of a design's fits.
names_in <- function(design) {
  re <- design$read$reTrms
  list(term = colnames(design$read$X), dropped = names(attr(design$read$X, "col.dropped")), theta = names_of_theta(re),
       block = make.names(names(re$flist)[attr(re$flist, "assign")], unique = TRUE),
       group = names(re$flist)[attr(re$flist, "assign")], width = lengths(re$cnms, use.names = FALSE),
       column = unlist(re$cnms, use.names = FALSE), kind = unname(rep_len(kinds_of(re), length(re$cnms))),
       hom = rep_len(homs_of(re), length(re$cnms)))
}

# Fit as lmer does, on a design that is there: by its optimizer from its start, with its checks of the end.
fit_as_lmer <- function(design, plan, response) {
  renew(design, response, if (is.null(plan$start)) own_start(response, design) else design$theta)
  end <- optimize_lmer(design$devfun, plan$control, plan$start, length(design$rows), design$minimize)
  rho <- design$rho
  conv <- check_conv(attr(end, "derivs"), end$par, ctrl = plan$control$checkConv, lbound = rho$lower,
                     ubound = rho$upper, nobs = length(design$rows), ndim = length(rho$lower))
  numbers_at(design, end, has_converged(list(opt = convergence_of(end), lme4 = conv)))
}

# Fit by nlminb from a theta, as the bootstrap does; from lmer's own where the rows have another number of parameters.
fit_quickly <- function(design, plan, response) {
  begin <- if (length(plan$theta) == length(design$theta)) plan$theta else design$theta
  renew(design, response, begin)
  found <- minimum(design$devfun, to_par(design$devfun, begin), design$scale)
  numbers_at(design, list(par = found$par, fval = design$devfun(found$par), conv = 0), found$converged)
}

# Put a response into a design, and forget the one before.
renew <- function(design, response, theta) {
  if (!all(is.finite(response))) stop("NA/NaN/Inf in 'y'") # as lme4 has it
  rho <- design$rho
  set_response(design$devfun, response)
  rho$pp$setDelb(numeric(ncol(rho$pp$X)))
  rho$pp$setDelu(numeric(nrow(rho$pp$Zt)))
  rho$pp$setTheta(theta)
  design$devfun(to_par(design$devfun, theta))
}

# Where lmer begins without a start: where all terms are of the form (1 | g), at the variances between the means of the
# groups over what they leave of the response's own.
own_start <- function(response, design) {
  re <- design$read$reTrms
  if (!all(re$cnms == "(Intercept)") || length(re$flist) != length(re$lower)) return(design$theta)
  between <- vapply(re$flist, function(group) stats::var(stats::ave(response, group)), 0)
  left <- stats::var(response) - sum(between)
  if (is.na(left) || left <= 0) return(design$theta)
  relative <- between / left
  if (all(relative >= re$lower^2)) unname(sqrt(relative)) else design$theta
}

# The numbers of the fit at the end of an optimizer, in the order and by the operations of lme4's mkMerMod() and of what
# reads it.
numbers_at <- function(design, end, converged) {
  rho <- design$rho
  n <- nrow(rho$pp$V)
  mean_square <- (rho$resp$wrss() + rho$pp$sqrL(1)) / n
  sigma <- sqrt(if (rho$resp$REML) mean_square * (n / (n - ncol(rho$pp$V))) else mean_square)
  if (leaves_nothing(rho$resp, rho$pp, sigma)) stop(errorCondition("exact fit", class = "lmerbridge_exact"))
  c(end$fval, sigma, at_bound(design$devfun, to_par(design$devfun, rho$pp$theta + 0)), converged, rho$pp$theta,
    estimates_of(design, end, sigma))
}

# The fixed effects, their covariances, and those of each random term with its standard deviations and correlations.
# Where columns were scaled, or a term has a structure, lme4's own model is asked.
estimates_of <- function(design, end, sigma) {
  rho <- design$rho
  re <- design$read$reTrms
  if (is.null(attr(rho$pp$X, "scaled:scale")) && all(kinds_of(re) == "us")) {
    fixed <- c(rho$pp$beta(1), sigma^2 * rho$pp$unsc())
    blocks <- lme4::mkVarCorr(sigma, cnms = re$cnms, nc = lengths(re$cnms), theta = rho$pp$theta + 0, nms = names(re$cnms))
  } else {
    model <- suppressWarnings(model_at(design, end))
    fixed <- c(lme4::fixef(model), as.vector(as.matrix(stats::vcov(model, correlation = FALSE))))
    blocks <- lme4::VarCorr(model)
  }
  part <- function(block) c(block, attr(block, "stddev"), attr(block, "correlation"))
  c(unname(fixed), unlist(lapply(blocks, part), use.names = FALSE))
}

# All fits as flat vectors: the numbers, one fit after another, the number of the shape of each, 0 where it failed; and
# the conditions with the numbers of the fits they are of.
describe_many <- function(found) {
  there <- which(!vapply(found, `[[`, NA, "failed"))
  shapes <- unique(lapply(found[there], `[[`, "shape"))
  shape <- integer(length(found))
  shape[there] <- match(lapply(found[there], `[[`, "shape"), shapes)
  told <- lapply(found, function(fit) Filter(length, fit$told))
  field <- function(name) unlist(lapply(unlist(told, recursive = FALSE), `[[`, paste0("condition.", name)))
  lengths_of <- function(rows) sum(vapply(rows, function(row) length(row$condition.kind), 1L))
  c(list(value = as.double(unlist(lapply(found[there], `[[`, "value"))), which = shape), describe_shapes(shapes),
    list(told.fit = rep(seq_along(found), vapply(told, lengths_of, 1L)), told.kind = as.character(field("kind")),
         told.text = as.character(field("text")), told.classes = as.character(field("classes")),
         told.call = as.character(field("call")), told.count = as.integer(field("count"))))
}

describe_shapes <- function(shapes) {
  all <- function(name) unlist(lapply(shapes, `[[`, name), use.names = FALSE)
  count <- function(name) vapply(shapes, function(shape) length(shape[[name]]), 1L)
  list(shape.terms = count("term"), shape.term = as.character(all("term")),
       shape.dropped_terms = count("dropped"), shape.dropped = as.character(all("dropped")),
       shape.thetas = count("theta"), shape.theta = as.character(all("theta")),
       shape.blocks = count("block"), shape.block = as.character(all("block")), shape.group = as.character(all("group")),
       shape.width = as.integer(all("width")), shape.column = as.character(all("column")),
       shape.kind = as.character(all("kind")), shape.hom = as.integer(all("hom")))
}
