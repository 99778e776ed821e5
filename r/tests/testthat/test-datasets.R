test_that("a data set comes column by column, factors as codes and levels", {
  found <- dataset("sleepstudy")
  expect_identical(found$column.name, names(lme4::sleepstudy))
  expect_identical(found$column.kind, c("double", "double", "factor"))
  expect_identical(found$values.1, lme4::sleepstudy$Reaction)
  expect_identical(found$values.3, as.integer(lme4::sleepstudy$Subject))
  expect_identical(found$levels.3, levels(lme4::sleepstudy$Subject))
  expect_identical(found$levels.1, character())
})

test_that("a package narrows the search", {
  expect_identical(dataset("Oxide", "nlme")$column.kind[1:2], c("factor", "factor"))
  expect_error(dataset("Oxide", "lme4"), "no data set 'Oxide' in lme4")
  expect_error(dataset("nothing of the kind"), "in lme4, nlme, MASS, pbkrtest, lmerTest")
  expect_error(dataset("sleepstudy", "base"), "should be one of")
})

test_that("every kind of column has a name, and what has none is an error", {
  kinds <- list(1.5, 1L, TRUE, factor("a"), ordered("a"), "a")
  expect_identical(vapply(kinds, column_kind, ""), c("double", "integer", "logical", "factor", "ordered", "character"))
  expect_error(column_kind(Sys.Date()), "class Date has no form")
  expect_error(column_kind(matrix(1L, 2, 2)), "a matrix has no form")
})

test_that("every data set of the packages loads whole or stops with a reason", {
  installed <- dataset_packages[vapply(dataset_packages, requireNamespace, TRUE, quietly = TRUE)]
  items <- do.call(rbind, lapply(installed, function(p) utils::data(package = p)$results[, c("Package", "Item")]))
  items[, "Item"] <- sub(" .*", "", items[, "Item"])
  loaded <- 0L
  for (i in seq_len(nrow(items))) {
    found <- tryCatch(dataset(items[i, "Item"], items[i, "Package"]), error = conditionMessage)
    if (is.character(found)) {
      expect_match(found, "has no form in Python|, not a data frame", info = items[i, "Item"])
    } else {
      values <- found[paste0("values.", seq_along(found$column.name))]
      expect_true(all(vapply(values, function(v) is.null(attributes(v)), TRUE)), info = items[i, "Item"])
      expect_length(unique(lengths(values)), 1L)
      loaded <- loaded + 1L
    }
  }
  expect_gt(loaded, 100L)
})
