flat <- function(found) found[c("sigma", "df_residual", "df_by_rank")]
rows <- data.frame(g = rep(letters[1:3], c(4, 4, 1)), x = c(1:4, 1:4, 1), y = c(1, 3, 2, 5, 2, 2, 4, 3, 7))

test_that("a group of one row counts as lme4 counts it, and by rank", {
  found <- fit_lmlist("list", "y ~ x | g", rows)
  expect_identical(found$df_by_rank, 4L)
  expect_identical(found$df_residual, if (lme4_since("2.1-0")) 4L else 3L)
  expect_identical(is.nan(found$coef), c(rep(FALSE, 5L), TRUE))
})

test_that("groups without degrees of freedom have coefficients, and missing errors", {
  found <- fit_lmlist("none", "y ~ x | g", rows[c(1, 2, 5, 6), ])
  expect_identical(flat(found), list(sigma = NaN, df_residual = 0L, df_by_rank = 0L))
  expect_true(all(is.finite(found$coef)))
})

test_that("an offset of new rows is their own", {
  fit_lmlist("offset", "y ~ x + offset(z) | g", transform(rows[1:8, ], z = x^2))
  new <- data.frame(g = c("b", "a"), x = c(2, 3), z = c(10, 20))
  without <- lme4::lmList(y - x^2 ~ x | g, rows[1:8, ])
  found <- lmlist_predict("offset", new)
  expected <- c(predict(without[["b"]], new[1, ]), predict(without[["a"]], new[2, ])) + new$z
  expect_equal(found$value[order(found$rows)], unname(expected))
})
