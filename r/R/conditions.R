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

# Call a function of this package. Returns a flat list with the elements of the function's own flat list. Where the
# function did not end well, `status` is "error" or "interrupt". Where there are conditions, the vectors
# `condition.kind`, `.text`, `.classes` and `.call` have one element per condition, in their order.
call_named <- function(fun, args, released = NULL) {
  if (length(released)) release(released)
  rows <- list()
  note <- function(kind, condition) rows[[length(rows) + 1L]] <<- as_row(kind, condition)
  status <- NULL
  value <- tryCatch(
    withCallingHandlers(
      do.call(fun, args, quote = TRUE),
      warning = function(w) {
        note("warning", w)
        tryInvokeRestart("muffleWarning")
      },
      message = function(m) {
        note("message", m)
        tryInvokeRestart("muffleMessage")
      }
    ),
    error = function(e) {
      note("error", e)
      status <<- "error"
      list()
    },
    interrupt = function(i) {
      status <<- "interrupt"
      list()
    }
  )
  c(if (length(status)) list(status = status), if (length(rows)) describe_conditions(rows), value)
}

describe_conditions <- function(rows) {
  field <- function(name) vapply(rows, `[[`, "", name)
  list(condition.kind = field("kind"), condition.text = field("text"), condition.classes = field("classes"),
       condition.call = field("call"))
}
