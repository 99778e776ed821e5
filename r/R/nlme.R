# Fit with nlme::lme. Returns the flat list of describe_fit() without theta, which is lme4's own.
fit_nlme <- function(handle, formula, data, reml = TRUE, na_action = "omit", contrasts = NULL, allow = character()) {
  need("nlme")
  model <- read_lmer(handle, formula, data, reml, na_action, contrasts, allow)
  terms <- raw_terms(model)
  places <- lme_places(terms)
  by_engine(describe_lme(model, terms, places, fit_lme(model, terms, places, reml)))
}

describe_lme <- function(model, terms, places, found) {
  fit <- found$value
  of_terms <- function(get) Map(get, terms, places$of, MoreArgs = list(fit = fit))
  c(list(beta = unname(nlme::fixef(fit)), covariance = as.vector(stats::vcov(fit)), sigma = fit$sigma,
         fitted_values = unname(fit$fitted[, ncol(fit$fitted)]) + model@resp$offset,
         residual_values = unname(fit$residuals[, ncol(fit$residuals)]), converged = found$converged,
         optimizer = "nlminb", version = written_version("nlme")),
    describe_engine(model, stats::logLik(fit), of_terms(lme_covariance), of_terms(lme_modes)))
}

is_within <- function(inner, outer) nrow(unique(cbind(inner, outer))) == length(unique(inner))

# The place of each term in lme's nested groups: a list of `groups`, the codes of each group from the outermost, and
# `of`, which has per term `at`, the number of its group, and `local`. A term whose factor is a group of its own has
# local NULL. A term whose factor is crossed with these has one variance, so it becomes columns within a group that
# contains each of its levels whole, and `local` numbers the levels there.
lme_places <- function(terms) {
  codes <- lapply(terms, `[[`, "codes")
  codes <- codes[!duplicated(vapply(terms, `[[`, 0L, "factor"))]
  factors <- unique(vapply(terms, `[[`, 0L, "factor"))
  wide <- factors %in% vapply(Filter(function(term) ncol(term$columns) > 1L, terms), `[[`, 0L, "factor")
  sizes <- lengths(lapply(codes, unique))
  chain <- Reduce(function(chain, i) if (all(vapply(chain, comparable, TRUE, codes, i))) c(chain, i) else chain,
                  order(!wide, -sizes), integer())
  if (any(wide[-chain])) {
    refuse_model("nlme has no correlated random effects on two factors that are crossed")
  }
  chain <- chain[order(sizes[chain])]
  groups <- c(list(rep(1L, length(codes[[1L]]))), codes[chain])
  place <- function(term) {
    i <- match(term$factor, factors)
    if (i %in% chain) return(list(at = match(i, chain) + 1L, local = NULL))
    at <- max(which(vapply(groups, is_within, TRUE, inner = term$codes)))
    list(at = at, local = stats::ave(term$codes, groups[[at]], FUN = function(x) match(x, unique(x))))
  }
  list(groups = groups, of = lapply(terms, place))
}

comparable <- function(j, codes, i) is_within(codes[[i]], codes[[j]]) || is_within(codes[[j]], codes[[i]])

# The columns of a term for lme: its own, or, for a crossed factor, one per level.
lme_columns <- function(term, place) {
  if (is.null(place$local)) return(structure(term$columns, dimnames = list(NULL, term$names)))
  levels <- seq_len(max(place$local))
  columns <- outer(place$local, levels, `==`) * term$columns[, 1L]
  structure(columns, dimnames = list(NULL, paste0(term$names, "_", levels)))
}

lme_matrix <- function(columns, place) {
  class <- if (is.null(place$local)) nlme::pdSymm else nlme::pdIdent
  class(stats::reformulate(colnames(columns), intercept = FALSE))
}

# Tolerances tighter than nlme's defaults, so that the comparison is of optima and not of stopping rules. With nlme's
# default pdLogChol in place of pdSymm, or with a quarter of the EM steps, lme stops early near a singular covariance.
lme_control <- function() {
  nlme::lmeControl(niterEM = 100L, maxIter = 500L, msMaxIter = 500L, msMaxEval = 5000L, tolerance = 1e-10,
                   msTol = 1e-12, apVar = FALSE, returnObject = TRUE, allow.n.lt.q = TRUE)
}

# The fit, and whether nlme gave it without a warning.
fit_lme <- function(model, terms, places, reml) {
  columns <- Map(lme_columns, terms, places$of)
  at <- vapply(places$of, `[[`, 0L, "at")
  used <- sort(unique(at))
  groups <- structure(lapply(places$groups[used], factor), names = paste0("g", used))
  random <- lapply(used, function(i) {
    blocks <- unname(Map(lme_matrix, columns[at == i], places$of[at == i]))
    if (length(blocks) == 1L) blocks[[1L]] else nlme::pdBlocked(blocks)
  })
  frame <- plain_frame(model, columns, groups, v = 1 / model@resp$weights)
  said <- FALSE
  value <- withCallingHandlers(
    nlme::lme(stats::reformulate(fixed_terms(model), "y"), frame, structure(random, names = names(groups)),
              weights = nlme::varFixed(~v), method = if (reml) "REML" else "ML", control = lme_control()),
    warning = function(w) said <<- TRUE)
  list(value = value, converged = !said)
}

group_name <- function(place) paste0("g", place$at)

# The covariance of a term. Where the term is columns in a larger matrix, its first column stands for all.
lme_covariance <- function(term, place, fit) {
  covariance <- fit$sigma^2 * as.matrix(fit$modelStruct$reStruct[[group_name(place)]])
  own <- if (is.null(place$local)) term$names else paste0(term$names, "_1")
  unname(covariance[own, own, drop = FALSE])
}

# The conditional modes of a term, level by level. lme has them in the rows of its group.
lme_modes <- function(term, place, fit) {
  first <- match(seq_len(max(term$codes)), term$codes)
  rows <- as.character(fit$groups[[group_name(place)]][first])
  found <- fit$coefficients$random[[group_name(place)]]
  if (is.null(place$local)) return(unname(found[rows, term$names, drop = FALSE]))
  matrix(found[cbind(rows, paste0(term$names, "_", place$local[first]))])
}
