test_that("what a function returns comes alone where nothing was signalled", {
  found <- call_named(function(x) list(twice = 2 * x), list(x = 21))
  expect_identical(found, list(twice = 42))
})

test_that("conditions come in the order they arose, each with kind, text, classes and call", {
  talk <- function() {
    message("one")
    warning("two")
    message("three")
    list(value = 1L)
  }
  expect_silent(found <- call_named(talk, list()))
  expect_null(found$status)
  expect_identical(found$condition.kind, c("message", "warning", "message"))
  expect_identical(found$condition.text, c("one\n", "two", "three\n"))
  expect_identical(found$condition.classes, c("simpleMessage\x1fmessage\x1fcondition",
                                              "simpleWarning\x1fwarning\x1fcondition",
                                              "simpleMessage\x1fmessage\x1fcondition"))
  expect_match(found$condition.call[2L], "^\\(function \\(\\)")
  expect_identical(found$value, 1L)
})

test_that("an error ends the call, is the last condition, and keeps its class and call", {
  fail <- function(x) {
    warning("before")
    stop(structure(class = c("our_error", "error", "condition"), list(message = "no", call = quote(f(x + 1)))))
  }
  found <- call_named(fail, list(x = 1))
  expect_identical(found$status, "error")
  expect_identical(found$condition.kind, c("warning", "error"))
  expect_identical(found$condition.text[2L], "no")
  expect_identical(found$condition.classes[2L], "our_error\x1ferror\x1fcondition")
  expect_identical(found$condition.call[2L], "f(x + 1)")
  expect_null(found$value)
})

test_that("the call of an error has no values, such as a model or the data, but for single ones", {
  stops <- function(object, ...) stop("no")
  told <- function(...) call_named("do.call", list("stops", list(...), TRUE, environment()))$condition.call
  model <- lme4::lmer(Reaction ~ 1 + (1 | Subject), lme4::sleepstudy)
  expect_identical(told(model, k = 2), "stops(..., k = 2)")
  expect_identical(told(lme4::sleepstudy, 1:3, "a"), "stops(..., ..., \"a\")")
  expect_identical(told(quote(x[, 1]), quote(f(NULL))), "stops(x[, 1], f(NULL))")
})

test_that("an error without a call has an empty one", {
  expect_identical(call_named(function() stop("no", call. = FALSE), list())$condition.call, "")
})

test_that("the error of a missing argument or an unknown one is data, too", {
  expect_identical(call_named(function(x) x, list(y = 1))$status, "error")
})

test_that("an interrupt is a status of its own", {
  interrupt <- structure(class = c("interrupt", "condition"), list(message = "", call = NULL))
  expect_identical(call_named(function() signalCondition(interrupt), list())$status, "interrupt")
})

test_that("arguments that are calls or symbols are not evaluated", {
  expect_identical(call_named(function(x) list(kind = class(x)), list(x = quote(stop("evaluated"))))$kind, "call")
})

test_that("a condition that comes again is counted, and of many that differ in numbers the first ten are kept", {
  found <- call_named(function() for (i in c(1, 1, 2:30)) warning("non-integer x = ", i / 2, call. = FALSE), list())
  expect_identical(found$condition.text, paste("non-integer x =", 1:10 / 2))
  expect_identical(found$condition.count, c(2L, rep(1L, 8L), 21L))
  others <- call_named(function() for (text in letters) message(text), list())
  expect_identical(others$condition.count, rep(1L, 26L))
})

test_that("an error is the last condition, also where a warning has its text", {
  fail <- function() {
    warning("no", call. = FALSE)
    warning("no", call. = FALSE)
    stop("no", call. = FALSE)
  }
  found <- call_named(fail, list())
  expect_identical(found$condition.kind, c("warning", "error"))
  expect_identical(found$condition.count, c(2L, 1L))
})

unpacked <- function(packed) {
  used <- c(0L, 0L, 0L)
  others <- packed[-(1:6)]
  take <- function(kind, size) {
    if (kind == 0L) {
      first <- others[1L]
      others <<- others[-1L]
      return(first)
    }
    at <- used[kind] + seq_len(size)
    used[kind] <<- used[kind] + size
    list(packed[[3L + kind]][at])
  }
  stats::setNames(do.call(c, Map(take, packed[[2L]], packed[[3L]])), packed[[1L]])
}

test_that("a packed list has all elements: short ones by kind, long ones and those of a class by themselves", {
  flat <- list(a = c(1, NA), b = "x", c = 3L, long = as.double(1:1001), d = c(u = TRUE, v = NA), none = NULL, e = character(),
               f = factor(c("v", "u")), g = factor("w"), day = as.Date("2020-01-01"), h = -0, i = NA_character_, call = quote(x))
  found <- pack(flat)
  expect_identical(found[[2L]], c(1L, 3L, 2L, 0L, 2L, 0L, 3L, 0L, 0L, 0L, 1L, 3L, 0L))
  bare <- flat
  bare$d <- c(1L, NA)
  expect_identical(unpacked(found), bare)
  expect_identical(pack(list()), list(NULL, integer(), integer(), NULL, NULL, NULL))
  expect_identical(call_packed(function(x) list(twice = 2 * x), list(x = 21)), pack(list(twice = 42)))
})
