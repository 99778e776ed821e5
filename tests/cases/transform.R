# Writes transform.json: R's values of functions of columns. Run from this directory: Rscript transform.R
suppressMessages(library(lme4))
source("json.R")

columns <- list(x = c(0.5, -2, 3, NA, 7.5, 11, 2.5), n = c(3, 1, 2, 10, 1e5, 2, 3),
                f = c("b", "a", "c", "a", "b", NA, "c"), l = c(TRUE, FALSE, NA, TRUE, TRUE, FALSE, TRUE))
frame <- as.data.frame(columns, stringsAsFactors = TRUE)
expressions <- c(
  "log(n)", "log(n, 3)", "log(n, base = 2)", "log2(n)", "log10(n)", "log1p(n)", "exp(x)", "expm1(x)", "sqrt(x)", "abs(x)",
  "sin(x)", "cos(x)", "tan(x)", "round(x)", "floor(x)", "ceiling(x)", "I(x^2 - n/3)", "I(-x %% 3)", "I(x %/% 2)", "I(2^-x)",
  "pmin(x, n)", "pmax(x, 2)", "ifelse(x > 2, n, -1)", "scale(x)", "scale(x, scale = FALSE)", "scale(x, center = FALSE)",
  "poly(n, 2)", "poly(n, 3, raw = TRUE)", "poly(x, degree = 1, raw = TRUE)", "as.numeric(l)", "as.numeric(f)", "as.integer(x)",
  "I(l * x)", "I(x > 2)", "I(n == 3 & !l)", "I(f == \"b\")", "I(f != \"b\")", "is.na(x)", "is.na(f)", "factor(n)", "as.factor(f)",
  "ordered(n)", "as.character(n)", "relevel(f, ref = \"c\")", "as.logical(x)", "dummy(f, \"b\")", "log(x)"
)
value <- function(text) {
  v <- suppressWarnings(eval(str2lang(text), frame))
  if (is.logical(v)) list(levels = I(c("FALSE", "TRUE")), codes = I(ifelse(is.na(v), -1, as.integer(v))))
  else if (is.character(v) || is.factor(v)) {
    v <- if (is.factor(v)) v else factor(v, levels = sort(unique(v), method = "radix"))
    list(levels = I(levels(v)), codes = I(ifelse(is.na(v), -1, as.integer(v) - 1)), ordered = is.ordered(v))
  }
  else list(values = I(as.vector(v)), width = NCOL(v))
}
dummy <- function(f, level) { v <- rep(NA_real_, length(f)); v[!is.na(f)] <- lme4::dummy(f, level); v }
writeLines(json(list(made_with = R.version.string, columns = lapply(columns, I), values = Map(value, expressions))), "transform.json", useBytes = TRUE)
