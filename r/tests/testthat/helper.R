library(testthat)

# A model of our own and the same from plain lme4, each fitted once.
sleep <- Reaction ~ Days + (Days | Subject)
plain <- lme4::lmer(sleep, lme4::sleepstudy)
ours <- fit_lmer("sleep", "Reaction ~ Days + (Days | Subject)", lme4::sleepstudy)

# A data frame with a factor, a logical, weights, an offset and a subset, as Python sends it.
extra <- transform(lme4::sleepstudy, .weights = rep(c(1, 2, 0.5), 60), .offset = Days / 7, .subset = Days != 3,
                   late = Days > 4, third = factor(rep(c("a", "b", "c"), 60)))

fixef_of <- function(flat) stats::setNames(flat$beta, flat$terms)
