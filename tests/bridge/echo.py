"""A worker without R that starts in a moment: `python -I -S echo.py FD` answers each call with its ``value``.

It imports what is built into Python alone: the modules json and socket take longer to load than Python to start.
"""

import os
import sys
from _signal import SIG_IGN, SIGINT, signal
from _struct import pack, unpack

JSON = {"null": None, "true": True, "false": False}


def whole(descriptor, count):
    data = b""
    while len(data) < count:
        part = os.read(descriptor, count - len(data))
        if not part:
            sys.exit()
        data += part
    return data


def ask(descriptor):
    """Return the number of the next request and the double that it brings."""
    header = whole(descriptor, unpack("<I", whole(descriptor, 4))[0])
    number, body, shapes = eval(header, JSON)
    arrays = [whole(descriptor, int(dtype[2:]) * length) for dtype, length in shapes]
    arguments = dict(dict(body["list"])["arguments"]["list"])
    return number, arrays[arguments["value"]["double"]]


def tell(descriptor, header, bulk=b""):
    data = pack("<I", len(header)) + header + bulk
    while data:
        data = data[os.write(descriptor, data) :]


if __name__ == "__main__":
    signal(SIGINT, SIG_IGN)  # it is never long at work
    host = int(sys.argv[1])
    tell(host, b'[1, {"list": []}, []]')
    while True:
        asked, value = ask(host)
        tell(host, b'[%d, {"list": [["value", {"array": 0}]]}, [["<f8", 1]]]' % asked, value)
