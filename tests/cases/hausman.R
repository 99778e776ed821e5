# Writes hausman.json: Hausman's test and its regression form by plm, and Mundlak's by lme4.
# Run from this directory, where plm is installed: Rscript hausman.R
suppressMessages({library(lme4); library(plm)})
source("json.R")
data(Grunfeld, package = "plm")
data(MathAchieve, package = "nlme")
pupils <- transform(as.data.frame(MathAchieve), School = factor(as.character(School)))

models <- list(
  grunfeld = list(inv ~ value + capital, Grunfeld, "firm"),
  unbalanced = list(inv ~ value + capital, Grunfeld[-(1:8), ], "firm"),
  pupils = list(MathAch ~ SES, pupils, "School"),
  constants = list(MathAch ~ SES + Minority + Sex + MEANSES, pupils, "School")
)

of_method <- function(method, model) {
  within <- plm(model[[1]], model[[2]], index = model[[3]], model = "within")
  random <- tryCatch(error = function(e) NULL, plm(model[[1]], model[[2]], index = model[[3]], model = "random", random.method = method))
  if (is.null(random)) return(NULL)
  both <- intersect(names(coef(random)), names(coef(within)))
  spread <- vcov(within)[both, both, drop = FALSE] - vcov(random)[both, both, drop = FALSE]
  list(statistic = phtest(within, random)$statistic, definite = all(eigen(spread, TRUE, TRUE)$values > 0),
       random = I(unname(coef(random)[both])))
}

mundlak <- function(model) {
  data <- model[[2]]
  x <- model.matrix(model[[1]], data)
  means <- apply(x, 2, ave, data[[model[[3]]]])
  data$means <- means[, apply(abs(x - means), 2, max) > 1e-9, drop = FALSE]
  m <- suppressWarnings(lmer(update(model[[1]], reformulate(c(".", "means", sprintf("(1 | %s)", model[[3]])))), data))
  tested <- grep("^means", names(fixef(m)))
  b <- fixef(m)[tested]
  list(statistic = drop(b %*% solve(as.matrix(vcov(m))[tested, tested], b)), df = length(b), estimate = I(unname(b)))
}

of_model <- function(model) list(
  methods = sapply(c("swar", "walhus", "amemiya", "nerlove"), of_method, model, simplify = FALSE),
  mundlak = mundlak(model)
)

writeLines(json(list(
  made_with = paste(R.version.string, "plm", packageVersion("plm"), "lme4", packageVersion("lme4")),
  grunfeld_aux = unname(phtest(inv ~ value + capital, Grunfeld, method = "aux")$statistic),
  models = lapply(models, of_model)
)), "hausman.json", useBytes = TRUE)
