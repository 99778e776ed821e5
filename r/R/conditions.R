# Conditions as data: whatever a function signals comes back in its result.

class_text <- function(condition) paste(class(condition), collapse = "\x1f")

call_text <- function(condition) {
  call <- conditionCall(condition)
  if (is.null(call)) return("")
  lines <- deparse(without_values(call), nlines = 2L)
  if (length(lines) > 1L) paste0(lines[1L], "...") else lines
}

# A call with "..." for its values, such as a model or the data, which stand as they are in a call that do.call() made.
without_values <- function(part) {
  if (is.function(part) || is.symbol(part) || is.null(part)) return(part)
  if (!is.call(part)) return(if (is.atomic(part) && length(part) == 1L && is.null(attributes(part))) part else quote(...))
  if (identical(part[[1L]], quote(base::quote))) return(without_values(part[[2L]]))
  if (identical(part[[1L]], as.name("function"))) part else as.call(lapply(part, without_values))
}

as_row <- function(kind, condition) {
  c(kind = kind, text = conditionMessage(condition), classes = class_text(condition),
    call = call_text(condition))
}

# A row as the name of a variable, which has to be short: its length, its beginning and its end.
as_key <- function(row, most = 1000L) {
  text <- iconv(paste(row, collapse = "\x1f"), "UTF-8", "UTF-8", sub = "byte")
  size <- nchar(text)
  if (size <= 2L * most) text else paste(size, substr(text, 1L, most), substr(text, size - most, size))
}

# Conditions in their order, each once with a count: a density may warn per row and evaluation. Of warnings and messages
# that differ in their numbers alone, the first few stand for themselves, and the last of these for all that follow.
new_notes <- function(alike = 10L) {
  rows <- list()
  count <- integer()
  place <- new.env(parent = emptyenv())
  shapes <- new.env(parent = emptyenv())
  note <- function(kind, condition) {
    row <- as_row(kind, condition)
    key <- as_key(row)
    shape <- gsub("[0-9]+([.][0-9]+)?(e[+-]?[0-9]+)?", "#", key)
    at <- if (kind != "error") place[[key]]
    if (is.null(at) && kind != "error" && length(shapes[[shape]]) >= alike) at <- shapes[[shape]][alike]
    if (is.null(at)) {
      at <- length(rows) + 1L
      rows[[at]] <<- row
      count[at] <<- 0L
      place[[key]] <- at
      shapes[[shape]] <- c(shapes[[shape]], at)
    }
    count[at] <<- count[at] + 1L
  }
  list(note = note, described = function() if (length(rows)) describe_conditions(rows, count))
}

# Evaluate an expression, and note its warnings and messages instead of giving them.
quietly <- function(expr, notes) {
  withCallingHandlers(expr, warning = function(w) {
    notes$note("warning", w)
    tryInvokeRestart("muffleWarning")
  }, message = function(m) {
    notes$note("message", m)
    tryInvokeRestart("muffleMessage")
  })
}

# Call a function of this package. Returns a flat list with the elements of the function's own flat list. Where the
# function did not end well, `status` is "error" or "interrupt". Where there are conditions, the vectors
# `condition.kind`, `.text`, `.classes`, `.call` and `.count` have one element per condition, in their order.
call_named <- function(fun, args, released = NULL) {
  if (length(released)) release(released)
  notes <- new_notes()
  status <- NULL
  value <- tryCatch(
    quietly(do.call(fun, args, quote = TRUE), notes),
    error = function(e) {
      notes$note("error", e)
      status <<- "error"
      list()
    },
    interrupt = function(i) {
      status <<- "interrupt"
      list()
    }
  )
  c(if (length(status)) list(status = status), notes$described(), value)
}

describe_conditions <- function(rows, count) {
  field <- function(name) vapply(rows, `[[`, "", name)
  list(condition.kind = field("kind"), condition.text = field("text"), condition.classes = field("classes"),
       condition.call = field("call"), condition.count = count)
}

# The same, packed.
call_packed <- function(fun, args, released = NULL) pack(call_named(fun, args, released))

packed_kinds <- c(double = 1L, integer = 2L, logical = 2L, character = 3L)

# A flat list in few vectors, as each costs time where it is read: the names of its elements, their kinds and lengths; of
# each kind the short elements, one after another; then those of kind 0, each by itself, that are long or have a class.
pack <- function(flat, short = 1000L) {
  size <- lengths(flat, use.names = FALSE)
  kind <- packed_kinds[vapply(flat, typeof, "", USE.NAMES = FALSE)]
  kind[is.na(kind) | size > short | vapply(flat, is.object, NA, USE.NAMES = FALSE)] <- 0L
  each <- lapply(1:3, function(one) unlist(flat[kind == one], use.names = FALSE))
  c(list(names(flat), unname(kind), size), each, unname(flat[kind == 0L]))
}
