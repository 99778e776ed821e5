# What is evaluated where formulas are, and what of it fails, whoever wrote it; q is not called, for it would end the test.
unreachable <- c(
  'system("true")', "get('system')", "eval(1)", "quote(x)", "parse(text = '1')", "do.call('c', 1)", "Recall()",
  "globalenv()", "environment()", "parent.frame()", "sys.function()", ".GlobalEnv", ".Internal(1)", ".Primitive('c')",
  "base::system", "stats::optim", "base::poly", "stats::mean", "base:::c", "`::`(base, paste)", "lme4::lmer",
  "lmerControl()", "weights", "rivers", "LETTERS", "letters", "mtcars", "mad(1)", "ave(1)", "paste('a')", "file.create('a')", "q",
  "{1}", "(function() 1)()", "(\\(x) x)(1)", "if (TRUE) 1", "for (i in 1) i", "repeat break", "a <- 1", "a <<- 1", "a = 1",
  "data$x", "data[1]", "data[[1]]", "data@x", "1 %in% 2", "'system'('true')", "?c",
  "C(factor(1:2), 'unlink', x = 'nothing')", "C(factor(1:2), contr = 'system')", "C(factor(1:2), 'sd')", "rank(1:2, TRUE, 'rand')",
  "stats::C(factor(1:2), 'unlink', x = 'nothing')"
)
evaluated <- function(text, ...) eval(str2lang(text), formula_scope(list(x = 1), ...))

for (text in unreachable) {
  test_that(paste("no formula reaches", text), expect_error(evaluated(text)))
}

test_that("the functions offered are the originals, and what they need to predict is there", {
  expect_identical(formula_scope(list())$poly, NULL)
  expect_identical(get("poly", formula_scope(list())), stats::poly)
  expect_identical(parent.env(root_scope()), emptyenv())
  expect_error(assign("poly", 1, root_scope()), "locked")
  expect_identical(sort(c(formula_functions()$name, operators_offered, "::", "T", "F", "pi")),
                   sort(ls(root_scope(), all.names = TRUE)))
})

test_that("a contrast is one of R's own, by whatever way it is given", {
  f <- factor(c("a", "b", "c"))
  ways <- expression(C(f), C(f, contr.sum), C(f, "contr.sum"), C(f, contr.treatment, base = 2), C(f, contr.sum, 1),
                     C(f, contr.helmert(3)), C(f, c(1, 0, -1)), C(f, contr = contr.SAS))
  for (way in ways) expect_identical(eval(way, list(f = f), formula_scope(list())), eval(way))
})

test_that("a text that is more than a formula is evaluated there too, and fails", {
  fit <- function(text) fit_lmer("more", text, lme4::sleepstudy)
  for (text in c("{1; Reaction ~ Days + (1 | Subject)}", "identity(Reaction ~ Days + (1 | Subject))",
                 "Reaction ~ {1; Days} + (1 | Subject)", "Reaction ~ Days + (1 | {1; Subject})", "Reaction ~ rivers + (1 | Subject)",
                 "Reaction ~ I(letters[1]) + (1 | Subject)", "Reaction ~ Days + offset(system('true')) + (1 | Subject)",
                 "get('Reaction') ~ Days + (1 | Subject)", # lme4 pastes the name of this grouping factor into a formula
                 "Reaction ~ Days + (Days || `Subject) + I(get('Days')) + (1 | Subject`)")) {
    expect_error(fit(text), "could not find function|object 'rivers' not found")
  }
})

test_that("what would make too many levels is refused before it is made", {
  when <- as.POSIXct("2020-01-01", tz = "UTC") + c(0, 1e9)
  scope <- function(...) list2env(list(...), parent = formula_scope(list()))
  for (text in c("cut(when, 'sec')", "cut(when, breaks = 'min')", "cut(when, br = '2 mins')", "cut(day, 'day')",
                 "C(many, contr.sum)", "interaction(many, many, few)", "interaction(many, few, many, drop = TRUE)")) {
    data <- scope(when = when, day = as.Date("2020-01-01") + c(0, 1e6), many = factor(1:2000), few = factor(1:2))
    expect_error(eval(str2lang(text), data), "levels, of which at most", class = "lmerbridge_refusal")
  }
  for (text in c("cut(when, 'month')", "cut(when, 2)", "cut(c(1, 5), c(0, 2, 6))", "cut(day, '1000 days', labels = FALSE)",
                 "interaction(few, few)", "interaction(a = few, b = few, sep = '-')", "C(few, contr.sum)")) {
    data <- list(when = when, day = as.Date("2020-01-01") + c(0, 1e6), few = factor(1:2))
    expect_identical(eval(str2lang(text), list2env(data, parent = formula_scope(list()))), eval(str2lang(text), data))
  }
})

