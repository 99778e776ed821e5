"""Write the recordings that come with the package from exact.json and published.json, beside this file.

Run as ``python -m tests.reference.ship``. What a number is stays as it is; where its data are is said as
`lmerbridge.load_dataset` says it, or as the name of a table in ``lmerbridge/recordings/data.toml``.
"""

import json
import re
from pathlib import Path

from lmerbridge.engines.recorded import FORMAT, RECORDINGS

HERE = Path(__file__).parent
ABOUT = {
    "exact": "Exact maximum and restricted maximum likelihood solutions of balanced designs.",
    "published": "Numbers that tests, documents and papers of other projects print.",
}
FIELDS = ("quantity", "value", "digits", "source", "engine", "kind", "note", "exact_value")


def model(row):
    """The model that a row is about."""
    formula, _, weights = row["formula"].partition(", weights=")
    dataset, package = place(row["dataset"], row["r_package"])
    told = {"case": row["case"], "dataset": dataset, "package": package, "formula": formula, "reml": row["reml"]}
    generalized = {name: row[name] for name in ("family", "n_agq") if name in row}
    return told | ({"weights": weights} if weights else {}) | generalized


def place(dataset, package):
    """Name and package of a data set; no package means data.toml."""
    if found := re.fullmatch(r"NIST StRD (\w+)", dataset):
        return found[1], ""
    if found := re.fullmatch(r"statsmodels tests (\w+)\.csv", dataset):
        return found[1], "statsmodels"
    if dataset.startswith("inline 10 rows"):
        return "weighted10", ""
    if dataset.startswith("shoes"):
        return dataset, ""
    return dataset, package.split()[0]


def number(row):
    """What a row says: the value as text where it has more digits than a double."""
    told = {name: row[name] for name in FIELDS if name in row}
    return told | ({"value": row["value_text"]} if "value_text" in row else {})


def recording(name):
    """The text of a recording: a line a model."""
    models = {}
    for row in json.loads((HERE / f"{name}.json").read_text()):
        key = json.dumps(model(row))
        models.setdefault(key, model(row) | {"numbers": []})["numbers"].append(number(row))
    lines = ",\n".join(json.dumps(told, ensure_ascii=False) for told in models.values())
    return f'{{"format": {json.dumps(FORMAT)}, "about": {json.dumps(ABOUT[name])}, "numbers": [\n{lines}\n]}}\n'


if __name__ == "__main__":
    for name in ABOUT:
        (RECORDINGS / f"{name}.json").write_text(recording(name))
