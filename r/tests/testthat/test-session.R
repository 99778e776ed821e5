test_that("the facts of a session are pairs of names and texts", {
  found <- session_facts()
  facts <- stats::setNames(found$value, found$name)
  expect_true(all(c("R", "lme4", "Matrix", "minqa", "nloptr", "BLAS", "LAPACK", "platform", "locale") %in% found$name))
  expect_identical(facts[["lme4"]], read.dcf(system.file("DESCRIPTION", package = "lme4"), "Version")[[1L]])
  expect_match(facts[["lme4"]], "-")
  expect_true(endsWith(normalizePath(extSoftVersion()[["BLAS"]]), facts[["BLAS"]]))
  expect_true(all(nzchar(found$value)))
})

test_that("OpenBLAS's code path is a fact where it is set", {
  old <- Sys.getenv("OPENBLAS_CORETYPE", NA)
  on.exit(if (is.na(old)) Sys.unsetenv("OPENBLAS_CORETYPE") else Sys.setenv(OPENBLAS_CORETYPE = old))
  Sys.setenv(OPENBLAS_CORETYPE = "Nehalem")
  expect_identical(session_facts()$value[session_facts()$name == "OPENBLAS_CORETYPE"], "Nehalem")
  Sys.unsetenv("OPENBLAS_CORETYPE")
  expect_false("OPENBLAS_CORETYPE" %in% session_facts()$name)
})

test_that("a library is known by its directory and file, links followed", {
  folder <- tempfile()
  dir.create(file.path(folder, "real"), recursive = TRUE)
  file.create(file.path(folder, "real", "libblas.so.3.10"))
  file.symlink(file.path(folder, "real", "libblas.so.3.10"), file.path(folder, "libblas.so.3"))
  expect_identical(library_file(file.path(folder, "libblas.so.3")), "real/libblas.so.3.10")
  expect_identical(library_file(""), "")
})

test_that("addresses are fixed where the personality says so", {
  file <- tempfile()
  for (case in list(c("00040000", "fixed"), c("00000000", "random"), c("00440008", "fixed"))) {
    writeLines(case[1L], file)
    expect_identical(addresses(file), case[2L])
  }
  expect_identical(addresses(tempfile()), "")
})
