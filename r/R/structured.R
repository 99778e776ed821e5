# Covariance structures of lme4 2.x: us(), diag(), cs() and ar1() around a random term.

# Describe each random term: its kind, whether it has one variance, and how many of the parameters `par` it has.
describe_structures <- function(model) {
  found <- structures_of(model)
  width <- lengths(model@cnms, use.names = FALSE)
  if (is.null(found)) {
    none <- rep("us", length(width))
    return(list(structure.kind = none, structure.hom = none != "us", structure.size = (width * (width + 1L)) %/% 2L,
                structure.par = model@theta))
  }
  par <- lapply(found, function(term) term@par)
  list(
    structure.kind = vapply(found, function(term) sub("Covariance.", "", class(term), fixed = TRUE), ""),
    structure.hom = vapply(found, function(term) methods::.hasSlot(term, "hom") && term@hom, NA),
    structure.size = lengths(par, use.names = FALSE),
    structure.par = unlist(par, use.names = FALSE)
  )
}
