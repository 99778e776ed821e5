# Describe any plain R object as one flat list of plain vectors: its `kind`, its values, and its names where it has
# any. The elements of a list come one after another, those of the i-th under "i.". Equal names get numbers, as in
# VarCorr().
describe <- function(object) {
  if (is.data.frame(object)) c(kind = "frame", describe_frame(object))
  else if (is.factor(object)) c(kind = "frame", describe_frame(data.frame(factor = object)))
  else if (is.list(object)) describe_list(object)
  else if (methods::is(object, "CHMfactor")) describe_list(list(lower = as_columns(object), permutation = object@perm))
  else if (methods::is(object, "sparseMatrix")) describe_sparse(as_columns(methods::as(object, "generalMatrix")))
  else if (length(dim(object)) > 1L) describe_array(if (methods::is(object, "Matrix")) as.matrix(object) else object)
  else list(kind = if (is.logical(object)) "logical" else "vector", values = as.vector(object), name = names(object))
}

as_columns <- function(matrix) methods::as(matrix, "CsparseMatrix")

describe_list <- function(items) {
  parts <- lapply(unname(items), describe)
  prefixed <- Map(function(part, i) structure(part, names = paste(i, names(part), sep = ".")), parts, seq_along(parts))
  c(list(kind = "list", name = make.unique(as.character(names(items)))), do.call(c, prefixed))
}

describe_sparse <- function(matrix) list(kind = "sparse", x = matrix@x, i = matrix@i, p = matrix@p, dim = matrix@Dim)

describe_array <- function(array) {
  labels <- dimnames(array)
  list(kind = if (length(dim(array)) == 2L) "matrix" else "array", values = as.vector(array), dim = dim(array),
       row = labels[[1L]], column = labels[[2L]])
}
