# The columns of the data frame that carry arguments with a value per row. They travel with the data, so that subset
# and NA handling treat them as lmer does, whatever lme4's scoping rules are.
per_row <- c(weights = ".weights", offset = ".offset", subset = ".subset", mustart = ".mustart", etastart = ".etastart")

# The call to lme4::lmer. It has symbols for the data, so that its printed form stays short.
lmer_call <- function(formula, data, reml, na_action, contrasts, start, control) {
  model_call(quote(lme4::lmer), formula, list(REML = reml), data, na_action, contrasts, start, control)
}

# The call to a function of lme4 that fits, with `own` the arguments that others do not have.
model_call <- function(fitter, formula, own, data, na_action, contrasts, start, control,
                       maker = paste0(fitter[[3L]], "Control")) {
  given <- per_row[per_row %in% names(data)]
  optional <- list(contrasts = if (!is.null(contrasts)) lapply(contrasts, as_contrasts), start = start,
                   control = if (!is.null(control)) control_call(control, maker))
  as.call(c(list(fitter, formula = formula, data = quote(data)), own,
            lapply(given, as.name), Filter(Negate(is.null), optional),
            list(na.action = getExportedValue("stats", paste0("na.", na_action)))[na_action != "omit"]))
}

# The name of a function of contrasts, or a matrix, whose columns come one after another.
as_contrasts <- function(given) {
  if (is.character(given)) return(given)
  names <- unlist(given$names)
  matrix(given$values, ncol = given$columns, dimnames = if (length(names)) list(NULL, names))
}

# The call to lme4::lmerControl, or another such function. R would accept a shortened name, and would take a value
# without a name for the optimizer.
control_call <- function(control, maker) {
  known <- setdiff(names(formals(getExportedValue("lme4", maker))), "mod.type")
  unknown <- setdiff(names(control), known)
  if (length(unknown)) {
    refuse("control has ", toString(dQuote(unknown, FALSE)), "; ", maker, " of the lme4 installed takes ",
           toString(known))
  }
  offer_optimizer(control$optimizer)
  as.call(c(as.name(maker), control))
}

# Fit a model and keep it. `formula` is text, `data` a data frame with automatic row names, and `allow` names functions
# that the formula may call beside those of formula_scope(). Returns the flat list of describe_fit().
fit_lmer <- function(handle, formula, data, reml = TRUE, na_action = "omit", contrasts = NULL, start = NULL,
                     control = NULL, allow = character()) {
  scope <- formula_scope(data, allow)
  formula <- eval(str2lang(formula), scope)
  call <- lmer_call(formula, data, reml, na_action, contrasts, start, control)
  model <- keep_constants(eval(call, open_scope(new.env(parent = scope))), scope)
  keep_inexact(handle, model, open_scope(scope))
}

# Keep and describe a model that leaves some of its response.
keep_inexact <- function(handle, model, scope) {
  if (lme4::isGLMM(model)) return(keep_glmer(handle, model, scope))
  if (lme4::isNLMM(model)) return(keep_nlmer(handle, model, scope))
  if (fits_exactly(model)) stop(errorCondition("exact fit", class = "lmerbridge_exact"))
  keep(handle, model, scope)
  describe_fit(model)
}

# Whether least squares on all columns leave no more of the response than rounding does. lme4's criterion then falls
# without end, and each optimizer stops somewhere on the way. Other models than those of little residual are not tried,
# nor those of many columns by the random ones, nor those that have a column per row.
fits_exactly <- function(model) leaves_nothing(model@resp, model@pp, stats::sigma(model))

leaves_nothing <- function(resp, pp, sigma, large = 5e6) {
  root <- sqrt(resp$weights)
  y <- (resp$y - resp$offset) * root
  sizes <- c(sigma, stats::sd(y), max(abs(y)))
  if (!all(is.finite(sizes)) || sizes[1L] > 1e-4 * sizes[2L]) return(FALSE)
  columns <- as.matrix(pp$X)
  random <- Matrix::t(pp$Zt)
  if (length(y) * (ncol(columns) + ncol(random)) <= large) columns <- cbind(columns, as.matrix(random))
  decomposed <- qr(columns * root, tol = 1e-11)
  decomposed$rank < length(y) && max(abs(qr.resid(decomposed, y))) <= 256 * .Machine$double.eps * sizes[3L]
}

