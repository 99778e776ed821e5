"""The other side of a transfer: an R in this very process, a direct copy and pandas2ri.

``python -m tests.bench.in_process ROWS`` does what each line that it reads says, ``direct`` or ``pandas2ri``, and says
when it is done.
"""

from __future__ import annotations

import sys
import warnings

import numpy as np
import pandas as pd
import rpy2.rinterface as ri
from rpy2.rinterface_lib import embedded

from lmerbridge.bridge.boot import HEAP
from tests.bench.transfer import WARM, mixed


def real(values):
    return ri.FloatSexpVector.from_memoryview(np.ascontiguousarray(values, dtype=np.float64).data)


def factor(codes, labels):
    vector = ri.IntSexpVector.from_memoryview((codes.astype(np.int32) + np.int32(1)).data)
    vector.do_slot_assign("levels", ri.StrSexpVector(list(labels)))
    vector.rclass = ri.StrSexpVector(["factor"])
    return vector


def vector(column):
    if isinstance(column.dtype, pd.CategoricalDtype):
        return factor(column.cat.codes.to_numpy(), column.cat.categories)
    if pd.api.types.is_numeric_dtype(column.dtype):
        return real(column.to_numpy())
    return factor(*pd.factorize(column, sort=True))


def direct(frame):
    """Columns to R's memory with nothing in between, checked by nobody."""
    made = ri.ListSexpVector([vector(frame[name]) for name in frame.columns])
    made.do_slot_assign("names", ri.StrSexpVector(list(frame.columns)))
    made.rclass = ri.StrSexpVector(["data.frame"])
    return made


def pandas2ri(frame):
    from rpy2.robjects import conversion, default_converter
    from rpy2.robjects import pandas2ri as p2r

    with conversion.localconverter(default_converter + p2r.converter):
        return conversion.get_conversion().py2rpy(frame)


if __name__ == "__main__":
    embedded.set_initoptions(("rpy2", "--quiet", "--vanilla", *HEAP))
    ri.initr(interactive=False)
    frame = mixed(int(sys.argv[1]))
    for _ in range(WARM):
        direct(frame)
    warnings.simplefilter("ignore")
    print("ready", flush=True)
    for line in sys.stdin:
        globals()[line.strip()](frame)
        print("done", flush=True)
