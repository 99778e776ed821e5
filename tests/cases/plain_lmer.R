# Fit the models that tests/models/test_exact.py wrote into the folder given, with lme4 alone and no code of ours, and print
# every number as a hexadecimal double: model, quantity, value, separated by tabs.
suppressPackageStartupMessages(library(lme4))

read_column <- function(folder, i, kind, n) {
  path <- function(end) file.path(folder, paste0(i, end))
  if (kind == "double") return(readBin(path(".bin"), "double", n))
  codes <- readBin(path(".bin"), "integer", n)
  if (kind == "logical") return(as.logical(codes))
  labels <- readLines(path(".labels"), encoding = "UTF-8")
  factor(labels[codes], levels = labels, ordered = kind == "ordered")
}

read_frame <- function(folder) {
  columns <- read.delim(file.path(folder, "columns.tsv"), quote = "", stringsAsFactors = FALSE)
  values <- lapply(seq_len(nrow(columns)), function(i) read_column(folder, i, columns$kind[i], columns$rows[i]))
  names(values) <- columns$name
  as.data.frame(values, optional = TRUE)
}

numbers <- function(m) {
  flat <- function(x) as.vector(as.matrix(x))
  vc <- as.data.frame(VarCorr(m))
  list(fixef = fixef(m), vcov = flat(vcov(m)), coefficients = flat(coef(summary(m))), vcov_random = vc$vcov,
       sdcor = vc$sdcor, ranef = unlist(lapply(ranef(m, condVar = FALSE), flat)), theta = getME(m, "theta"),
       sigma = sigma(m), loglik = logLik(m), df = attr(logLik(m), "df"), aic = AIC(m), bic = BIC(m),
       criterion = if (isREML(m)) REMLcrit(m) else -2 * logLik(m), fitted = fitted(m), residuals = residuals(m),
       nobs = nobs(m), singular = isSingular(m))
}

of_glmer <- function(m) {
  list(residual_deviance = sum(residuals(m, "deviance")^2, na.rm = TRUE), eta = m@resp$eta, response_residuals = residuals(m, "response"),
       pearson = residuals(m, "pearson"), working = residuals(m, "working"), nb_theta = getME(m, "glmer.nb.theta"))
}

folder <- commandArgs(TRUE)
for (model in list.files(folder)) {
  d <- read_frame(file.path(folder, model))
  call <- str2lang(readLines(file.path(folder, model, "call.R"), encoding = "UTF-8"))
  m <- suppressMessages(suppressWarnings(eval(call)))
  found <- suppressWarnings(c(numbers(m), if (isGLMM(m)) of_glmer(m)))
  for (quantity in names(found)) {
    value <- as.double(found[[quantity]])
    cat(model, quantity, sprintf("%a", value[!is.na(value)]), sep = "\t")
    cat("\n")
  }
}
