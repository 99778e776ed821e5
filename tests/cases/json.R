# A value as JSON text: named lists are objects, AsIs and longer vectors are arrays, numbers keep 17 digits.
json <- function(x) {
  if (is.null(x)) return("null")
  if (is.list(x) && !is.null(names(x)))
    return(paste0("{", paste0(vapply(names(x), json, ""), ": ", vapply(x, json, ""), collapse = ",\n "), "}"))
  if (is.list(x) || inherits(x, "AsIs") || length(x) != 1)
    return(paste0("[", paste(vapply(unclass(x), json, ""), collapse = ", "), "]"))
  if (is.na(x)) "null"
  else if (is.character(x)) encodeString(enc2utf8(x), quote = "\"")
  else if (is.logical(x)) tolower(as.character(x))
  else format(x, digits = 17)
}
