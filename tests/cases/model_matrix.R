# Writes model_matrix.json: what lme4 makes of formulas over a frame, before any fit: the columns of X and of the random
# terms, the levels, theta and the rows. Run from this directory: Rscript model_matrix.R
suppressMessages(library(lme4))
source("json.R")

n <- 60
i <- seq_len(n) - 1
frame <- data.frame(
  y = sin(7 * i) + i / 10, x = (i * 7) %% 11 - 3, z = cos(i), n = 1 + (i %% 5), f = c("b", "a", "c")[1 + i %% 3],
  h = c("u", "v")[1 + (i %/% 2) %% 2], l = (i %/% 3) %% 2 == 0, g = paste0("g", (i * 5) %% 12), k = (i * 3) %% 7,
  o = c("lo", "mid", "hi", "top")[1 + (i * 11) %% 4], stringsAsFactors = TRUE
)
frame$o <- factor(frame$o, levels = c("lo", "mid", "hi", "top"), ordered = TRUE)
frame$`my col` <- (i %% 4) / 2
holes <- frame
holes$x[c(2, 9)] <- NA
holes$f[c(3, 30)] <- NA
holes$g[5] <- NA
holes$y[60] <- NA
holes <- holes[!(holes$o %in% "top" & !is.na(holes$x)) | holes$k == 1, ]

formulas <- c(
  "y ~ 1 + (1 | g)", "y ~ x + (x | g)", "y ~ 0 + x + (0 + x | g)", "y ~ f + (1 | g)", "y ~ 0 + f + (1 | g)",
  "y ~ x * f + (f | g)", "y ~ f:h + (1 | g)", "y ~ 0 + f:h + (1 | g)", "y ~ f * h + (1 | g)", "y ~ f * h * l + (1 | g)",
  "y ~ f + f:x + (1 | g)", "y ~ f:x + (1 | g)", "y ~ 0 + f:x + (1 | g)", "y ~ x + f:x + (1 | g)", "y ~ f %in% h + (1 | g)",
  "y ~ h / f + (1 | g)", "y ~ (f + h + x)^2 + (1 | g)", "y ~ f * h - f + (1 | g)", "y ~ o + (1 | g)", "y ~ o * x + (1 | g)",
  "y ~ 0 + o + (1 | g)", "y ~ 0 + x + o + h + (1 | g)", "y ~ o:f + (1 | g)", "y ~ l + (1 | g)", "y ~ 0 + l + (1 | g)", "y ~ 0 + h + l + (1 | g)",
  "y ~ l * x + (l | g)", "y ~ poly(x, 2, raw = TRUE) + (1 | g)", "y ~ poly(n, 3, raw = TRUE) * f + (1 | g)", "y ~ I(x^2) + log(n) + (1 | g)",
  "y ~ scale(z) + (1 | g)", "y ~ scale(z) * h + (scale(z) | g)", "y ~ I(x > 0) + (1 | g)", "y ~ (n > 2) + (1 | g)", "y ~ factor(k) + (1 | g)",
  "y ~ ordered(n) + (1 | g)", "log(y + 5) ~ `my col` * f + (`my col` | g)", "y ~ x + (x || g)", "y ~ x + (x + z || g)", "y ~ f + (f || g)",
  "y ~ x * z + (x * z || g)", "y ~ (1 | g / h)", "y ~ (1 | g) + (1 | k)", "y ~ (1 | g:h) + (x | k)", "y ~ x + (x | g / h)", "y ~ x + (x || k / h)",
  "y ~ x + z + I(x + z) + (1 | g)", "y ~ f * o * h + (1 | g)", "y ~ x + offset(z) + (1 | g)", "y ~ relevel(f, \"b\") + (1 | g)",
  "y ~ splines::ns(z, 3) + (1 | g)", "y ~ splines::bs(z, df = 5) * h + (1 | g)", "y ~ splines::bs(z, knots = c(-0.5, 0.5)) + (1 | g)",
  "y ~ interaction(f, h) + (1 | g)", "y ~ C(f, contr.sum) + (1 | g)", "y ~ C(f, contr.helmert):h + (1 | g)", "y ~ sign(z) + I(z - mean(z)) + (1 | g)",
  "y ~ poly(x, n, degree = 2, raw = TRUE) + (1 | g)", "y ~ as.numeric(f) + as.factor(n) + (1 | g)", "y ~ x + h:l + f:l:x + (0 + f | h:k)",
  "y ~ factor(n, levels = c(3, 1, 2, 4, 5)) * h + (1 | g)", "y ~ factor(f, levels = c(\"c\", \"a\", \"b\"), labels = c(\"C\", \"A\", \"B\")) + (1 | g)",
  "y ~ ordered(f, levels = c(\"b\", \"c\", \"a\")) + (1 | g)", "y ~ factor(n, labels = \"n\") + (1 | g)", "y ~ factor(k, levels = 6:0) + (1 | g)",
  "y ~ factor(n, c(1, 2)) + x + (1 | g)", "y ~ cut(x, 3) * h + (1 | g)", "y ~ cut(z, c(-1, 0, 1)) + (1 | g)", "y ~ cut(z, 4, right = FALSE) + (1 | g)",
  "y ~ cut(n, breaks = c(1, 2, 5), include.lowest = TRUE) + (1 | g)", "y ~ cut(n, c(1, 2, 5), labels = c(\"low\", \"high\")) + (1 | g)",
  "y ~ cut(x, c(-Inf, 0, 5, Inf)) + rank(z) + (1 | g)", "y ~ cut(n, c(1, 3, 5), right = FALSE, include.lowest = TRUE, ordered_result = TRUE) + (1 | g)",
  "y ~ x:z + f:x:z + (1 | g)", "y ~ x:f + f:h + (1 | g)", "y ~ 0 + f:x + h:f + l:f + (1 | g)", "y ~ x:f + h:f:l + (x:f + f:h | g)",
  "y ~ ifelse(x > 1, n, 0) + pmin(x, z) + (1 | g)"
)
complete_only <- c("y ~ dummy(f, \"c\") + (dummy(f, \"c\") | g)", "y ~ poly(x, 2) + (poly(x, 2) | g)", "y ~ poly(x, 3) * f + (1 | g)", "y ~ poly(n, 2):h + (1 | g)")