test_that("a model predicts with the fit's own statistics, as with the numbers in their place", {
  ways <- c("I(Days - mean(Days))" = "I(Days - 4.5)", "I(Days / base::max(Days, 1))" = "I(Days / 9)",
            "I(Days > stats::median(Days))" = "I(Days > 4.5)", "base::scale(Days)" = "scale(Days)",
            "I(Days * pi)" = "I(Days * 3.141592653589793)", "poly(Days, 2, raw = T)" = "poly(Days, 2, raw = TRUE)")
  for (way in names(ways)) {
    of <- function(text) {
      fit_lmer("own", paste("Reaction ~", text, "+ (Days | Subject)"), lme4::sleepstudy)
      stats::predict(model_of("own"), lme4::sleepstudy[2:4, ])
    }
    expect_equal(of(way), of(ways[[way]]), tolerance = 1e-8)
  }
})

test_that("what allow names is found under its full name, and nothing else of its package", {
  expect_identical(evaluated("base::nchar('abc')", "base::nchar"), 3L)
  for (text in c("base::system('true')", "nchar('abc')", "stats::nchar('abc')", "utils::head(1)")) {
    expect_error(evaluated(text, "base::nchar"))
  }
})

test_that("what allow names must be an exported function of a package that is there", {
  expect_error(formula_scope(list(), "noSuchPackage::f"), "noSuchPackage::f, which R does not find: there is no package",
               class = "lmerbridge_refusal")
  expect_error(formula_scope(list(), "stats::noSuch"), "not an exported object", class = "lmerbridge_refusal")
  expect_error(formula_scope(list(), "base::pi"), "no function", class = "lmerbridge_refusal")
})

test_that("a model with a function added is refitted and predicts with it", {
  fit_lmer("added", "Reaction ~ base::trunc(Days / 2) + Days + (1 | Subject)", lme4::sleepstudy, allow = "base::trunc")
  model <- model_of("added")
  expect_identical(names(lme4::fixef(model))[2L], "base::trunc(Days/2)")
  expect_identical(row.names(stats::drop1(model)), c("<none>", "base::trunc(Days/2)", "Days"))
  expect_length(stats::predict(model, lme4::sleepstudy[1:3, ]), 3L)
})

# Fixed parts whose variables remember the data: what predict evaluates for other rows is not what the fit evaluated.
bare <- extra[c("Reaction", "Days", "Subject", "late", "third")]
remembering <- c("poly(Days, 2)", "scale(Days)", "splines::ns(Days, 3)", "splines::bs(Days, knots = c(3, 6))", "Days + offset(Days / 7)",
                 "cut(Days, c(-1, 3, 6, 10)) + I(Days %/% 3)", "ifelse(Days > 3 & !late, Days, -Days)", "dummy(third, 'a') * Days",
                 "relevel(third, ref = 'b') + C(third, contr.sum)")
for (fixed in remembering) {
  test_that(paste("out of its scope a model has the same numbers and predictions:", fixed), {
    formula <- paste("Reaction ~", fixed, "+ (Days | Subject)")
    suppressMessages(fit_lmer("scoped", gsub("splines::", "", formula), bare))
    peer <- suppressMessages(lme4::lmer(stats::as.formula(formula, asNamespace("lme4")), bare))
    expect_identical(unname(lme4::fixef(model_of("scoped"))), unname(lme4::fixef(peer)))
    expect_identical(stats::predict(model_of("scoped"), bare[5:9, ]), stats::predict(peer, bare[5:9, ]))
  })
}

test_that("lme4 can evaluate the call again, from anywhere, with weights, offset and subset", {
  fit_lmer("again", "Reaction ~ Days + (1 | Subject)", extra, control = list(optimizer = "bobyqa"))
  model <- model_of("again")
  expect_identical(stats::update(model)@theta, model@theta)
  expect_identical(stats::update(model, . ~ . - Days)@call$data, quote(data))
  expect_identical(row.names(stats::drop1(model)), c("<none>", "Days"))
  expect_identical(stats::update(model, devFunOnly = TRUE)(model@theta), lme4::REMLcrit(model))
  expect_identical(lme4::getData(model), extra)
})

test_that("control takes lmerControl's arguments by their full names", {
  fit <- function(control) fit_lmer("control", "Yield ~ 1 + (1 | Batch)", lme4::Dyestuff, control = control)
  expect_error(fit(list("system")), class = "error")
  for (name in c("", "optimi", "mod.type", "nonsense")) {
    expect_error(fit(stats::setNames(list("bobyqa"), name)), paste0('control has "', name, '"; lmerControl'),
                 class = "lmerbridge_refusal", fixed = TRUE)
  }
})
