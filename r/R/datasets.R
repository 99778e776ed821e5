dataset_packages <- c("lme4", "nlme", "MASS", "pbkrtest", "lmerTest")

# A data set of one of the packages, as kinds and columns: `column.name`, `column.kind` (double, integer,
# logical, factor, ordered, character), and per column i `values.i` and, for factors, `levels.i`.
dataset <- function(name, package = NULL) {
  frame <- find_dataset(name, package)
  if (!is.data.frame(frame)) stop("'", name, "' is a ", class(frame)[1L], ", not a data frame", call. = FALSE)
  values <- lapply(frame, plain)
  levels <- lapply(frame, function(column) if (is.factor(column)) levels(column) else character())
  names(values) <- paste0("values.", seq_along(values))
  names(levels) <- paste0("levels.", seq_along(levels))
  c(list(column.name = names(frame), column.kind = vapply(frame, column_kind, "", USE.NAMES = FALSE)), values, levels)
}

find_dataset <- function(name, package) {
  from <- if (is.null(package)) dataset_packages else match.arg(package, dataset_packages)
  for (candidate in from[vapply(from, requireNamespace, TRUE, quietly = TRUE)]) {
    data <- getNamespaceInfo(candidate, "lazydata")
    if (exists(name, envir = data, inherits = FALSE)) return(get(name, envir = data))
  }
  stop("no data set '", name, "' in ", paste(from, collapse = ", "), call. = FALSE)
}

column_kind <- function(column) {
  if (!is.null(dim(column))) stop("a column that is a matrix has no form in Python", call. = FALSE)
  else if (is.ordered(column)) "ordered"
  else if (is.factor(column)) "factor"
  else if (is.logical(column)) "logical"
  else if (is.integer(column)) "integer"
  else if (is.numeric(column)) "double"
  else if (is.character(column)) "character"
  else stop("a column of class ", class(column)[1L], " has no form in Python", call. = FALSE)
}

plain <- function(column) if (is.factor(column)) as.integer(column) else as.vector(column)
