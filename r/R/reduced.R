# A linear model by ML of fewer rows with the deviance of a kept one: Q'[Z X y] of a QR decomposition of [Z X], which is
# zero in the rows beyond the columns but for the response. Values agree to rounding, and not to the last bit.

# The deviance of a response as a function of its parameters, less a constant; NULL where it would not be quicker.
reduced_deviance <- function(model) {
  root <- sqrt(model@resp$weights)
  z <- Matrix::t(model@pp$Zt)
  columns <- seq_len(ncol(z) + ncol(model@pp$X))
  if (2L * length(columns) > length(root)) return(NULL)
  decomposed <- Matrix::qr(cbind(z, model@pp$X) * root)
  rows <- Matrix::qrR(decomposed)
  if (2L * length(rows@x) > length(z@x)) return(NULL)
  devfun <- deviance_of_rows(model, rbind(rows, 0)) # the last is the response's alone
  value <- as_of_rows(devfun, length(root))
  list(at = function(response) {
    turned <- Matrix::qr.qty(decomposed, (response - model@resp$offset) * root)
    set_response(devfun, c(turned[columns], sqrt(sum(turned[-columns]^2))))
    value
  })
}

deviance_of_rows <- function(model, rows) {
  effects <- seq_len(nrow(model@pp$Zt))
  frame <- stats::model.frame(y ~ 1, data.frame(y = numeric(nrow(rows))))
  terms <- list(Zt = Matrix::t(rows[, effects, drop = FALSE]), Lambdat = model@pp$Lambdat, Lind = model@pp$Lind,
                theta = model@theta + 0, lower = lme4::getME(model, "lower"), cnms = model@cnms, flist = model@flist,
                reCovs = structures_of(model))
  x <- as.matrix(rows[, -effects, drop = FALSE])
  start <- list(theta = terms$theta) # else lme4 makes one of the groups of as many rows as there were
  devfun <- lme4::mkLmerDevfun(frame, x, terms, REML = FALSE, start = start)
  quick_objective(devfun, describe_structures(model)$structure.kind)
}

# A deviance as if of n rows, less a constant.
as_of_rows <- function(devfun, n) {
  parts <- devfun_parts(devfun)
  m <- length(parts$resp$y)
  function(par) {
    value <- devfun(par)
    log_det <- parts$pp$ldL2()
    log_det + (value - log_det) * n / m
  }
}
