"""Results of earlier runs, kept on disk: what has not changed is not judged again."""

from __future__ import annotations

import os
import pickle
import platform
import sys
import tempfile
import time
import zlib
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import asdict
from functools import lru_cache
from hashlib import sha256
from importlib.metadata import distributions
from pathlib import Path
from typing import Any

import joblib

from lmerbridge.bridge import host, session_facts
from lmerbridge.engines import RECORDED, find
from lmerbridge.errors import LmerBridgeError, SetupError
from lmerbridge.parity.cases import Case

R_PACKAGES = [
    "nlme",
    "glmmTMB",
    "TMB",
    "MASS",
    "pbkrtest",
    "lmerTest",
    "HSAUR3",
    "mlmRev",
]  # of engines and data; lme4's facts have the rest
UNUSED = 60 * 86400  # seconds after which a result that nobody has asked for is removed
ROOT = Path(__file__).parents[1]


def default_folder(wanted: bool = True) -> Path | None:
    """Return ``lmerbridge/parity`` in the user's folder for caches, or None where none is wanted."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(root, "lmerbridge", "parity") if wanted else None


class Archive:
    """A folder of results, each in a file named by a digest of all that it depends on.

    A file that is damaged, of another format or not the user's own is as good as none.

    Parameters
    ----------
    folder : Path
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def get(self, key: str) -> Any | None:  # noqa: ANN401  # what was put
        """Return what was put under a key, or None."""
        path = self._folder / key
        try:
            if path.stat().st_uid != os.getuid():
                return None
            head, body = path.read_bytes().split(b"\n", 1)
            if head != _head(key, body):
                return None
            value = pickle.loads(zlib.decompress(body))  # noqa: S301  # the user's own, whole, and of this very version
            os.utime(path)
        except Exception:  # whatever is wrong with it, it can be computed again
            return None
        return value

    def put(self, key: str, value: object) -> None:
        """Keep a value, or do without where the folder cannot be written."""
        body = zlib.compress(pickle.dumps(value), 1)
        with suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            with tempfile.NamedTemporaryFile(dir=self._folder, delete=False) as file:
                file.write(_head(key, body) + b"\n" + body)
            Path(file.name).replace(self._folder / key)

    def sweep(self) -> None:
        """Remove what nobody has asked for in a long time."""
        with suppress(OSError):
            for path in self._folder.iterdir():
                if path.stat().st_mtime < time.time() - UNUSED:
                    path.unlink()


def _head(key: str, body: bytes) -> bytes:
    return f"lmerbridge {key} {sha256(body).hexdigest()}".encode()


def keys(
    cases: Iterable[Case], candidates: Iterable[str], reference: str | None, profile: str
) -> Iterator[dict[str, str]]:
    """Yield for each case the keys of its results by candidate, none where its data cannot be loaded.

    Without a reference it is each case's own.
    """
    engines = {name: [name, _source(name)] for name in candidates}
    for case in cases:
        judge = reference or case.reference
        load = [fn] if (fn := getattr(find(judge), "load_dataset", None)) else []
        try:
            around = [_surroundings(), _source(judge), judge, profile]
            model = joblib.hash([asdict(case), case.data(*load), around])
        except (LmerBridgeError, OSError):
            yield {}
            continue
        yield {name: sha256(f"{model} {joblib.hash(engine)}".encode()).hexdigest() for name, engine in engines.items()}


def _source(name: str) -> str:
    """Digest of the file that an engine is written in, or of the recording that it reads."""
    engine = find(name)
    module = sys.modules[type(engine).__module__]
    files = [Path(getattr(module, "__file__", None) or os.devnull)]
    if name.startswith(RECORDED):
        files.append(Path(name.removeprefix(RECORDED)))
    return _digest(files)


@lru_cache(maxsize=1)
def _surroundings() -> list[Any]:
    """What every number depends on: this package's files, Python, its packages, R and its packages, and BLAS."""
    own = [path for path in ROOT.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    in_r = [path for path in (ROOT.parent / "r" / "R").glob("*.R") if path.is_file()]
    installed = sorted(f"{each.name} {each.version}" for each in distributions())
    python = [sys.version, platform.platform(), os.environ.get("OPENBLAS_CORETYPE", "")]
    return [_digest(sorted([*own, *in_r])), python, installed, _of_r()]


def _of_r() -> list[Any]:
    try:
        return [sorted(session_facts().items()), host.call("installed_facts", packages=R_PACKAGES).values]
    except SetupError:  # no R here
        return []


def _digest(paths: Iterable[Path]) -> str:
    return sha256(b"".join(sha256(path.read_bytes()).digest() for path in paths)).hexdigest()
