# Fit with mgcv::gam, each random effect a smooth of class "re". Returns the flat list that fit_nlme() returns.
fit_mgcv <- function(handle, formula, data, reml = TRUE, na_action = "omit", contrasts = NULL, allow = character()) {
  need("mgcv")
  model <- read_lmer(handle, formula, data, reml, na_action, contrasts, allow)
  terms <- raw_terms(model)
  if (any(lengths(model@cnms) > 1L)) refuse_model("mgcv's s(bs = \"re\") has no correlated random effects")
  coefficients <- ncol(model@pp$X) + nrow(model@pp$Zt)
  if (coefficients > nrow(model@pp$X)) refuse_model("mgcv::gam takes no more coefficients than rows")
  by_engine(describe_gam(model, terms, fit_gam(model, terms, reml)))
}

# gam's own scale is over the effective degrees of freedom; the one of its criterion is `reml.scale`, in ML too.
describe_gam <- function(model, terms, fit) {
  fixed <- seq_len(ncol(model@pp$X))
  loglik <- structure(-as.numeric(fit$gcv.ubre), df = length(fixed) + length(terms) + 1L)
  c(list(beta = unname(stats::coef(fit)[fixed]), covariance = as.vector(stats::vcov(fit)[fixed, fixed]),
         sigma = sqrt(fit$reml.scale), fitted_values = as.vector(stats::fitted(fit)) + model@resp$offset,
         residual_values = model@resp$y - model@resp$offset - as.vector(stats::fitted(fit)),
         converged = fit$outer.info$conv == "full convergence", optimizer = "newton", version = written_version("mgcv")),
    describe_engine(model, loglik, lapply(unname(fit$reml.scale / fit$sp), matrix),
                    lapply(fit$smooth, gam_modes, fit = fit)))
}

# A tolerance near rounding, so that the comparison is of optima and not of stopping rules.
gam_control <- function() mgcv::gam.control(epsilon = 1e-12, scalePenalty = FALSE, newton = list(conv.tol = 1e-11))

fit_gam <- function(model, terms, reml) {
  columns <- lapply(terms, function(term) structure(term$columns, dimnames = list(NULL, term$names)))
  groups <- lapply(model@flist, function(f) factor(as.integer(f)))
  names(groups) <- paste0("g", seq_along(groups))
  smooths <- vapply(terms, function(term) sprintf("s(%s, g%d, bs = \"re\")", term$names, term$factor), "")
  mgcv::gam(stats::reformulate(c(fixed_terms(model), smooths), "y"), data = plain_frame(model, columns, groups),
            weights = model@resp$weights, method = if (reml) "REML" else "ML", control = gam_control())
}

gam_modes <- function(smooth, fit) matrix(stats::coef(fit)[seq(smooth$first.para, smooth$last.para)])
