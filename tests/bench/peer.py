"""One way to fit, in a process of its own: ``python -m tests.bench.peer NAME CSV FORMULA``.

It fits as often as each line that it reads says, and says when it is done; or it says at once why it cannot.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable

import pandas as pd

Fit = Callable[[], object]


def lmerbridge(formula: str, data: pd.DataFrame) -> Fit:
    from lmerbridge import lmer

    def fit() -> object:
        found = lmer(formula, data)
        return found.fixef, found.vcov, found.varcorr.frame, found.sigma, found.loglik

    return fit


def mixedlm(formula: str, data: pd.DataFrame) -> Fit:
    from mixedlm import lmer

    return lambda: lmer(formula, data)


def lme_python(formula: str, data: pd.DataFrame) -> Fit:
    from lme_python import lmer

    text = data.astype(dict.fromkeys(re.findall(r"\|\s*(\w+)", formula), str))  # it takes groups for texts alone
    return lambda: lmer(formula, text)


def pymer4(formula: str, data: pd.DataFrame) -> Fit:
    import polars
    from pymer4.models import lmer

    table = polars.from_pandas(data)
    return lambda: lmer(formula, data=table).fit(summary=False)


if __name__ == "__main__":
    name, csv, formula = sys.argv[1:]
    frame = pd.read_csv(csv)
    try:
        fit = globals()[name](formula, frame)
        fit()
    except Exception as error:  # anybody's code
        print(f"{type(error).__name__}: {error}".splitlines()[0], flush=True)
        raise SystemExit from error
    print("ready", flush=True)
    for line in sys.stdin:
        for _ in range(int(line)):
            fit()
        print("done", flush=True)
