# Run the tests of the package, from its folder: Rscript --vanilla tests/testthat.R
# There the functions are tested as the worker has them, read by sys.source into one environment, with nothing installed.
# R CMD check runs this file in a folder without them, and tests those of the package that it has installed.
functions <- if (dir.exists("R")) new.env(parent = globalenv()) else asNamespace("lmerbridge")
for (file in sort(list.files("R", pattern = "[.]R$", full.names = TRUE))) sys.source(file, functions)
tests <- if (dir.exists("R")) "tests/testthat" else "testthat"
testthat::test_dir(tests, env = new.env(parent = functions), reporter = "check", stop_on_failure = TRUE,
                   stop_on_warning = TRUE)