described <- function(text, data, ...) {
  set <- suppressWarnings(suppressMessages(lFormula(as.formula(text), data, control = lmerControl(
    check.nobs.vs.nlev = "ignore", check.nobs.vs.nRE = "ignore", check.nobs.vs.rankZ = "ignore", check.rankX = "ignore"), ...)))
  dropped <- names(attr(lme4:::chkRank.drop.cols(set$X, kind = "silent.drop.cols"), "col.dropped"))
  list(x = I(colnames(set$X)), dropped = I(as.character(dropped)), rows = nrow(set$fr), theta = length(set$reTrms$theta),
       terms = I(vapply(set$reTrms$cnms, paste, "", collapse = ", ")), groups = I(names(set$reTrms$flist)),
       levels = I(vapply(set$reTrms$flist, nlevels, 0L)), values = I(unname(colSums(set$X))))
}
coded <- list("contr.sum" = "contr.sum", "contr.helmert" = "contr.helmert", "contr.SAS" = "contr.SAS", "contr.poly" = "contr.poly")
sums <- lapply(coded, function(name) described("y ~ f * h + o + (1 | g)", frame, contrasts = list(f = name, o = name)))
columns <- function(d) lapply(d, function(v) I(if (is.factor(v)) as.character(v) else v))

writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4")),
  frames = list(whole = columns(frame), holes = columns(holes)),
  whole = sapply(c(formulas, complete_only), described, frame, simplify = FALSE),
  holes = sapply(formulas, described, holes, simplify = FALSE), contrasts = sums
)), "model_matrix.json", useBytes = TRUE)
