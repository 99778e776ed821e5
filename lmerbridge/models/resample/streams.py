"""Streams of random numbers, one per replicate: L'Ecuyer's MRG32k3a, as R's package parallel counts them."""

from __future__ import annotations

from collections.abc import Sequence
from operator import mul
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

State: TypeAlias = NDArray[np.int32]
Matrix: TypeAlias = Sequence[Sequence[int]]

APART = 2**127  # numbers from one stream to the next
HALVES: tuple[tuple[Matrix, int], ...] = (  # of the generator: how three of its numbers move on, and their modulus
    (((0, 1, 0), (0, 0, 1), (-810728, 1403580, 0)), 4294967087),
    (((0, 1, 0), (0, 0, 1), (-1370589, 0, 527612)), 4294944443),
)


def stream(first: State, number: int) -> State:
    """Return R's ``.Random.seed`` at the beginning of a stream, however far it lies behind the first.

    It is what ``parallel::nextRNGStream`` gives when it is called so many times.

    Parameters
    ----------
    first : ndarray of int32, shape (7,)
        The state at the beginning of the first stream: the kinds of generators, and six numbers.
    number : int
        From 0.

    Source: L'Ecuyer, Simard, Chen and Kelton (2002), An object-oriented random-number package.

    Examples
    --------
    >>> stream(np.array([10407, 1, 2, 3, 4, 5, 6], np.int32), 0).tolist()
    [10407, 1, 2, 3, 4, 5, 6]
    """
    numbers = first[1:].view(np.uint32).tolist()
    halves = (numbers[:3], numbers[3:])
    moved = [
        _times(_power(matrix, APART * number, modulus), [[x] for x in half], modulus)
        for (matrix, modulus), half in zip(HALVES, halves, strict=True)
    ]
    found = np.array([x for half in moved for (x,) in half], np.uint32)
    return np.concatenate([first[:1], found.view(np.int32)])


def _power(matrix: Matrix, exponent: int, modulus: int) -> Matrix:
    """Return a power of a matrix by squaring, in whole numbers."""
    found: Matrix = ((1, 0, 0), (0, 1, 0), (0, 0, 1))
    while exponent:
        if exponent & 1:
            found = _times(found, matrix, modulus)
        matrix, exponent = _times(matrix, matrix, modulus), exponent >> 1
    return found


def _times(left: Matrix, right: Matrix, modulus: int) -> Matrix:
    columns = list(zip(*right, strict=True))
    return [[sum(map(mul, row, column)) % modulus for column in columns] for row in left]
