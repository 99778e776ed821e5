# Test the functions as the worker has them: read with sys.source into one environment, nothing installed.
# Run from the folder of the package: Rscript --vanilla tests/testthat.R
functions <- new.env(parent = globalenv())
for (file in sort(list.files("R", pattern = "[.]R$", full.names = TRUE))) sys.source(file, functions)
testthat::test_dir("tests/testthat", env = new.env(parent = functions), reporter = "check", stop_on_failure = TRUE,
                   stop_on_warning = TRUE)
