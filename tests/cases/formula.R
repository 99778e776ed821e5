# Writes formula.json: how R reads and writes expressions, and how lme4 expands random terms.
# Run from this directory: Rscript formula.R
suppressMessages(library(lme4))
source("json.R")

expressions <- c(
  "a + b - c", "a - -b", "-a^2", "-a:b", "a^-b", "(-a)^b", "a^b^c", "a**2", "!a + b", "!a == b & c", "a | b + c",
  "a || b | c", "a & b | c & d", "a:b*c", "a*b:c", "a %in% b:c", "a %in% b*c", "a/b/c", "a/b %in% c", "a - b + c",
  "a %% b^2", "a %/% b * c", "y ~ x | g", "y ~ x + 1 | g", "~a + b", "y ~ ~x", "-a + b", "+a - +b", "a * -b + c",
  "I(x > 2 & !z)", "ifelse(a >= 1, b, c <= d)", "poly(x, degree = 2, raw = TRUE)", "factor(x, levels = c('b', \"a\"))",
  "I(x, `a b` = 1)", "I(x, \"q\" = 2)", "1", "1.50", ".5", "1.", "1e3", "1e5", "100000", "123456", "0.1", "0.0001",
  "1e-15", "1234567.1", "1e22", "1e300", "2L", "1e5L", "123456789012", "TRUE", "NULL", "NA", "Inf", "'a\"b\\n'",
  "'it`s'", "`my col` + b", "`if` + `TRUE`", "`a\\`b` + 1", "`x:y`:z", "x._1 + .z + ..a", "gr\u00f6\u00dfe + \u4e2d",
  "y ~ `a b`*x + (1 + x || g/h) + (0 + z | k:m)"
)
invalid <- c("a <- b <", "a < b < c", "a == b == c", "a b", "1x", "_a", "a +", "()", "* a", "a ! b", "(a", "a)", "a,b",
             "'a", "`a", "a = ", "", "%in% a")

random <- c("(1 | g)", "(x | g) + (1 | h:g)", "(1 | g/h)", "(1 | g/h/k)", "(x || g)", "(x * f || g)", "(x || g/h)",
            "(0 + x || g)", "(1 | (g:h))", "(1 | g/(h:k))", "(f + x | g) + (1 | h)", "(x - 1 | g)", "(1 | g) + (0 + x | g)")
fixed <- c("x + f", "0 + f", "f:x + x", "x * f * z - x:f:z", "(x + f + z)^2", "f/x", "f/x/z", "(x + f)/z", "x %in% f",
           "f - 1", "x + f - x", "0 + x + 1", "x + offset(z) + f", "b:a + a", "a + b:a", "1", "-1 + x", "(x + 1) * f", "x + (f - z)",
           "log(x) + log( x )", "x:f + f:x", "x + 0 + f - 0", "a*b + a*c + b*c", "(a + b + c)^3 - a:b:c")

deparsed <- function(s) deparse1(str2lang(s))
prefix <- function(e) if (is.call(e)) paste0(as.character(e[[1]]), "[", paste(vapply(as.list(e)[-1], prefix, ""), collapse = "; "), "]") else
  if (is.name(e)) as.character(e) else deparse1(e)
nested <- function(s) prefix(str2lang(s))
bars <- function(s) lapply(findbars(as.formula(paste("y ~ w +", s))), function(b) c(deparse1(b[[2]]), deparse1(b[[3]])))
algebra <- function(s) { t <- terms(as.formula(paste("y ~", s)))
  list(intercept = attr(t, "intercept"), labels = I(gsub(" %in% ", ":", attr(t, "term.labels")))) }
named <- function(f, texts) Map(f, texts, USE.NAMES = TRUE)

stopifnot(vapply(invalid, function(s) inherits(try(str2lang(s), silent = TRUE), "try-error"), NA))
writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4")),
  deparsed = named(deparsed, expressions), nested = named(nested, expressions), invalid = I(invalid), bars = named(bars, random), terms = named(algebra, fixed)
)), "formula.json", useBytes = TRUE)
