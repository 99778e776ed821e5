# Time R's part of the call that the Python package makes: the fit and its summary.
time_call <- function(formula, data) {
  started <- Sys.time()
  fit_lmer("bench", formula, data)
  summary_text("bench")
  seconds <- as.double(Sys.time() - started, units = "secs")
  release("bench")
  list(seconds = seconds)
}

# An empty call. Its time is the cost of a call itself.
nothing <- function() list()

# Collect garbage, so that memory measured afterwards belongs to the next call.
collect <- function() {
  gc()
  list()
}

# The bytes that the columns of a data frame take in R's memory.
bytes_of <- function(data) list(bytes = sum(vapply(data, function(column) as.double(utils::object.size(column)), 0)))
