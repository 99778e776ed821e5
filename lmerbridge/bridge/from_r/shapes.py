"""What the vectors of a reply must be to one another: a reply may come from a file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import numpy as np

from lmerbridge.bridge.from_r.replies import DesignReply, FitReply, GlmerReply, Integers


def fit_faults(fit: FitReply) -> Iterator[str]:
    """Yield a clause for each vector of a fit that does not suit the others."""
    n, p = len(fit.rows), len(fit.terms)
    block, group, structure = fit.block, fit.group, fit.structure
    k, widths = len(block.name), block.width.tolist()
    yield from _rows(fit.rows)
    yield from _counts({"block.width": block.width, "group.size": group.size, "group.width": group.width})
    yield from _counts({"structure.size": structure.size}, least=0)
    yield from _lengths(fit, beta=p, covariance=p * p, fitted_values=n, residual_values=n)
    if isinstance(fit, GlmerReply):
        yield from _lengths(fit, p_values=p, linear_predictor=n)
    squares = sum(width**2 for width in widths)
    yield from _lengths(block, "block.", group=k, width=k, term=sum(widths), stddev=sum(widths))
    yield from _lengths(block, "block.", covariance=squares, correlation=squares)
    yield from _lengths(structure, "structure.", kind=k, hom=k, size=k, par=sum(structure.size.tolist()))
    if set(structure.kind) <= {"us"}:
        yield from _lengths(fit, theta=sum(width * (width + 1) // 2 for width in widths))
    g, sizes, columns = len(group.name), group.size.tolist(), group.width.tolist()
    yield from _lengths(group, "group.", size=g, width=g, level=sum(sizes), term=sum(columns))
    yield from _lengths(group, "group.", mode=sum(map(int.__mul__, sizes, columns)))


def design_faults(design: DesignReply) -> Iterator[str]:
    """Yield a clause for each vector of a design that does not suit the others."""
    n, random, z = len(design.y), design.random, design.z
    k, sizes, widths = len(random.group), random.size.tolist(), random.width.tolist()
    yield from _lengths(design, x=n * len(design.terms), weights=n, offset=n, rows=n)
    yield from _rows(design.rows)
    yield from _counts({"random.size": random.size, "random.width": random.width})
    yield from _lengths(random, "random.", size=k, width=k, level=sum(sizes), term=sum(widths))
    yield from _lengths(z, "z.", i=len(z.x), p=n + 1)
    columns = sum(map(int.__mul__, sizes, widths))
    yield from _beyond("z.i", z.i, columns - 1, f"but the matrix has {columns} columns (0 to {columns - 1})")
    yield from _beyond("z.p", z.p, len(z.x), f"but there are {len(z.x)} elements (0 to {len(z.x)})")
    steps = np.diff(z.p, prepend=0, append=len(z.x))
    for place in np.flatnonzero((steps < 0) | ((np.arange(n + 2) % (n + 1) == 0) & (steps != 0)))[:1]:
        expected = "from 0 up to the number of elements, none less than the one before it, is expected"
        yield f"z.p[{min(place, n)}] is {z.p[min(place, n)]}; {expected}"


def _lengths(vectors: object, prefix: str = "", **lengths: int) -> Iterator[str]:
    for name, length in lengths.items():
        if len(getattr(vectors, name)) != length:
            yield f"{prefix}{name} has {len(getattr(vectors, name))} values; {length} are expected"


def _rows(rows: Integers) -> Iterator[str]:
    yield from _counts({"rows": rows})
    if len(np.unique(rows)) < len(rows):
        yield "rows has a row twice; each once is expected"


def _counts(vectors: Mapping[str, Integers], least: int = 1) -> Iterator[str]:
    for name, counts in vectors.items():
        for place in np.flatnonzero(counts < least)[:1]:
            yield f"{name}[{place}] is {counts[place]}; {least} or more is expected"


def _beyond(name: str, indices: Integers, last: int, told: str) -> Iterator[str]:
    for place in np.flatnonzero((indices < 0) | (indices > last))[:1]:
        yield f"{name}[{place}] is {indices[place]}, {told}"
