dataset_packages <- c("lme4", "nlme", "MASS", "pbkrtest", "lmerTest", "datasets", "HSAUR3", "mlmRev", "glmmTMB")

# A data set of one of the packages, in the form of describe_frame().
dataset <- function(name, package = NULL) {
  frame <- find_dataset(name, package)
  if (!is.data.frame(frame)) stop("'", name, "' is a ", class(frame)[1L], ", not a data frame", call. = FALSE)
  describe_frame(frame)
}

find_dataset <- function(name, package) {
  from <- if (is.null(package)) dataset_packages else match.arg(package, dataset_packages)
  for (candidate in from) {
    data <- data_of(candidate)
    if (exists(name, envir = data, inherits = FALSE)) return(get(name, envir = data))
  }
  stop("no data set '", name, "' in ", paste(from, collapse = ", "), call. = FALSE)
}

# Name, package, title, rows and columns of each data set of the packages that dataset() can give.
dataset_list <- function() {
  found <- do.call(rbind, lapply(dataset_packages, datasets_of))
  structure(as.list(found), names = paste0("dataset.", names(found)))
}

# The data sets of a package as promises, none where it is not installed. The package's own code is not loaded: that of
# some says something, and takes its time.
data_of <- function(package) {
  found <- new.env(parent = emptyenv())
  stored <- file.path(system.file("data", package = package), "Rdata")
  if (file.exists(paste0(stored, ".rdx"))) lazyLoad(stored, found)
  found
}

datasets_of <- function(package) {
  frames <- Filter(has_form, as.list(data_of(package)))
  if (!length(frames)) return(NULL)
  names <- sort(names(frames), method = "radix")
  help <- utils::data(package = package)$results
  title <- help[match(names, sub(" .*", "", help[, "Item"])), "Title"]
  data.frame(name = names, package = rep(package, length(names)), title = ifelse(is.na(title), "", title),
             rows = vapply(frames[names], nrow, 0L), columns = vapply(frames[names], function(frame) length(spread(frame)), 0L),
             row.names = NULL, stringsAsFactors = FALSE)
}

has_form <- function(frame) is.data.frame(frame) && is.list(tryCatch(describe_frame(frame), error = function(e) NULL))

# Describe any data frame as one flat list of plain vectors: `rows`; `row.name`, empty where rows have numbers only;
# `column.name`, `column.kind`; and per column i `values.i` and `detail.i`, which is a factor's levels, a time's zone
# or a difference's units.
describe_frame <- function(frame) {
  columns <- spread(frame)
  kinds <- vapply(columns, column_kind, "", USE.NAMES = FALSE)
  at <- seq_along(columns)
  c(list(rows = nrow(frame), row.name = row_labels(frame), column.name = as.character(names(columns)),
         column.kind = kinds),
    structure(Map(plain, unname(columns), kinds), names = paste0("values.", at)[at]),
    structure(Map(detail, unname(columns), kinds), names = paste0("detail.", at)[at]))
}

# Make one list of the columns of a data frame. The columns of a matrix or a frame inside it have the names that
# print() gives.
spread <- function(frame) {
  parts <- Map(function(column, name) {
    if (length(dim(column)) != 2L) return(structure(list(column), names = name))
    inner <- if (is.data.frame(column)) spread(column) else lapply(seq_len(ncol(column)), function(j) column[, j])
    labels <- if (is.data.frame(column)) names(inner) else colnames(column)
    structure(inner, names = paste(name, if (is.null(labels)) seq_along(inner) else labels, sep = "."))
  }, unclass(frame), names(frame))
  do.call(c, unname(parts))
}

row_labels <- function(frame) {
  labels <- attr(frame, "row.names")
  if (identical(as.character(labels), as.character(seq_along(labels)))) character() else labels
}

known_classes <- list(ordered = c("ordered", "factor"), factor = "factor", date = "Date", difftime = "difftime",
                      datetime = c("POSIXct", "POSIXt"), logical = "logical", integer = "integer", double = "numeric",
                      character = "character")

column_kind <- function(column) {
  class <- setdiff(class(column), "AsIs")
  if (!length(class)) class <- class(unclass(column))
  kind <- names(Filter(function(known) identical(known, class), known_classes))
  if (!length(kind)) stop("a column of class ", class[1L], " has no form in Python", call. = FALSE)
  limits <- range_limits[[kind]]
  if (!is.null(limits)) check_times(as.numeric(column, units = "secs"), limits, kind)
  kind
}

# The days of the years 1 to 9999, and the seconds whose microseconds 64 bits hold.
range_limits <- list(date = c(-719162, 2932896), datetime = c(-9.2e12, 9.2e12), difftime = c(-9.2e12, 9.2e12))

check_times <- function(numbers, limits, kind) {
  there <- numbers[!is.na(numbers)]
  outside <- there < limits[1L] | there > limits[2L]
  if (any(outside)) stop("a ", kind, " out of range has no form in Python", call. = FALSE)
  if (kind == "date" && any(there %% 1 != 0)) stop("a part of a day has no form in Python", call. = FALSE)
}

plain <- function(column, kind) switch(kind, factor = , ordered = as.integer(column), as.vector(unclass(column)))

detail <- function(column, kind) {
  switch(kind, factor = , ordered = levels(column), difftime = units(column),
         datetime = c(attr(column, "tzone"), "")[1L], character())
}
