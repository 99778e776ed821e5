"""Makes a study: fits what a plan asks for, keeps what an older study has beside it, and writes the files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmerbridge.errors import InvalidArgument
from lmerbridge.parity.study.counts import engine_order
from lmerbridge.parity.study.fits import StudyFits
from lmerbridge.parity.study.plan import StudyPlan
from lmerbridge.parity.study.run import SAME, Status, fit_plan
from lmerbridge.parity.study.summary import study_fits, study_summary
from lmerbridge.parity.study.times import take_times, times_of, times_summary
from lmerbridge.report.study.write import NAMES, read_json, write_study


def make_study(plan: StudyPlan, folder: Path, status: Status, *, with_times: bool = True) -> dict[str, Any]:
    """Make a study, or a part of the one in a folder anew, and write it there.

    Parameters
    ----------
    plan : StudyPlan
        What is fitted. The rest stays as ``study.json`` of the folder has it.
    folder : Path
    status : callable
        Text -> a context in which that is being done.
    with_times : bool
        Whether times are taken; those of ``study-times.json`` stay otherwise.

    Returns
    -------
    dict
        What ``study.json`` holds.

    Raises
    ------
    InvalidArgument
        The older study is of another R or lme4, so that its rows and the new ones do not compare.
    """
    older = read_json(folder / NAMES[0])
    fits = fit_plan(plan, status)
    if older is not None and not plan.covers({each["engine"] for each in older["engines"]}):
        _check(older, fits)
        fits = fits.after(study_fits(older))
    told = study_summary(fits)
    order = engine_order(fits)
    times = read_json(folder / NAMES[1]) or {"models": [], "table": [], "times": []}
    if with_times:
        taken = {(t.case, t.engine): t for t in times_of(times)}
        with status("taking times"):
            taken |= {(t.case, t.engine): t for each in take_times(plan) for t in each}
        times = times_summary([*taken.values()], order)
    write_study(told, times, folder)
    return told


def _check(older: Mapping[str, Any], fits: StudyFits) -> None:
    for name in SAME[:2]:
        was, here = older["provenance"].get(name), fits.provenance.get(name)
        if was != here:
            told = f"the older study is of {name} {was}, and here is {name} {here}"
            raise InvalidArgument(f"{told}: fit every engine anew, or choose another folder with --out.")
