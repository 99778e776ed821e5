# The models that R keeps for Python. Each stands under a handle, with the environment that holds its data, so that
# update, refit and drop1 find them. Python releases the handle with its last reference.

models <- new.env(parent = emptyenv())

keep <- function(handle, model, scope) {
  if (inherits(model, "merMod")) offer_optimizer(model@optinfo$optimizer)
  assign(handle, list(model = model, scope = scope), envir = models)
}

entry_of <- function(handle) get(handle, envir = models, inherits = FALSE)

model_of <- function(handle) entry_of(handle)$model

# Forget models. Returns how many are left.
release <- function(handles) {
  rm(list = intersect(handles, ls(models)), envir = models)
  list(kept = length(models))
}

# R's own summary, as printed.
summary_text <- function(handle) {
  list(text = paste(utils::capture.output(print(summary(model_of(handle)))), collapse = "\n"))
}
