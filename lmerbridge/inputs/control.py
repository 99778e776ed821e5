"""How lme4 is to fit: `lmerControl`'s arguments, typed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Literal, Protocol, TypeAlias, get_args

from lmerbridge.errors import InvalidArgument
from lmerbridge.inputs.signature import check_fields

Optimizer = Literal["nloptwrap", "bobyqa", "Nelder_Mead", "nlminbwrap", "nmkbw", "optimx"]
Action = Literal["ignore", "message", "warning", "stop"]
RankZAction = Literal["ignore", "warning", "stop", "warningSmall", "stopSmall"]
RankAction = Literal["message+drop.cols", "silent.drop.cols", "warn+drop.cols", "stop.deficient", "ignore"]
ScaleAction = Literal["warning", "stop", "silent.rescale", "message+rescale", "warn+rescale", "ignore"]

STAGES = 2  # of a fit by glmer or nlmer
OPTIMIZERS: tuple[str, ...] = get_args(Optimizer)
CROSSPRODUCT = "crossproduct"  # ours, of linear models: r/R/crossproduct.R
DOTTED = {  # where R's name is not ours with dots for underscores
    "restart_edge": "restart_edge",
    "sparse_x": "sparseX",
    "standardize_x": "standardize.X",
    "check_nobs_vs_rank_z": "check.nobs.vs.rankZ",
    "check_nobs_vs_n_re": "check.nobs.vs.nRE",
    "check_rank_x": "check.rankX",
    "check_scale_x": "check.scaleX",
    "check_formula_lhs": "check.formula.LHS",
    "opt_ctrl": "optCtrl",
    "tol_pwrss": "tolPwrss",
    "comp_dev": "compDev",
    "n_agq0_init_step": "nAGQ0initStep",
}


class Control(Protocol):
    """How R is to fit a kind of model."""

    def arguments(self) -> dict[str, Any]:
        """Return what is given, by R's names."""
        ...


@check_fields
@dataclass(frozen=True)
class ConvCheck:
    """A convergence check and what is to be done when it fails: lme4's ``.makeCC``.

    Attributes
    ----------
    action : {"ignore", "message", "warning", "stop"}
    tol : float
        What is checked is to be below it; at least 0.
    rel_tol : float or None
        The same relative to the estimate; None is no such check.
    """

    action: Action
    tol: float
    rel_tol: float | None = None

    def __post_init__(self) -> None:
        for name in ("tol", "rel_tol"):
            if (given := getattr(self, name)) is not None and given < 0:
                raise InvalidArgument(f"{name} of a ConvCheck is {given!r}; a number of at least 0 is expected.")


Check: TypeAlias = ConvCheck | Action | None


@dataclass(frozen=True, kw_only=True)
class MerControl:
    """What controls of linear and of generalized linear mixed models share."""

    optimizer: Optimizer | Literal["none"] | Sequence[Optimizer] | None = None
    restart_edge: bool | None = None
    boundary_tol: float | None = None
    calc_derivs: bool | None = None
    use_last_params: bool | None = None
    sparse_x: bool | None = None
    standardize_x: bool | None = None
    autoscale: bool | None = None
    check_nobs_vs_rank_z: RankZAction | None = None
    check_nobs_vs_nlev: Action | None = None
    check_nlev_gtreq_5: Action | None = None
    check_nlev_gtr_1: Action | None = None
    check_nobs_vs_n_re: Action | None = None
    check_rank_x: RankAction | None = None
    check_scale_x: ScaleAction | None = None
    check_formula_lhs: Action | None = None
    check_conv_nobsmax: float | None = None
    check_conv_nparmax: float | None = None
    check_conv_grad: Check = None
    check_conv_singular: Check = None
    check_conv_hess: Check = None
    opt_ctrl: Mapping[str, Any] | None = None

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that are given, by R's names."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {r_name(name): _plain(name, value) for name, value in given.items() if value is not None}


