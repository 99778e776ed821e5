"""Linear and generalized models, which a report tells apart."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from lmerbridge.parity import CaseResult, Rate
from lmerbridge.report.headline import Headline, Model, ReferenceLine, unfit_sentence
from lmerbridge.report.heatmap import Heatmap
from lmerbridge.report.ladder import Ladder

TITLES: dict[Model, str] = {"linear": "Linear models", "generalized": "Generalized models"}


@dataclass(frozen=True)
class Refuser:
    """An engine that refuses every model of a kind.

    Attributes
    ----------
    candidate, engine : str
        Its name, and that with its version.
    model : {"linear", "generalized"}
    fits : int
        How many were refused.
    reason : str
        The most frequent.
    """

    candidate: str
    engine: str
    model: Model
    fits: int
    reason: str


@dataclass(frozen=True, kw_only=True)
class ModelPart:
    """What a report says of one kind of model.

    Attributes
    ----------
    model : {"linear", "generalized"}
    title : str
        A heading, "" where the report has this part alone.
    engines : tuple of Headline
        Those that fit any model of the kind, the best first.
    unfit : tuple of Refuser
        The others; `none_of` names them in a sentence, which is "" where there are none.
    references : tuple of ReferenceLine
    heatmaps : tuple of Heatmap
        One for each of the engines, in their order.
    ladder : Ladder or None
    rates : tuple of (Rate, text)
    """

    model: Model
    title: str
    engines: tuple[Headline, ...]
    unfit: tuple[Refuser, ...]
    none_of: str
    references: tuple[ReferenceLine, ...]
    heatmaps: tuple[Heatmap, ...]
    ladder: Ladder | None
    rates: tuple[tuple[Rate, str], ...]

    @property
    def mapped(self) -> list[tuple[Headline, Heatmap]]:
        """Each engine with its heatmap."""
        return list(zip(self.engines, self.heatmaps, strict=True))


def refusers(modes: Sequence[tuple[Headline, Sequence[CaseResult]]]) -> tuple[Refuser, ...]:
    """Describe the engines, given with their results, that refuse every model of a kind."""
    return tuple(
        Refuser(results[0].comparison.candidate, h.engine, h.model, len(results), _most_frequent(results))
        for h, results in modes
        if h.tally.unfit
    )


def _most_frequent(results: Sequence[CaseResult]) -> str:
    ((reason, _),) = Counter(r.comparison.reason for r in results).most_common(1)
    return reason


def model_part(
    model: Model,
    title: str,
    modes: Sequence[tuple[Headline, Heatmap, Sequence[CaseResult]]],
    references: tuple[ReferenceLine, ...],
    ladder: Ladder | None,
    rates: tuple[tuple[Rate, str], ...],
) -> ModelPart:
    """Describe a part, in which engines that fit none of its models are named and no more, if another fits one."""
    fitting = [mode for mode in modes if not mode[0].tally.unfit] or modes
    left = [(h, results) for h, _, results in modes if h.tally.unfit] if len(fitting) < len(modes) else []
    return ModelPart(
        model=model,
        title=title,
        engines=tuple(h for h, _, _ in fitting),
        unfit=refusers(left),
        none_of=unfit_sentence([h for h, _ in left]),
        references=references,
        heatmaps=tuple(heatmap for _, heatmap, _ in fitting),
        ladder=ladder,
        rates=rates,
    )
