"""Write pupils.csv: nlme's data set bdf, 24 schools of it, as a school's office would send it.

The numbers are those of bdf (Snijders & Bosker 1999). The semicolons, the words, the gaps, the wide form
and the count of pupils, anew in each school, are ours.
"""

from pathlib import Path

import numpy as np

from lmerbridge import load_dataset

TESTS = {"langPRET": "lang 1", "langPOST": "lang 2", "aritPRET": "arit 1", "aritPOST": "arit 2"}

bdf = load_dataset("bdf", "nlme")
some = bdf[bdf["schoolNR"].isin(bdf["schoolNR"].cat.categories[:24])].reset_index(drop=True)
table = some.rename(columns=TESTS)[["ses", *TESTS.values()]].astype(int).astype(object)
table.insert(0, "school", "S" + some["schoolNR"].astype(str).str.zfill(3))
table.insert(1, "pupil", some.groupby("schoolNR", observed=True).cumcount() + 1)
rng = np.random.default_rng(1999)
for column in ("lang 2", "arit 1", "ses"):
    table.loc[rng.choice(len(table), 9, replace=False), column] = "n/a"
late = rng.choice(len(table), 12, replace=False)
table.loc[late, "lang 1"] = table.loc[late, "lang 1"].astype(str) + " points"
table.to_csv(Path(__file__).with_name("pupils.csv"), sep=";", index=False)
