"""Frames of the exact models, and how they are written for an Rscript that shares no code with the bridge."""

import numpy as np
import pandas as pd

from lmerbridge import load_dataset


def weighted():
    d = load_dataset("sleepstudy")
    rng = np.random.default_rng(20)
    d["w"] = rng.uniform(0.5, 2, len(d))
    d["o"] = rng.normal(0, 10, len(d))
    d["late"] = (d["Days"] >= 3).to_numpy()
    d["shift"] = np.where(rng.random(len(d)) < 0.5, "Night", "day")
    d["reaction time"] = d["Reaction"]
    d["day no."] = d["Days"]
    d["day"] = d["Days"].astype("int64")
    d["big"] = np.int64(10**6) + d["day"]
    d["id"] = d["Subject"].astype(str).astype("int64") * 300
    return d


def missing(column):
    d = load_dataset("sleepstudy")
    rows = np.random.default_rng(21).choice(len(d), 12, replace=False)
    d.loc[rows, column] = np.nan if column != "Subject" else None
    return d.set_axis([f"row{i}" for i in range(len(d))])


def unused_levels():
    d = weighted()
    d["shift"] = pd.Categorical(d["shift"], ["never", "day", "Night", "noon"])
    return d[d["Subject"] != "308"]


def herds():
    """cbpp with proportions, truth values, and what else a binomial model may have."""
    d = load_dataset("cbpp")
    rng = np.random.default_rng(22)
    d["prop"] = d["incidence"] / d["size"]
    d["ill"] = (d["incidence"] > 0).to_numpy()
    d["state"] = pd.Categorical(np.where(d["ill"], "ill", "well"), ["well", "ill"])
    d["obs"] = pd.Categorical([str(i) for i in range(len(d))])
    d["x"] = rng.normal(size=len(d))
    d["o"] = rng.normal(0, 0.2, len(d))
    d["cows seen"] = d["size"]
    d["rate"] = rng.gamma(4, np.exp(0.3 * d["x"] + rng.normal(0, 0.4, 15)[d["herd"].cat.codes]) / 4)
    return d


def herds_missing():
    d = herds()
    d.loc[[3, 17], "x"] = np.nan
    d.loc[[5], "incidence"] = np.nan
    return d


def ticks():
    d = load_dataset("grouseticks")
    d["height"] = (d["HEIGHT"] - d["HEIGHT"].mean()) / d["HEIGHT"].std()
    return d


MADE = {
    "herds": herds,
    "herds_missing": herds_missing,
    "ticks": ticks,
    "bacteria": lambda: load_dataset("bacteria", "MASS"),
    "epil": lambda: load_dataset("epil", "MASS").astype({"subject": str}),
    "weighted": weighted,
    "na_response": lambda: missing("Reaction"),
    "na_covariate": lambda: missing("Days"),
    "na_group": lambda: missing("Subject"),
    "unused_levels": unused_levels,
}
IN_NLME = ("Machines", "Orthodont", "Oxide")


def frame(name):
    if name in MADE:
        return MADE[name]()
    return load_dataset(name, "nlme" if name in IN_NLME else "lme4")


def write(data, folder):
    """Write each column as raw doubles or integers, with its labels as lines of text."""
    folder.mkdir()
    rows = ["name\tkind\trows"]
    for i, name in enumerate(data, start=1):
        kind, values, labels = plain(data[name], name)
        values.tofile(folder / f"{i}.bin")
        (folder / f"{i}.labels").write_text("".join(f"{label}\n" for label in labels))
        rows.append(f"{name}\t{kind}\t{len(values)}")
    (folder / "columns.tsv").write_text("\n".join(rows) + "\n")


def plain(series, name):
    if isinstance(series.dtype, pd.CategoricalDtype):
        kind = "ordered" if series.cat.ordered else "factor"
        labels = [str(c) for c in series.cat.categories]
    elif series.dtype == bool:
        return "logical", series.to_numpy().astype("int32"), []
    elif name == "id" or not pd.api.types.is_numeric_dtype(series):
        kind, labels = "factor", [str(v) for v in sorted(set(series))]
    else:
        return "double", series.to_numpy("float64"), []
    code = {label: i for i, label in enumerate(labels, start=1)}
    values = [code.get(str(v), -(2**31)) if pd.notna(v) else -(2**31) for v in series]
    return kind, np.array(values, "int32"), labels
