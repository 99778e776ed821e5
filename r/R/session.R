# The facts on which a last bit depends: R, its packages, BLAS and LAPACK, the processor's code path, addresses and
# locale.
session_facts <- function() {
  facts <- c(R = paste(R.version$major, R.version$minor, sep = "."),
             vapply(c("lme4", "Matrix", "minqa", "nloptr"), written_version, ""),
             BLAS = library_file(extSoftVersion()[["BLAS"]]), LAPACK = La_version(),
             `BLAS kernel` = getOption("lmerbridge.kernel", ""),
             OPENBLAS_CORETYPE = Sys.getenv("OPENBLAS_CORETYPE"), addresses = addresses(),
             platform = R.version$platform, locale = Sys.getlocale("LC_CTYPE"))
  facts <- facts[nzchar(facts)]
  list(name = names(facts), value = unname(facts))
}

# The version as DESCRIPTION has it, such as "1.1-31".
written_version <- function(package) utils::packageDescription(package)$Version

# The end of a library's path, such as "openblas-serial/libblas.so.3". The directory tells which BLAS it is.
library_file <- function(path) {
  parts <- strsplit(normalizePath(path, mustWork = FALSE), "/", fixed = TRUE)[[1L]]
  paste(utils::tail(parts, 2L), collapse = "/")
}

# Whether Linux loads libraries at "fixed" or "random" addresses, and "" elsewhere. lme4's choice among equally good
# permutations depends on it.
addresses <- function(file = "/proc/self/personality") {
  if (!file.exists(file)) return("")
  no_randomize <- bitwAnd(strtoi(readLines(file, 1L, warn = FALSE), 16L), 0x0040000L)
  if (no_randomize > 0L) "fixed" else "random"
}
