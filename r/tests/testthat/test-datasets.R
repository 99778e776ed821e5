test_that("a data set comes column by column, factors as codes and levels", {
  found <- dataset("sleepstudy")
  expect_identical(found$column.name, names(lme4::sleepstudy))
  expect_identical(found$column.kind, c("double", "double", "factor"))
  expect_identical(found$values.1, lme4::sleepstudy$Reaction)
  expect_identical(found$values.3, as.integer(lme4::sleepstudy$Subject))
  expect_identical(found$detail.3, levels(lme4::sleepstudy$Subject))
  expect_identical(found$detail.1, character())
})

test_that("a package narrows the search", {
  expect_identical(dataset("Oxide", "nlme")$column.kind[1:2], c("factor", "factor"))
  expect_error(dataset("Oxide", "lme4"), "no data set 'Oxide' in lme4")
  expect_error(dataset("nothing of the kind"), "in lme4, nlme, MASS, pbkrtest, lmerTest")
  expect_error(dataset("sleepstudy", "base"), "should be one of")
})

test_that("every kind of column has a name, and what has none is an error", {
  columns <- list(double = 1.5, integer = 1L, logical = TRUE, factor = factor("a"), ordered = ordered("a"),
                  character = "a", date = as.Date("2020-02-29"), datetime = .POSIXct(0, "UTC"),
                  difftime = as.difftime(1, units = "mins"), double = I(1.5))
  expect_identical(vapply(columns, column_kind, "", USE.NAMES = FALSE), names(columns))
  expect_error(column_kind(1i), "class complex has no form")
  expect_error(column_kind(matrix(1L, 2, 2)), "class matrix has no form")
  expect_error(column_kind(as.Date(0.5, origin = "1970-01-01")), "a part of a day has no form")
  expect_error(column_kind(.POSIXct(1e13)), "a datetime out of range has no form")
})

test_that("a list of data sets holds the frames that can be loaded", {
  found <- dataset_list()
  expect_identical(names(found), paste0("dataset.", c("name", "package", "title", "rows", "columns")))
  at <- which(found$dataset.name == "sleepstudy")
  expect_identical(found$dataset.package[at], "lme4")
  expect_identical(c(found$dataset.rows[at], found$dataset.columns[at]), c(180L, 3L))
  expect_true("mtcars" %in% found$dataset.name)
  expect_false("VADeaths" %in% found$dataset.name)
})

test_that("every data set of the packages loads whole or stops with a reason", {
  installed <- dataset_packages[nzchar(vapply(dataset_packages, function(p) system.file(package = p), ""))]
  before <- loadedNamespaces()
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
  expect_false("glmmTMB" %in% setdiff(loadedNamespaces(), before))
})
