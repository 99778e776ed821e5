# Writes prepare.json: parts between and within by datawizard, and models of them, by lme4 and plm; scaled columns.
# Run from this directory, where datawizard and plm are installed: Rscript prepare.R
suppressMessages({library(lme4); library(datawizard)})
source("json.R")
data(MathAchieve, package = "nlme")
data(Grunfeld, package = "plm")

schools <- data.frame(mAch = MathAchieve$MathAch, ses = MathAchieve$SES, school = as.character(MathAchieve$School))
holes <- schools
holes$mAch[seq(1, nrow(holes), 7)] <- NA
holes$ses[seq(3, nrow(holes), 11)] <- NA

parted <- function(data, ...) suppressMessages(suppressWarnings(as.list(as.data.frame(demean(data, ...)))))
some <- function(columns) lapply(columns, function(v) I(v[seq(1, length(v), 97)]))
estimates <- function(m) list(term = I(rownames(coef(summary(m)))), estimate = I(unname(fixef(m))), se = I(unname(sqrt(diag(as.matrix(vcov(m)))))))
hsb <- function(data) {
  used <- data[complete.cases(data), ]
  parts <- suppressMessages(demean(used, "ses", "school"))
  used[c("ses_between", "ses_within")] <- as.data.frame(parts)[c("ses_between", "ses_within")]
  list(rows = nrow(used), parts = some(used[c("ses_between", "ses_within")]),
       parted = estimates(lmer(mAch ~ ses_within + ses_between + (1 | school), used)),
       contextual = estimates(lmer(mAch ~ ses + ses_between + (1 | school), used)), plain = estimates(lmer(mAch ~ ses + (1 | school), used)))
}
own <- function(data) some(parted(data, "ses", "school")[c("ses_between", "ses_within")])

iris2 <- iris
iris2$id <- rep(1:4, length.out = 150)
iris2$binary <- factor(c("n", "y")[1 + (seq_len(150) * 7) %% 3 %% 2])
names <- c("Sepal.Length_between", "Sepal.Length_within", "binary_between", "binary_within",
           paste0("Species_", levels(iris$Species), "_between"), paste0("Species_", levels(iris$Species), "_within"))

within <- plm::plm(inv ~ value + capital, Grunfeld, index = c("firm", "year"), model = "within")
scaled <- function(x) I(as.vector(scale(x)))
robust <- function(x) I((x - median(x)) / mad(x))

# What datawizard's demean makes of several groups from 0.13 on, by R's ave: each mean less that of the outer one, or all taken off
p <- Pastes
p$x <- seq_len(nrow(p))^1.5
nested <- { a <- ave(p$x, p$batch); b <- ave(p$x, p$batch, p$cask); list(x_batch_between = I(a), x_cask_between = I(b - a), x_within = I(p$x - b)) }
crossed <- { a <- ave(p$x, p$batch); b <- ave(p$x, p$cask); list(x_batch_between = I(a), x_cask_between = I(b), x_within = I(p$x - a - b)) }

writeLines(json(list(
  made_with = paste(R.version.string, "lme4", packageVersion("lme4"), "datawizard", packageVersion("datawizard"), "plm", packageVersion("plm")),
  hsb = hsb(schools), holes = hsb(holes), own = own(holes),
  iris = some(parted(iris2, c("Sepal.Length", "binary", "Species"), "id")[names]), nested = nested, crossed = crossed,
  grunfeld = c(list(within = I(unname(coef(within)))), lapply(Grunfeld[c("firm", "year", "inv", "value", "capital")], I)),
  scaled = list(sd = scaled(sleepstudy$Days), mad = robust(sleepstudy$Reaction), by = I(ave(sleepstudy$Reaction, sleepstudy$Subject, FUN = scale)))
)), "prepare.json", useBytes = TRUE)
