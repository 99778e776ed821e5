"""Start the worker at fixed addresses: `python -m lmerbridge.bridge.boot FD FOLDER`.

FD is its end of the socket, FOLDER what it removes when it ends: R's temporary files are in there. It ends when the
other end closes, at once, even in the middle of a fit: a host that was killed leaves nothing behind.

lme4 1.1-31 chooses its fill-reducing permutation by what happens to lie in memory, so that with randomized
addresses a crossed model differs in its last digits from one R session to the next. Without them a fit is
the same double every time. Where the system forbids it, R runs at random addresses, as Rscript does.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import socket
import sys
import threading
from typing import NoReturn

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


def end(folder: str) -> NoReturn:
    """Leave nothing, and do not wait for R's own end, which nobody needs."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def end_with_host(end_of_socket: int, folder: str) -> None:
    """Wait, on a thread of its own, until the host has closed its end or has died."""
    watched = select.poll()
    watched.register(end_of_socket, 0)  # no event but a hang-up
    watched.poll()
    end(folder)


if __name__ == "__main__":
    fix_addresses()
    from lmerbridge.bridge.wire import Channel
    from lmerbridge.bridge.worker import serve

    descriptor, its_folder = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=end_with_host, args=(descriptor, its_folder), daemon=True).start()
    serve(Channel(socket.socket(fileno=descriptor)))
    end(its_folder)
