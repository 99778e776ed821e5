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

# Print a list of `name` and `value`, one pair per line, with a tab between them.
print_facts <- function(facts) cat(paste(facts$name, facts$value, sep = "\t"), sep = "\n")
