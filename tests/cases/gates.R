# Whether the lme4 that is installed has each feature of compat.GATES, asked of lme4 itself: "name TRUE" or "name FALSE".
has_argument <- function(fun, argument) argument %in% names(formals(fun))
method <- function(generic) getS3method(generic, "merMod", optional = TRUE, envir = asNamespace("lme4"))
exports <- function(name) name %in% getNamespaceExports("lme4")
runs <- function(expression) !inherits(try(suppressWarnings(suppressMessages(expression)), silent = TRUE), "try-error")

utils::data(sleepstudy, package = "lme4")
fit <- lme4::lmer(Reaction ~ Days + (Days | Subject), sleepstudy)

gates <- list(
  qqmath_data = has_argument(getS3method("qqmath", "merMod", envir = asNamespace("lme4")), "data"),
  refit_newweights = has_argument(method("refit"), "newweights"),
  plot_level = has_argument(getS3method("qqmath", "ranef.mer", envir = asNamespace("lme4")), "level"),
  predict_se_fit = has_argument(method("predict"), "se.fit"),
  vcov_full = has_argument(method("vcov"), "full"),
  simulate_cluster_rand = has_argument(method("simulate"), "cluster.rand"),
  confint_signames = has_argument(method("confint"), "signames"),
  all_fit_start_from_mle = has_argument(lme4::allFit, "start_from_mle"),
  autoscale = has_argument(lme4::lmerControl, "autoscale"),
  conv_check_limits = has_argument(lme4::lmerControl, "check.conv.nobsmax"),
  structured_covariance = runs(lme4::lmer(Reaction ~ Days + cs(Days | Subject), sleepstudy)),
  start_par = runs(lme4::lmer(Reaction ~ Days + (Days | Subject), sleepstudy, start = list(par = c(1, 0, 1)))),
  double_vert_default = exports("getDoublevertDefault"),
  get_me_par = runs(lme4::getME(fit, "par")),
  var_corr_classes = inherits(lme4::VarCorr(fit)$Subject, "vcmat_us"),
  weights_type = runs(weights(fit, type = "working")),
  na_action_method = !is.null(method("na.action")),
  simulate_newparams_par = runs(simulate(fit, newparams = list(beta = c(250, 10), par = c(1, 0, 1), sigma = 25))),
  influence_parallel = has_argument(method("influence"), "parallel"),
  covariance_accessors = exports("getReCovs")
)
cat(paste(names(gates), gates), sep = "\n")
