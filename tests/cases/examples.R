# The examples of lme4's help pages, each as the numbers it computes, from lme4 alone: prints page and hexadecimal doubles.
# What they draw or print, and what they do with glmer and nlmer, is left out; so are lines that only load data.
suppressPackageStartupMessages(library(lme4))
utils::data(Orthodont, package = "nlme")

flat <- function(...) unlist(lapply(list(...), function(x) as.vector(if (is.list(x)) unlist(lapply(x, as.matrix)) else as.matrix(x))))
numbers <- function(m) c(fixef(m), getME(m, "theta"), sigma(m), logLik(m))
fm1 <- lmer(Reaction ~ Days + (Days | Subject), sleepstudy)
fm2 <- lmer(Reaction ~ Days + (Days || Subject), sleepstudy)
fm01ML <- lmer(Yield ~ 1 | Batch, Dyestuff, REML = FALSE)

examples <- list(
  VarCorr = function() {
    vc <- as.data.frame(VarCorr(lmer(distance ~ age + (age | Subject), data = Orthodont)))
    c(vc$vcov, vc$sdcor)
  },
  allFit = function() {
    fits <- lapply(c("bobyqa", "Nelder_Mead", "nlminbwrap"), function(o) update(fm1, control = lmerControl(optimizer = o)))
    unlist(lapply(fits, function(m) c(logLik(m), fixef(m), getME(m, "theta"))))
  },
  bootMer = function() {
    summary_of <- function(m) c(getME(m, "beta"), sigma(m), sigma(m) * getME(m, "theta"))
    bootMer(fm01ML, summary_of, nsim = 20, seed = 101)$t
  },
  cake = function() {
    m1 <- lmer(angle ~ recipe * temperature + (1 | recipe:replicate), cake, REML = FALSE)
    m2 <- lmer(angle ~ recipe + temperature + (1 | recipe:replicate), cake, REML = FALSE)
    m3 <- lmer(angle ~ recipe + temp + (1 | recipe:replicate), cake, REML = FALSE)
    a <- anova(m3, m2, m1)
    flat(a$AIC, a$BIC, a$logLik, a$Chisq[-1L], a[["Pr(>Chisq)"]][-1L])
  },
  confint = function() {
    wald <- confint(fm1, method = "Wald", parm = "beta_")
    profiled <- confint(lmer(Yield ~ 1 + (1 | Batch), Dyestuff), quiet = TRUE)
    c(wald, profiled)
  },
  convergence = function() {
    tight <- update(fm1, control = lmerControl(optCtrl = list(xtol_abs = 1e-8, ftol_abs = 1e-8)))
    scaled <- update(fm1, data = transform(sleepstudy, Days = scale(Days)))
    devfun <- update(fm1, devFunOnly = TRUE)
    derivatives <- fm1@optinfo$derivs
    restarted <- update(fm1, start = getME(fm1, "theta"))
    c(numbers(tight), numbers(scaled), devfun(getME(fm1, "theta")), derivatives$gradient, derivatives$Hessian, numbers(restarted))
  },
  devfun2 = function() {
    d <- devfun2(fm1, useSc = TRUE)
    optimum <- attr(d, "optimum")
    d(optimum[grepl("^\\.sig", names(optimum))])
  },
  drop1 = function() {
    d <- drop1(fm1, test = "Chisq")
    flat(d$AIC, d$LRT[-1L], d[["Pr(Chi)"]][-1L])
  },
  dummy = function() {
    numbers(lmer(distance ~ age + (age | Subject) + (0 + dummy(Sex, "Female") | Subject), data = Orthodont))
  },
  Dyestuff = function() {
    c(numbers(lmer(Yield ~ 1 | Batch, Dyestuff)), numbers(lmer(Yield ~ 1 | Batch, Dyestuff2)))
  },
  expandDoubleVerts = function() {
    set.seed(101)
    dd <- expand.grid(f = factor(letters[1:3]), g = factor(1:200), rep = 1:3)
    dd$y <- simulate(~ f + (1 | g) + (0 + dummy(f, "b") | g) + (0 + dummy(f, "c") | g), newdata = dd,
                     newparams = list(beta = rep(0, 3), theta = c(1, 2, 1), sigma = 1), family = gaussian)[[1L]]
    c(dd$y, numbers(lmer(y ~ f + (f | g), data = dd)),
      numbers(lmer(y ~ f + (1 | g) + (0 + dummy(f, "b") | g) + (0 + dummy(f, "c") | g), data = dd)))
  },
  fixef = function() {
    m <- lmer(Reaction ~ Days + Days2 + (1 | Subject), data = transform(sleepstudy, Days2 = Days))
    c(fixef(lmer(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy)), fixef(m, add.dropped = TRUE))
  },
  fortify = function() {
    f <- suppressWarnings(fortify.merMod(lmer(Reaction ~ Days + (1 | Subject), sleepstudy)))
    flat(f$.fitted, f$.resid, f$.scresid)
  },
  getME = function() flat(getME(fm1, "Z"), getME(fm1, "beta"), getME(fm1, "u"), getME(fm1, "RX")),
  hatvalues = function() hatvalues(fm1),
  influence = function() {
    i <- influence(fm1, "Subject")
    flat(dfbeta(i), dfbetas(i), cooks.distance(i))
  },
  isNested = function() with(Pastes, c(isNested(cask, batch), isNested(sample, batch))),
  isREML = function() c(isLMM(fm1), isGLMM(fm1), isNLMM(fm1), isREML(fm1), isREML(update(fm1, REML = FALSE))),
  lmList = function() {
    m <- lmList(Reaction ~ Days | Subject, sleepstudy)
    flat(coef(m), confint(m))
  },
  lmer = function() {
    ml <- update(fm1, REML = FALSE)
    a <- anova(fm1, fm2)
    orthodont <- transform(Orthodont, nsex = as.numeric(Sex == "Male"))
    orthodont$nsexage <- with(orthodont, nsex * age)
    by_sex <- lmer(distance ~ age + (age | Subject) + (0 + nsex | Subject) + (0 + nsexage | Subject), data = orthodont)
    flat(numbers(fm1), coef(summary(fm1)), numbers(ml), numbers(fm2), a$Chisq[-1L], a[["Pr(>Chisq)"]][-1L],
         cov2cor(as.matrix(vcov(fm2))), numbers(by_sex))
  },
  lmerControl = function() {
    with <- function(...) numbers(update(fm1, control = lmerControl(...)))
    c(with(optimizer = "bobyqa"), with(optimizer = "Nelder_Mead"),
      with(optimizer = "nloptwrap", optCtrl = list(algorithm = "NLOPT_LN_NELDERMEAD")),
      with(optimizer = "nloptwrap",
           optCtrl = list(algorithm = "NLOPT_LN_COBYLA", xtol_rel = 1e-6, xtol_abs = 1e-10, ftol_abs = 1e-10)))
  },
  ngrps = function() c(ngrps(lmer(Reaction ~ 1 | Subject, sleepstudy)), ngrps(lmer(strength ~ (1 | batch / cask), Pastes))),
  nloptwrap = function() {
    tight <- update(fm1, control = lmerControl(optCtrl = list(xtol_abs = 1e-8, ftol_abs = 1e-8)))
    long <- update(fm1, control = lmerControl(optCtrl = list(maxeval = 10000)))
    c(logLik(tight) - logLik(fm1), logLik(long) - logLik(fm1), numbers(update(fm1, control = lmerControl(optimizer = "nlminbwrap"))))
  },
  Pastes = function() {
    fits <- list(lmer(strength ~ (1 | batch) + (1 | sample), Pastes), lmer(strength ~ (1 | batch / cask), Pastes),
                 lmer(strength ~ (1 | batch) + (1 | batch:cask), Pastes), lmer(strength ~ (1 | batch / sample), Pastes),
                 lmer(strength ~ (1 | batch) + (1 | cask), Pastes))
    unlist(lapply(fits, numbers))
  },
  Penicillin = function() numbers(lmer(diameter ~ (1 | plate) + (1 | sample), Penicillin)),
  plot = function() {
    m <- lmer(distance ~ age + (age | Subject), data = Orthodont)
    flat(resid(m, scaled = TRUE), fitted(m), sqrt(abs(resid(m))))
  },
  predict = function() {
    dd <- expand.grid(y = 1:3, "Animal ID" = 1:9)
    m <- lmer(y ~ 1 + (1 | `Animal ID`), dd)
    rows <- c(7, 9, 11, 13:17, 20:22)
    c(vcov(m)[1L, 1L], predict(m, newdata = dd[rows, ]), predict(fm1), predict(fm1, re.form = NA),
      predict(fm1, sleepstudy[1:12, ], re.form = ~ (Days | Subject)))
  },
  profile = function() {
    p <- profile(fm01ML)
    flat(confint(p), as.data.frame(p)$.zeta, confint(logProf(p, ranef = FALSE)), confint(varianceProf(p)))
  },
  ranef = function() {
    fm3 <- lmer(diameter ~ (1 | plate) + (1 | sample), Penicillin)
    d <- as.data.frame(ranef(fm1))
    flat(d$condval, d$condsd, lapply(ranef(fm2, condVar = FALSE), as.matrix), lapply(ranef(fm3, condVar = FALSE), as.matrix))
  },
  rePCA = function() {
    p <- rePCA(fm1)$Subject
    c(p$sdev, abs(p$rotation)) # of an axis the sign is anybody's
  },
  refit = function() { # of ML fits: before lme4 1.1-33 that of a REML fit is wrong
    set.seed(101)
    y <- matrix(rnorm(1000), ncol = 10)
    d <- data.frame(y = y[, 1L], x = rnorm(100), f = rep(1:10, 10))
    first <- lmer(y ~ x + (1 | f), data = d, REML = FALSE,
                  control = lmerControl(check.conv.grad = "ignore", check.conv.hess = "ignore"))
    flat(y, d$x, unlist(lapply(c(first, lapply(as.data.frame(y[, -1L]), refit, object = first)), numbers)))
  },
  sleepstudy = function() {
    c(numbers(lmer(Reaction ~ Days + (Days | Subject), sleepstudy, subset = Days >= 2)),
      numbers(lmer(Reaction ~ Days + (1 | Subject) + (0 + Days | Subject), sleepstudy, subset = Days >= 2)))
  },
  utilities = function() {
    c(llikAIC(fm1)$AICtab, llikAIC(update(fm1, REML = FALSE))$AICtab, quantile(resid(fm1, "pearson", scaled = TRUE)))
  },
  vcconv = function() unlist(c(vec2mlist(1:6), mlist2vec(vec2mlist(1:6))))
)

for (page in names(examples)) {
  value <- as.double(suppressMessages(suppressWarnings(examples[[page]]())))
  cat(page, sprintf("%a", value), sep = "\t")
  cat("\n")
}
