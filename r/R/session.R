# What a last bit depends on: R, the packages, BLAS and LAPACK, platform and locale.
session_facts <- function() {
  versions <- vapply(c("lme4", "Matrix", "minqa", "nloptr"),
                     function(package) as.character(utils::packageVersion(package)), "")
  facts <- c(R = paste(R.version$major, R.version$minor, sep = "."), versions,
             BLAS = basename(extSoftVersion()[["BLAS"]]), LAPACK = La_version(), platform = R.version$platform,
             locale = Sys.getlocale("LC_CTYPE"))
  list(name = names(facts), value = unname(facts))
}
