"""Start the worker at fixed addresses: `python -m lmerbridge.bridge.boot FD FOLDER`.

FD is its end of the socket, FOLDER what it removes when it ends: R's temporary files are in there.


lme4 1.1-31 chooses its fill-reducing permutation by what happens to lie in memory, so that with randomized
addresses a crossed model differs in its last digits from one R session to the next. Without them a fit is
the same double every time. Where the system forbids it, R runs at random addresses, as Rscript does.
"""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import sys

ADDR_NO_RANDOMIZE = 0x0040000
QUERY = 0xFFFFFFFF


def fix_addresses() -> None:
    """Replace this process by itself at fixed addresses, where it does not yet have them and can."""
    if not sys.platform.startswith("linux"):
        return
    personality = ctypes.CDLL(None).personality
    personality.argtypes = [ctypes.c_ulong]
    current = personality(QUERY)
    if current < 0 or current & ADDR_NO_RANDOMIZE or personality(current | ADDR_NO_RANDOMIZE) < 0:
        return
    command = [sys.executable, "-m", "lmerbridge.bridge.boot", *sys.argv[1:]]
    os.execv(sys.executable, command)  # noqa: S606  # ourselves


if __name__ == "__main__":
    fix_addresses()
    from lmerbridge.bridge.wire import Channel
    from lmerbridge.bridge.worker import serve

    serve(Channel(socket.socket(fileno=int(sys.argv[1]))))
    shutil.rmtree(sys.argv[2], ignore_errors=True)
    os._exit(0)  # R's own end would wait for what nobody needs
