"""Start the worker at fixed addresses and in R's own environment: `python -m lmerbridge.bridge.boot FD FOLDER`.

FD is its end of the socket, FOLDER what it removes when it ends: R's temporary files are in there. It ends when the
other end closes, at once, even in the middle of a fit: a host that was killed leaves nothing behind.

lme4 1.1-31 chooses its fill-reducing permutation by what happens to lie in memory, so that with randomized
addresses a crossed model differs in its last digits from one R session to the next. Without them a fit is
the same double every time. Where the system forbids it, R runs at random addresses, as Rscript does.

`R CMD` sets the variables that R's own front end sets, in 20 ms. rpy2 would ask two Rscripts for them, in 600.
"""

from __future__ import annotations

import ctypes
import os
import select
import shutil
import socket
import sys
import threading
from importlib import import_module
from typing import NoReturn

ADDR_NO_RANDOMIZE = 0x0040000
QUERY = 0xFFFFFFFF
C_STACK = 7 << 20  # bytes; rpy2 turns R's check off, and deep recursion would then kill the process

# R collects garbage a dozen times while it loads lme4 with 350k cells, its own choice. With 2400k it does not, but then
# grows to 5.2 million, and the cells of a fit come from all over 130 MB, past the processor's caches: glmer took 1.2
# times as long for 56 rows as from 1000k on, where R grows to 2.8 million. 80 MB of vectors take half the time by 128M.
HEAP = ("--min-nsize=1000k", "--min-vsize=128M")


def fix_addresses() -> None:
    """Fix the addresses of the next program, where the system can and allows it."""
    if sys.platform.startswith("linux"):
        personality = ctypes.CDLL(None).personality
        personality.argtypes = [ctypes.c_ulong]
        current = personality(QUERY)
        if current >= 0:
            personality(current | ADDR_NO_RANDOMIZE)


def restart_in_r() -> None:
    """Replace this process by itself as a command of R, where there is an R.

    Where there is none, rpy2 says so.
    """
    home = os.environ.get("R_HOME")
    r = shutil.which("R", path=f"{home}/bin" if home else None)
    if r:
        os.execv(r, [r, "CMD", sys.executable, "-m", "lmerbridge.bridge.boot", *sys.argv[1:]])  # noqa: S606  # ourselves


def believe_environment() -> None:
    """Have rpy2 take this process's environment in place of the answers of two Rscripts."""
    import rpy2.situation

    rpy2.situation.r_ld_library_path_from_subprocess = lambda r_home: os.environ.get("LD_LIBRARY_PATH", "")
    import rpy2.rinterface

    rpy2.rinterface._getrenvvars = lambda: ()


def start_r() -> None:
    """Start R without profile, workspace or environment files, and load lme4, which takes longest."""
    import rpy2.rinterface as ri
    from rpy2.rinterface_lib import callbacks, embedded

    heap = () if "R_MAX_VSIZE" in os.environ else HEAP  # R takes no cap below what it starts with
    embedded.set_initoptions(("rpy2", "--quiet", "--vanilla", "--no-echo", *heap))
    ri.initr(interactive=False, _c_stack_limit=C_STACK)
    callbacks.consoleread = lambda prompt: ""
    ri.evalr('options(warn = 1, warning.length = 8170, device = "pdf", browserNLdisabled = TRUE, keep.source = FALSE)')
    ri.evalr('loadNamespace("lme4")')


def end(folder: str) -> NoReturn:
    """Remove the folder, and exit without waiting for R's own end."""
    shutil.rmtree(folder, ignore_errors=True)
    os._exit(0)


def end_with_host(end_of_socket: int, folder: str) -> None:
    """End this process, from a thread of its own, once the host has closed its end or has died."""
    watched = select.poll()
    watched.register(end_of_socket, 0)  # no event but a hang-up
    watched.poll()
    end(folder)


if __name__ == "__main__":
    if "R_SHARE_DIR" in os.environ:
        believe_environment()
    else:
        fix_addresses()
        restart_in_r()
    threading.Thread(target=import_module, args=["lmerbridge.bridge.wire"]).start()  # numpy, while R loads lme4
    start_r()
    from lmerbridge.bridge.wire import Channel
    from lmerbridge.bridge.worker import answer_requests

    descriptor, its_folder = int(sys.argv[1]), sys.argv[2]
    threading.Thread(target=end_with_host, args=(descriptor, its_folder), daemon=True).start()
    answer_requests(Channel(socket.socket(fileno=descriptor)))
    end(its_folder)
