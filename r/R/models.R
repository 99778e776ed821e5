# Fitted models live here under a handle, each with the environment that holds its data, so that update,
# refit and drop1 find it; Python releases the handle with its last reference.

models <- new.env(parent = emptyenv())

keep <- function(handle, model, scope) assign(handle, list(model = model, scope = scope), envir = models)

kept <- function(handle) get(handle, envir = models, inherits = FALSE)

# Forget models. Returns how many are left.
release <- function(handles) {
  rm(list = intersect(handles, ls(models)), envir = models)
  list(kept = length(models))
}

# R's own summary, as printed.
summary_text <- function(handle) {
  list(text = paste(utils::capture.output(print(summary(kept(handle)$model))), collapse = "\n"))
}
