# Fit with glmmTMB::glmmTMB. Returns the flat list that fit_nlme() returns.
fit_glmmTMB <- function(handle, formula, data, reml = TRUE, na_action = "omit", contrasts = NULL, allow = character()) {
  need("glmmTMB")
  if (!is.null(data$.weights)) refuse_model("glmmTMB's weights multiply the likelihood; lme4's divide the variance")
  model <- read_lmer(handle, formula, data, reml, na_action, contrasts, allow)
  terms <- raw_terms(model)
  by_engine(describe_tmb(model, terms, fit_tmb(model, terms, reml)))
}

describe_tmb <- function(model, terms, fit) {
  c(list(beta = unname(glmmTMB::fixef(fit)$cond), covariance = as.vector(stats::vcov(fit)$cond),
         sigma = stats::sigma(fit), fitted_values = unname(stats::fitted(fit)) + model@resp$offset,
         residual_values = unname(stats::residuals(fit)),
         converged = fit$fit$convergence == 0L && isTRUE(fit$sdr$pdHess), optimizer = "nlminb",
         version = written_version("glmmTMB")),
    describe_engine(model, stats::logLik(fit), lapply(seq_along(terms), tmb_covariance, fit = fit),
                    lapply(terms, tmb_modes, fit = fit)))
}

fit_tmb <- function(model, terms, reml) {
  columns <- lapply(terms, function(term) structure(term$columns, dimnames = list(NULL, term$names)))
  groups <- lapply(model@flist, function(f) factor(as.integer(f)))
  names(groups) <- paste0("g", seq_along(groups))
  bars <- vapply(terms, function(term) sprintf("(0 + %s | g%d)", paste(term$names, collapse = " + "), term$factor), "")
  glmmTMB::glmmTMB(stats::reformulate(c(fixed_terms(model), bars), "y"), plain_frame(model, columns, groups),
                   REML = reml)
}

tmb_covariance <- function(t, fit) {
  covariance <- glmmTMB::VarCorr(fit)$cond[[t]]
  matrix(covariance, nrow(covariance))
}

tmb_modes <- function(term, fit) {
  found <- glmmTMB::ranef(fit)$cond[[paste0("g", term$factor)]]
  unname(as.matrix(found[as.character(seq_len(max(term$codes))), term$names, drop = FALSE]))
}
