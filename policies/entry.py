"""One line of the registry: how a policy is built, with which options, after whom, at what cost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from bandit.outcomes import RewardScheme
from bandit.protocols import Policy
from policies.explored import Explored
from policies.shape import PolicyShape

__all__ = ["Entry", "explored", "lazily"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One policy that can be built by its id.

    Parameters
    ----------
    policy_id : str
        What the log calls it.
    factory : callable
        ``factory(shape, scheme, **options)``.
    options : mapping
        Keyword arguments with their defaults; frozen dataclasses become TOML tables.
    reference : str
        Whom it follows.
    cost : str
        Order of one ``pmf`` call; M draws, P = Di·Ds pair features.
    needs : str
        Extra that has to be installed, such as ``"vw"``; empty for none.
    reads_visits : bool
        Whether it has to be told when users came, by ``observe_visits``.
    """

    policy_id: str
    factory: Callable[..., Policy]
    options: Mapping[str, Any]
    reference: str
    cost: str
    needs: str = ""
    reads_visits: bool = False


def explored(model: Callable[..., Any]) -> Callable[..., Policy]:
    """Return a factory of policies over ``model(shape, scheme, params)``.

    Its options are ``model``, the parameters of the model, and ``explorer``, the explorer itself.
    """

    def build(shape: PolicyShape, scheme: RewardScheme, *, model: Any, explorer: Any) -> Policy:
        return Explored(make(shape, scheme, model), explorer)

    make = model
    return build


def lazily(path: str) -> Callable[..., Any]:
    """Return a callable that imports ``module:name`` when it is first called.

    For policies that stand on a heavy library: ``import policies`` must not load it.
    """
    module, name = path.split(":")

    def build(*args: Any, **options: Any) -> Any:
        return getattr(import_module(module), name)(*args, **options)

    return build
