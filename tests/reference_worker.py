"""R as a judge of the fast path: `python -m tests.reference_worker FD`.

Receives a table and R's source of the same data frame, and answers whether the two are identical to the last bit,
along with the frame as it comes back from R. R evaluates source here, and nowhere else.
"""

import socket
import sys

import numpy as np
import rpy2.rinterface as ri

from lmerbridge.bridge import boot, worker
from lmerbridge.bridge.wire import Channel
from lmerbridge.setup.sources import r_directory

SAME = "function(a, b) identical(a, b, num.eq = FALSE, single.NA = TRUE, ignore.bytecode = FALSE)"


def judge(request, same, describe):
    fast = worker.to_r(request["table"])
    slow = ri.evalr(request["source"])
    described = describe(fast)
    arrays = {name: worker.from_r(item) for name, item in zip(described.names, described, strict=True)}
    numbers = [array for array in arrays.values() if isinstance(array, np.ndarray)]
    owned = all(array.flags.owndata and array.flags.writeable for array in numbers)
    return {"identical": bool(same(fast, slow)[0]), "owned": owned, "frame": arrays}


def main(channel):
    boot.start_r()
    ri.evalr("sys.source")(ri.StrSexpVector([str(r_directory() / "datasets.R")]), ri.globalenv)
    same, describe = ri.evalr(SAME), ri.evalr("describe_frame")
    while True:
        try:
            request = channel.receive(make=worker.make)
        except EOFError:
            return
        channel.send(judge(request, same, describe))


if __name__ == "__main__":
    main(Channel(socket.socket(fileno=int(sys.argv[1]))))
