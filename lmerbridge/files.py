"""Files that are written whole or not at all."""

from __future__ import annotations

import errno
import os
import secrets
import stat
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

from lmerbridge.errors import InvalidArgument


def write_files(texts: Mapping[Path, str | bytes]) -> list[Path]:
    """Write texts to files as UTF-8, or bytes as they are, all of them or none.

    Each text goes to a new file beside its place, and takes the place once all are on the disk: a disk that fills up,
    or an interrupt, leaves what was there byte for byte.

    Parameters
    ----------
    texts : mapping of Path to str or bytes

    Returns
    -------
    list of Path
        The files, in the order of `texts`.

    Raises
    ------
    InvalidArgument
        One of them cannot be written.
    """
    staged: dict[Path, Path] = {}
    try:
        for path, text in texts.items():
            with _refusal(path):
                _stage(path, _as_bytes(text), staged)
        for place, new in staged.items():
            with _refusal(place):
                os.replace(new, place)
    finally:
        for new in staged.values():
            new.unlink(missing_ok=True)
    return list(texts)


def write_folder(folder: Path, texts: Mapping[str, str | bytes]) -> list[Path]:
    """Write texts to files of a folder by their names, all of them or none; it is made if it does not exist.

    Raises
    ------
    InvalidArgument
        It cannot be made, or one of them cannot be written.
    """
    make_folder(folder)
    return write_files({folder / name: text for name, text in texts.items()})


def make_folder(folder: Path) -> None:
    """Make a folder, and those it lies in, unless it is there.

    Raises
    ------
    InvalidArgument
        It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument(f"{folder} cannot be made: {reason}; another place is expected.") from error


def append_text(path: Path, text: str) -> None:
    """Append a text to a file as UTF-8, all of it or nothing, or begin the file with it.

    Raises
    ------
    InvalidArgument
        It cannot be written.
    """
    with _refusal(path):
        descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o666)
        size = os.fstat(descriptor).st_size
        try:
            _write(descriptor, _as_bytes(text), sync=True)
        except BaseException:
            with suppress(OSError):  # a device has no size
                os.truncate(path, size)
            raise


def _as_bytes(text: str | bytes) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "backslashreplace")


@contextmanager
def _refusal(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, ValueError) as error:  # a path with a NUL is a ValueError
        reason = getattr(error, "strerror", None) or error
        raise InvalidArgument(f"{path} cannot be written: {reason}; another place, or room, is expected.") from error


def _stage(path: Path, content: bytes, staged: dict[Path, Path]) -> None:
    """Write a file under a new name beside its place, or at once where the place is a device or a pipe."""
    place = Path(os.path.realpath(path))
    mode = place.stat().st_mode if place.exists() else None
    if mode is not None and not stat.S_ISREG(mode):
        _write(os.open(place, os.O_WRONLY), content)
        return
    if mode is not None and not os.access(place, os.W_OK):
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    new = place.with_name(f".{secrets.token_hex(8)}.tmp")
    descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    staged[place] = new
    if mode is not None:
        os.fchmod(descriptor, stat.S_IMODE(mode))
    _write(descriptor, content, sync=True)


def _write(descriptor: int, content: bytes, *, sync: bool = False) -> None:
    try:
        while content:
            content = content[os.write(descriptor, content) :]
        if sync:
            os.fsync(descriptor)
    finally:
        os.close(descriptor)