@check_fields
@dataclass(frozen=True, kw_only=True)
class LmerControl(MerControl):
    """How `lmer` optimizes and what it checks: lme4's ``lmerControl``.

    None, everywhere, is the default of the lme4 installed.

    Attributes
    ----------
    optimizer : str or None
        ``"nloptwrap"``, ``"bobyqa"``, ``"Nelder_Mead"``, ``"nlminbwrap"``, ``"nmkbw"`` (R package dfoptim),
        ``"optimx"`` (R package optimx); or ``"none"``, R's NULL: theta stays where it starts. ``"crossproduct"`` is
        this package's own, quick on many rows: it knows the data by their cross products, has lme4's deviance function
        confirm the theta that it finds, and leaves the decision to lme4's optimizer where that does not. It takes no
        ``opt_ctrl``. ``fit.provenance`` tells what was found.
    restart_edge : bool or None
        Start again where theta ends on a bound.
    boundary_tol : float or None
        How near a bound theta is tried on it; 0 is not at all.
    calc_derivs : bool or None
        Gradient and Hessian at the end, of which the convergence checks are made. None is False of the optimizer
        ``"crossproduct"``, which checks lme4's gradient itself.
    use_last_params : bool or None
        Keep the parameters evaluated last instead of the best.
    sparse_x, standardize_x : bool or None
        lme4 takes them and does nothing with them yet.
    autoscale : bool or None
        Scale the covariates for the optimizer and the estimates back; from lme4 1.1-38 on.
    check_nobs_vs_rank_z : str or None
        "ignore", "warning", "stop", "warningSmall", "stopSmall".
    check_nobs_vs_nlev, check_nlev_gtreq_5, check_nlev_gtr_1, check_nobs_vs_n_re, check_formula_lhs : str or None
        "ignore", "message", "warning", "stop".
    check_rank_x : str or None
        "message+drop.cols", "silent.drop.cols", "warn+drop.cols", "stop.deficient", "ignore".
    check_scale_x : str or None
        "warning", "stop", "silent.rescale", "message+rescale", "warn+rescale", "ignore".
    check_conv_nobsmax, check_conv_nparmax : float or None
        Rows and parameters from which on no derivatives are made; from lme4 1.1-38 on.
    check_conv_grad, check_conv_singular, check_conv_hess : ConvCheck, str or None
        A text is the action, with lme4's tolerance.
    opt_ctrl : mapping or None
        What the optimizer itself takes, as ``{"maxeval": 1000}``.

    Examples
    --------
    >>> from lmerbridge import LmerControl, lmer, load_dataset
    >>> control = LmerControl(optimizer="bobyqa", check_conv_singular="ignore")
    >>> lmer("Yield ~ 1 + (1 | Batch)", load_dataset("Dyestuff2"), control=control).singular
    True
    >>> LmerControl(optimizer="none", check_rank_x="ignore", check_conv_hess=ConvCheck("stop", 1e-4)).arguments()
    {'optimizer': None, 'check.rankX': 'ignore', 'check.conv.hess': {'action': 'stop', 'tol': 0.0001}}
    """

    optimizer: Optimizer | Literal["none", "crossproduct"] | None = None  # type: ignore[assignment]  # one more


@check_fields
@dataclass(frozen=True, kw_only=True)
class GlmerControl(MerControl):
    """How `glmer` optimizes and what it checks: lme4's ``glmerControl``.

    None, everywhere, is the default of the lme4 installed. What is not listed is as of `LmerControl`.

    Attributes
    ----------
    optimizer : str or sequence of two str, or None
        For both stages, or one for each: theta alone with the fixed effects following, then all parameters.
    tol_pwrss : float or None
        How precisely the random effects are found at each step. At lme4's own, 1e-7, the criterion is off by some 1e-4
        and standard errors by up to a percent; 1e-10 is free of that.
    comp_dev : bool or None
        Evaluate the criterion in compiled code.
    n_agq0_init_step : bool or None
        Whether there is a first stage.
    check_response_not_const : str or None
        "ignore", "message", "warning", "stop".

    Examples
    --------
    >>> GlmerControl(optimizer=["bobyqa", "Nelder_Mead"], tol_pwrss=1e-10).arguments()
    {'optimizer': ('bobyqa', 'Nelder_Mead'), 'tolPwrss': 1e-10}
    """

    optimizer: Optimizer | Sequence[Optimizer] | None = None
    tol_pwrss: float | None = None
    comp_dev: bool | None = None
    n_agq0_init_step: bool | None = None
    check_response_not_const: Action | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", _of_stages(self.optimizer))


@check_fields
@dataclass(frozen=True, kw_only=True)
class NlmerControl:
    """How `nlmer` optimizes: lme4's ``nlmerControl``.

    None, everywhere, is the default of the lme4 installed.

    Attributes
    ----------
    optimizer : str or sequence of two str, or None
        For both stages, or one for each.
    tol_pwrss : float or None
        How precisely the random effects are found at each step.
    opt_ctrl : mapping or None
        What the optimizer itself takes.

    Examples
    --------
    >>> NlmerControl(optimizer="bobyqa").arguments()
    {'optimizer': 'bobyqa'}
    """

    optimizer: Optimizer | Sequence[Optimizer] | None = None
    tol_pwrss: float | None = None
    opt_ctrl: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "optimizer", _of_stages(self.optimizer))

    def arguments(self) -> dict[str, Any]:
        """Return the arguments that are given, by R's names."""
        given = {field.name: getattr(self, field.name) for field in fields(self)}
        return {r_name(name): _plain(name, value) for name, value in given.items() if value is not None}


def _of_stages(optimizer: str | Sequence[str] | None) -> str | tuple[str, ...] | None:
    """Return the optimizer of all stages, or that of each."""
    if isinstance(optimizer, str | None):
        return optimizer
    if len(optimizer) != STAGES:
        told = "one, or two, the first for the first stage, are expected"
        raise InvalidArgument(f"optimizer of a control is {optimizer!r}; {told}.")
    return tuple(optimizer)


def r_name(field: str) -> str:
    """Return the name that ``lme4::lmerControl`` or ``lme4::glmerControl`` has for a field of a control."""
    return DOTTED.get(field, field.replace("_", "."))


def _plain(name: str, value: object) -> object:
    if isinstance(value, ConvCheck):
        relative = {} if value.rel_tol is None else {"relTol": value.rel_tol}
        return {"action": value.action, "tol": value.tol, **relative}
    return None if (name, value) == ("optimizer", "none") else value
