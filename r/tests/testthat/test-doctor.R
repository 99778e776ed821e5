test_that("installed_facts reads versions from files and loads nothing", {
  facts <- installed_facts(c("lme4", "no.such.package"))
  value <- stats::setNames(facts$value, facts$name)
  expect_identical(value[["lme4"]], utils::packageDescription("lme4")$Version)
  expect_identical(value[["no.such.package"]], "")
  expect_identical(value[["R"]], paste(R.version$major, R.version$minor, sep = "."))
  skip_if_not(file.exists("../../R/doctor.R"), "the sources are not beside the tests")
  script <- "sys.source('../../R/doctor.R', globalenv()); invisible(installed_facts('lme4')); cat(loadedNamespaces())"
  loaded <- system2(file.path(R.home("bin"), "Rscript"), c("--vanilla", "-e", shQuote(script)), stdout = TRUE)
  expect_false(any(grepl("lme4", loaded)))
})

test_that("load_errors tells of packages that do not load, and of no other", {
  expect_identical(load_errors("lme4"), list(name = character(), value = character()))
  errors <- load_errors(c("lme4", "no.such.package"))
  expect_identical(errors$name, c("no.such.package.error", "no.such.package.library"))
  expect_match(errors$value[[1L]], "there is no package called")
  expect_identical(errors$value[[2L]], "")
})

test_that("print_facts writes one pair per line", {
  expect_output(print_facts(list(name = c("a", "b"), value = c("1", ""))), "a\t1\nb\t")
})