# Describe a fitted model as one flat list of plain vectors. Matrices come column by column.
describe_fit <- function(model) {
  reml <- lme4::isREML(model)
  loglik <- stats::logLik(model)
  fixef <- lme4::fixef(model)
  c(list(
    terms = names(fixef),
    beta = unname(fixef),
    covariance = as.vector(fixed_covariance(model)),
    theta = model@theta,
    sigma = stats::sigma(model),
    loglik = as.numeric(loglik),
    df = as.integer(attr(loglik, "df")),
    criterion = if (reml) lme4::REMLcrit(model) else -2 * as.numeric(loglik),
    reml = reml,
    fitted_values = model@resp$mu,
    residual_values = as.vector(stats::residuals(model@resp, if (lme4::isGLMM(model)) "deviance" else "response")),
    rows = attr(model@frame, "row.names"),
    rows_dropped = length(attr(model@frame, "na.action")),
    dropped_terms = names(attr(model@pp$X, "col.dropped")),
    singular = ends_singular(model),
    converged = has_converged(model@optinfo$conv),
    optimizer = c(model@optinfo$optimizer, "none")[1L]
  ), describe_blocks(model), describe_structures(model), describe_own_modes(model))
}

# The covariance of the fixed effects. Of a linear model lme4's vcov() takes sigma^2 times the unscaled covariance, and
# most of its time to see that this is positive definite. What is so beyond doubt is taken as it is. Of the rest, and of
# the covariance that comes from second derivatives or of scaled columns, vcov() decides.
fixed_covariance <- function(model, doubt = 1e-10) {
  plain <- lme4::isLMM(model) && is.null(attr(model@pp$X, "scaled:scale")) &&
    NROW(model@optinfo$derivs$Hessian) <= length(model@theta)
  found <- if (plain) stats::sigma(model)^2 * model@pp$unsc()
  root <- if (length(found)) tryCatch(diag(chol.default(found)), error = function(e) NULL)
  if (length(root) && isTRUE(all(root^2 > doubt * diag(found)))) found else as.matrix(stats::vcov(model, correlation = FALSE))
}

# lme4's isSingular().
ends_singular <- function(model) {
  if (!is.null(structures_of(model))) return(lme4::isSingular(model))
  any(model@theta[model@lower == 0] < singular_tolerance())
}

has_converged <- function(conv) {
  code <- conv$lme4$code
  isTRUE(conv$opt == 0) && (is.null(code) || all(code == 0))
}

describe_blocks <- function(model, blocks = lme4::VarCorr(model)) {
  part <- function(get) unlist(lapply(blocks, get), use.names = FALSE)
  list(
    block.name = names(blocks),
    block.group = names(model@flist)[attr(model@flist, "assign")],
    block.width = lengths(model@cnms, use.names = FALSE),
    block.term = unlist(model@cnms, use.names = FALSE),
    block.covariance = part(as.vector),
    block.stddev = part(function(b) attr(b, "stddev")),
    block.correlation = part(function(b) as.vector(attr(b, "correlation")))
  )
}

describe_modes <- function(modes) {
  list(
    group.name = names(modes),
    group.size = vapply(modes, nrow, 1L, USE.NAMES = FALSE),
    group.width = lengths(modes, use.names = FALSE),
    group.level = unlist(lapply(modes, row.names), use.names = FALSE),
    group.term = unlist(lapply(modes, names), use.names = FALSE),
    group.mode = as.double(unlist(modes, use.names = FALSE))
  )
}

# The same of lme4's own modes, cut from their vector as ranef() does, without its data frames.
describe_own_modes <- function(model) {
  levels <- lapply(model@flist, levels)
  of <- attr(model@flist, "assign")
  width <- lengths(model@cnms, use.names = FALSE)
  each <- lengths(levels, use.names = FALSE)
  if (any(each[of] * width != diff(model@Gp))) return(describe_modes(lme4::ranef(model, condVar = FALSE)))
  by_term <- split(model@pp$b(1), rep.int(seq_along(width), diff(model@Gp)))
  columns <- Map(function(modes, wide) if (wide > 1L) t(matrix(modes, wide)) else modes, by_term, width)
  by_factor <- order(of)
  list(
    group.name = names(levels),
    group.size = each,
    group.width = vapply(seq_along(each), function(i) sum(width[of == i]), 1L),
    group.level = unlist(levels, use.names = FALSE),
    group.term = unlist(model@cnms[by_factor], use.names = FALSE),
    group.mode = unlist(columns[by_factor], use.names = FALSE)
  )
}
