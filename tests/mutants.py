"""Documents with one thing wrong in them, drawn by a seed: ``python -m tests.mutants READER FILES`` reads some.

That is a process of its own, which may die: `outcomes` says at which file.
"""

import copy
import json
import random
import re
import subprocess
import sys
import warnings
from functools import cache, partial
from pathlib import Path

from lmerbridge import compare
from lmerbridge.engines import find
from lmerbridge.errors import InvalidArgument, LmerBridgeError
from lmerbridge.parity import cases
from lmerbridge.parity.ledger import load_ledger
from lmerbridge.report.diff import compare_runs, load_run

ROOT = Path(__file__).parents[1]
ODD = (None, True, False, "", "x", "\ud800", "a" * 100_000, [], {}, [[]], -1, 0, 1.5, 2**31, 2**70, 10**4000)
ODD += (float("nan"), float("inf"), 1e308, 100_000_000)
DEEP = "[" * 10_000 + "]" * 10_000


def leaves(value, path=()):
    """Places of a document that hold no list or object, or an empty one."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, item in items for place in leaves(item, (*path, key))] or [path]


def kinds(document):
    """The leaves of a document, in lists by their place without its numbers."""
    found = {}
    for path in leaves(document):
        found.setdefault(tuple("" if isinstance(key, int) else key for key in path), []).append(path)
    return list(found.values())


def double(holder, key):
    if isinstance(holder, list):
        holder.insert(key, holder[key])
    else:
        holder[f"{key}2"] = holder[key]


def replacement(draw):
    odd = draw.choice(ODD)
    return lambda holder, key: holder.__setitem__(key, odd)


CHANGES = {  # what is done to a value in the list or object that holds it
    "replaced": replacement,
    "deep": lambda draw: lambda holder, key: holder.__setitem__(key, "DEEP"),
    "deleted": lambda draw: lambda holder, key: holder.__delitem__(key),
    "doubled": lambda draw: double,
}


def change(document, path, draw, how):
    """A copy of a document with one place of it changed."""
    *above, key = path
    changed = holder = copy.deepcopy(document)
    for name in above:
        holder = holder[name]
    CHANGES[how](draw)(holder, key)
    return changed


def damage(text, draw):
    """A text that is cut, with a bit flipped, or with a key that stands twice in one object."""
    at, raw = draw.randrange(len(text)), bytearray(text.encode())
    raw[at] ^= 1 << draw.randrange(8)
    key = draw.choice(re.findall(r'"\w+": ', text))
    return draw.choice((text[:at].encode(), bytes(raw), text.replace(key, f"{key}0, {key}", 1).encode()))


def mutants(document, number, seed, seal=lambda changed: changed):
    """Yield files with one thing wrong, every kind of leaf in turn, and what was done."""
    draw, places = random.Random(seed), kinds(document)
    for i in range(number):
        path = draw.choice(places[i % len(places)])
        how = draw.choice(("replaced",) * 5 + ("deep", "deleted", "doubled", "damaged"))
        if how == "damaged":
            yield f"{i} damaged", damage(json.dumps(document), draw)
        else:
            text = json.dumps(seal(change(document, path, draw, how)))
            yield f"{i} {how} {path}", text.replace('"DEEP"', DEEP).encode()


@cache
def whole_recording(path):
    """Return the recording that the others are held against, read once."""
    return find(f"recorded:{path}")


def read_recording(path):
    """Read all that a recording has, and hold its fits against those of the whole one beside it."""
    engine, whole = find(f"recorded:{path}"), whole_recording(path.with_name("whole.json"))
    for place in engine.content["data"]:
        engine.load_dataset(*reversed(place.split("/")))
    for name in [name for model in whole.content["models"] for name in model["cases"]]:
        (case,) = cases.pick(name)
        for pair in ((whole, engine), (engine, whole)):
            compare(case.formula, case.data(whole.load_dataset), reml=case.reml, reference=pair[0], candidate=pair[1])
    return engine.content == whole.content


def read_report(path):
    """Compare a report with the whole one beside it."""
    whole = load_run(path.with_name("whole.json"))
    return str(compare_runs(whole, load_run(path))) == str(compare_runs(whole, whole))


def read_ledger(path):
    return load_ledger(path) == load_ledger(path.with_name("whole.toml"))


READERS = {"recording": read_recording, "report": read_report, "ledger": read_ledger}


def outcome(read, path):
    """What became of a file: ``same``, ``other``, ``refused``, an error of ours, or a raw one."""
    try:
        return "same" if read(path) else "other"
    except InvalidArgument as error:
        return f"refused: {error}"
    except LmerBridgeError as error:
        return f"ours: {type(error).__name__}: {error}"
    except Exception as error:
        return f"raw: {type(error).__name__}: {error}"


def outcomes(reader, folder, files):
    """Write files, read each in one process of their own, and return by name what became of it."""
    for i, content in enumerate(files.values()):
        (folder / f"{i}.file").write_bytes(content)
    paths = [str(folder / f"{i}.file") for i in range(len(files))]
    done = subprocess.run([sys.executable, "-m", __name__, reader, *paths], capture_output=True, cwd=ROOT, check=False)
    found = [json.loads(line) for line in done.stdout.splitlines()]
    found += [f"died: {done.returncode} {done.stderr.decode()[-2000:]}"] * (len(files) > len(found))
    return dict(zip(files, found, strict=False))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    read = partial(outcome, READERS[sys.argv[1]])
    for file in sys.argv[2:]:
        print(json.dumps(read(Path(file))), flush=True)
