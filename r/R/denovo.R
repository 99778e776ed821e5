# Simulate responses of a model that is not fitted, one after another in `value`. `formula` has a 0 for its response.
simulate_formula <- function(formula, data, beta, theta, sigma, nsim, seed = NULL, allow = character()) {
  formula <- eval(str2lang(formula), formula_scope(data, allow))[-2L]
  found <- with_seed(seed, stats::simulate(formula, nsim = nsim, newdata = data, family = stats::gaussian,
                                           newparams = list(beta = beta, theta = theta, sigma = sigma)))
  list(value = unlist(found, use.names = FALSE))
}

# The names of a model's parameters, and lme4's initial values. Equal names get numbers, as in VarCorr().
params_template <- function(formula, data = NULL, allow = character()) {
  formula <- eval(str2lang(formula), formula_scope(data, allow))[-2L]
  found <- if (is.null(data)) lme4::mkParsTemplate(formula) else lme4::mkParsTemplate(formula, data)
  list(terms = names(found$beta), beta = unname(found$beta), names = make.unique(names(found$theta)),
       theta = unname(found$theta),
       sigma = found$sigma)
}

# A frame with the columns of a formula, in the form of describe_frame().
data_template <- function(formula, groups, per_group, allow = character()) {
  formula <- eval(str2lang(formula), formula_scope(NULL, allow))[-2L]
  describe_frame(lme4::mkDataTemplate(formula, nGrps = groups, nPerGrp = per_group))
}
