# The versions of what is installed, read from files. No package is loaded, so that `make setup` can ask every time.
installed_facts <- function(packages) {
  versions <- vapply(packages, installed_version, "")
  facts <- c(R = paste(R.version$major, R.version$minor, sep = "."), home = R.home(),
             headers = file.exists(file.path(R.home("include"), "R.h")),
             BLAS = extSoftVersion()[["BLAS"]], UTF8 = l10n_info()[["UTF-8"]], versions)
  list(name = names(facts), value = unname(facts))
}

# The version of an installed package, or "" where it is missing.
installed_version <- function(package) {
  directory <- find.package(package, quiet = TRUE)
  if (length(directory) == 0L) "" else read.dcf(file.path(directory[1L], "DESCRIPTION"), "Version")[[1L]]
}

# Why packages do not load, as `PACKAGE.error`, and from where, as `PACKAGE.library`; nothing of those that do.
load_errors <- function(packages) {
  errors <- vapply(packages, load_error, "")
  failed <- packages[nzchar(errors)]
  library <- dirname(vapply(failed, function(package) c(find.package(package, quiet = TRUE), "")[1L], ""))
  list(name = c(sprintf("%s.error", failed), sprintf("%s.library", failed)), value = c(errors[failed], library))
}

# Why a package does not load, on one line; "" where it does.
load_error <- function(package) {
  error <- tryCatch({ loadNamespace(package); NULL }, error = conditionMessage)
  if (is.null(error)) "" else gsub("[[:space:]]+", " ", trimws(error))
}

# Print a list of `name` and `value`, one pair per line, with a tab between them.
print_facts <- function(facts) cat(paste(facts$name, facts$value, sep = "\t"), sep = "\n")
