"""Does a Gymnasium vector environment keep its contract? A public check, for any of them.

A maker of environments and a seed enter; a :class:`Report` of the laws that held leaves, or an
error that says which law broke, where, and what to do. Gymnasium itself checks single ones only.
Reference: Gymnasium 1.2 ``VectorEnv`` and its autoreset modes,
https://farama.org/Vector-Autoreset-Mode.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import gymnasium
import numpy as np
from gymnasium.vector import AutoresetMode, SyncVectorEnv, VectorEnv
from gymnasium.vector.utils import batch_space
from gymnasium.wrappers.vector import DictInfoToList
from numpy.typing import NDArray

from bandit.errors import BadInputError

__all__ = ["LAWS", "Report", "check_vector_env"]

Envs = VectorEnv[Any, Any, Any]
Make = Callable[[int], Envs]
Flags = NDArray[np.bool_]
Step = tuple[Any, Any, Any, Any, dict[str, Any]]

LAWS = (
    "spaces are batched",
    "results fit their spaces and shapes",
    "infos are arrays of one value a row",
    "results are arrays of their own",
    "equal seeds give equal runs",
    "a reset without a seed goes on reproducibly",
    "autoreset is that of the metadata",
    "rows equal single environments",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What was checked."""

    held: tuple[str, ...]
    not_reached: tuple[str, ...]  # no life ended within the steps, or no single one was given


def check_vector_env(
    make: Make,
    *,
    seed: int,
    make_single: Callable[[], gymnasium.Env[Any, Any]] | None = None,
    num_envs: int = 4,
    n_steps: int = 100,
) -> Report:
    """Run environments beside each other and hold them to every one of :data:`LAWS`.

    Parameters
    ----------
    make : callable
        Makes a fresh environment of so many rows.
    seed : int
        Of the resets and of the random actions.
    make_single : callable, optional
        Makes the single environment that each row should be: ``reset(seed=s)`` must then give row i
        the seed s + i, as in :class:`gymnasium.vector.SyncVectorEnv`.
    num_envs, n_steps : int
        Rows, and steps of each run; enough that some lives end.

    Raises
    ------
    BadInputError
        At the first law that does not hold.

    Examples
    --------
    >>> import gymnasium
    >>> make = lambda n: gymnasium.vector.SyncVectorEnv([lambda: gymnasium.make("CartPole-v1")] * n)
    >>> check_vector_env(make, seed=1).not_reached
    ('rows equal single environments',)
    """
    env, twin = make(num_envs), make(num_envs)
    mode = _mode_of(env)
    _check_spaces(env, num_envs)
    has_ended = False
    for at, first, second, was_over in _pairs(env, twin, seed=seed, n_steps=n_steps, mode=mode):
        _check_step(env, first, at)
        _check_same(first, second, f"step {at} of two runs with seed {seed} and equal actions", 4)
        has_ended |= bool(_over(first).any())
        _check_autoreset(env, first, mode, was_over=was_over, at=at)
    _check_goes_on(env, twin)
    _check_list_of_infos(make(num_envs), seed=seed)
    if make_single is not None:
        _check_singles(make(num_envs), make_single, seed=seed, n_steps=n_steps, mode=mode)
    env.close()
    twin.close()
    missing = [LAWS[6]] * (not has_ended) + [LAWS[7]] * (make_single is None)
    return Report(held=tuple(law for law in LAWS if law not in missing), not_reached=tuple(missing))


def _broken(law: int, *, wanted: str, got: str, remedy: str) -> BadInputError:
    return BadInputError(f"{LAWS[law]}: expected {wanted}, got {got}: {remedy}")


def _mode_of(env: Envs) -> AutoresetMode:
    mode = env.metadata.get("autoreset_mode")
    if not isinstance(mode, AutoresetMode):
        raise _broken(
            6,
            wanted="metadata['autoreset_mode'] to be an AutoresetMode",
            got=repr(mode),
            remedy="set it on the class, or on the instance before anyone asks",
        )
    return AutoresetMode(mode)


def _check_spaces(env: Envs, num_envs: int) -> None:
    if env.num_envs != num_envs:
        raise _broken(
            0,
            wanted=f"num_envs {num_envs}",
            got=str(env.num_envs),
            remedy="keep the number that the constructor is asked for",
        )
    for name in ("observation_space", "action_space"):
        single = getattr(env, f"single_{name}")
        if getattr(env, name) != batch_space(single, num_envs):
            raise _broken(
                0,
                wanted=f"{name} to be batch_space(single_{name}, {num_envs})",
                got=str(getattr(env, name)),
                remedy="set it to just that",
            )


def _pairs(
    env: Envs, twin: Envs, *, seed: int, n_steps: int, mode: AutoresetMode
) -> Iterator[tuple[int, Step, Step, Flags]]:
    """Step two environments alike, but for the actions of rows that only restart."""
    n = env.num_envs
    (seen, info), (again, told) = env.reset(seed=seed), twin.reset(seed=seed)
    _check_same(seen, again, f"observations of two resets with seed {seed}", 4)
    _check_same(info, told, f"infos of two resets with seed {seed}", 4)
    _check_infos(info, n, "reset")
    _check_fits(env, seen, "reset")
    env.action_space.seed(seed)
    was_over = np.zeros(n, np.bool_)
    held: Any = (seen, info)
    for at in range(1, n_steps + 1):
        action, other = env.action_space.sample(), env.action_space.sample()
        if not (isinstance(action, np.ndarray) and mode is AutoresetMode.NEXT_STEP):
            other = action
        else:
            other[~was_over] = action[~was_over]
        kept = _copied(held)
        first, second = env.step(action), twin.step(other)
        _check_kept(held, kept, at)
        held = first
        yield at, first, second, was_over
        was_over = _over(first)
        if mode is AutoresetMode.DISABLED and was_over.any():
            held = (first, _reset_some(env, first[0], was_over, at))
            twin.reset(options={"reset_mask": was_over.copy()})
            was_over = np.zeros(n, np.bool_)


def _reset_some(env: Envs, seen: Any, mask: Flags, at: int) -> Any:
    """Reset rows by hand; the others must stay as they are."""
    fresh, info = env.reset(options={"reset_mask": mask.copy()})
    _check_infos(info, env.num_envs, f"reset of some rows after step {at}")
    for before, after in zip(_leaves(seen), _leaves(fresh), strict=True):
        if not np.array_equal(before[~mask], after[~mask]):
            raise _broken(
                6,
                wanted="rows outside reset_mask to stay as they are",
                got=f"other observations of them after step {at}",
                remedy="reset only rows where options['reset_mask'] is true",
            )
    return fresh


def _check_step(env: Envs, result: Step, at: int) -> None:
    seen, rewards, terminated, truncated, info = result
    _check_fits(env, seen, f"step {at}")
    n = env.num_envs
    for name, column, kind in (
        ("rewards", rewards, np.floating),
        ("terminations", terminated, np.bool_),
        ("truncations", truncated, np.bool_),
    ):
        fits = isinstance(column, np.ndarray) and column.shape == (n,)
        if not (fits and np.issubdtype(column.dtype, kind) and bool(np.isfinite(column).all())):
            raise _broken(
                1,
                wanted=f"{name} to be finite, an ndarray of shape ({n},) and kind {kind.__name__}",
                got=f"{getattr(column, 'dtype', type(column))} {np.shape(column)} at step {at}",
                remedy="return one number a row",
            )
    _check_infos(info, n, f"step {at}")


def _check_fits(env: Envs, seen: Any, where: str) -> None:
    if not env.observation_space.contains(seen):
        raise _broken(
            1,
            wanted=f"observations in {env.observation_space}",
            got=f"others at {where}",
            remedy="mend bounds, shape or kind of number",
        )


def _check_infos(info: Any, n: int, where: str) -> None:
    if not isinstance(info, dict):
        raise _broken(
            2,
            wanted="info to be a dictionary of columns",
            got=f"{type(info).__name__} at {where}",
            remedy="return {} where there is nothing to say",
        )
    for name, value in info.items():
        if isinstance(value, dict):
            _check_infos(value, n, where)
            continue
        if not (isinstance(value, np.ndarray) and value.shape[:1] == (n,)):
            raise _broken(
                2,
                wanted=f"info[{name!r}] to be an ndarray of {n} rows",
                got=f"{type(value).__name__} of shape {np.shape(value)} at {where}",
                remedy="put one value a row in a column; DictInfoToList and RLlib refuse others",
            )


def _check_kept(held: Any, kept: Any, at: int) -> None:
    if not _is_same(held, kept):
        raise _broken(
            3,
            wanted="observations, rewards, flags and infos to stay as they were returned",
            got=f"others after step {at}",
            remedy="return copies, not the arrays that the next step writes to",
        )


def _check_autoreset(
    env: Envs, result: Step, mode: AutoresetMode, *, was_over: Flags, at: int
) -> None:
    _, rewards, _, _, info = result
    over = _over(result)
    is_dead = was_over if mode is AutoresetMode.NEXT_STEP else np.zeros_like(was_over)
    if rewards[is_dead].any() or over[is_dead].any():
        raise _broken(
            6,
            wanted="reward 0 and no flag in rows that only restart",
            got=f"rewards {rewards[is_dead]} and flags {over[is_dead]} at step {at}",
            remedy="ignore the action of such a row and return its first observation",
        )
    if mode is AutoresetMode.SAME_STEP and over.any():
        has_all = {"final_obs", "_final_obs", "final_info"} <= info.keys()
        if not (
            has_all
            and np.array_equal(info["_final_obs"], over)
            and all(env.single_observation_space.contains(o) for o in info["final_obs"][over])
        ):
            raise _broken(
                6,
                wanted="final_obs, _final_obs and final_info of the rows whose life ended",
                got=f"info keys {sorted(info)} at step {at}",
                remedy="keep the last observation and info of those rows before they restart",
            )


def _check_goes_on(env: Envs, twin: Envs) -> None:
    """Two environments with equal pasts begin equal lives when reset without a seed."""
    _check_same(env.reset()[0], twin.reset()[0], "resets without a seed after equal pasts", 5)


def _check_list_of_infos(env: Envs, *, seed: int) -> None:
    wrapped = DictInfoToList(env)
    infos: Any = wrapped.reset(seed=seed)[1]
    env.action_space.seed(seed)
    infos_of_step: Any = wrapped.step(env.action_space.sample())[4]
    if not (len(infos) == len(infos_of_step) == env.num_envs):
        raise _broken(
            2,
            wanted=f"DictInfoToList to give {env.num_envs} infos",
            got=f"{len(infos)} and {len(infos_of_step)}",
            remedy="put one value a row in each column",
        )
    wrapped.close()


def _check_singles(
    env: Envs,
    make_single: Callable[[], gymnasium.Env[Any, Any]],
    *,
    seed: int,
    n_steps: int,
    mode: AutoresetMode,
) -> None:
    singles: Envs = SyncVectorEnv([make_single] * env.num_envs, autoreset_mode=mode)
    first, second = env.reset(seed=seed), singles.reset(seed=seed)
    _check_same(first[0], second[0], "the first observations of rows and of single ones", 7)
    _check_columns(first[1], second[1], "the infos of reset")
    env.action_space.seed(seed)
    for at in range(1, n_steps + 1):
        action = env.action_space.sample()
        ours, theirs = env.step(action), singles.step(action)
        where = f"step {at} of rows and of single environments"
        for one, other in zip(ours[:4], theirs[:4], strict=True):
            _check_same(one, other, where, 7)
        _check_columns(ours[4], theirs[4], where)
        over = _over(ours)
        if mode is AutoresetMode.DISABLED and over.any():
            again = env.reset(options={"reset_mask": over.copy()})
            anew = singles.reset(options={"reset_mask": over.copy()})
            _check_same(again[0], anew[0], f"reset of some rows after step {at}", 7)
    env.close()
    singles.close()


def _check_columns(info: dict[str, Any], other: dict[str, Any], where: str) -> None:
    """Columns of the vector environment, in the rows where the single ones have them."""
    for name, column in info.items():
        if name.startswith("_"):
            continue
        mask = other.get(f"_{name}", np.zeros(0, np.bool_))
        if isinstance(column, dict):
            for key, inner in column.items():
                _check_rows(inner, other[name].get(key), mask, f"info[{name!r}][{key!r}], {where}")
        else:
            _check_rows(column, other.get(name), mask, f"info[{name!r}], {where}")


def _check_rows(column: Any, other: Any, mask: Flags, where: str) -> None:
    is_there = other is not None and len(mask) == len(column)
    _check_same(
        list(column[mask]) if is_there else None, list(other[mask]) if is_there else where, where, 7
    )


def _check_same(one: Any, other: Any, where: str, law: int) -> None:
    if not _is_same(one, other):
        raise _broken(
            law,
            wanted=f"the same bits at {where}",
            got=f"{one!r} and {other!r}"[:300],
            remedy="let every draw hang on the seed, the row and its own past alone",
        )


def _is_same(one: Any, other: Any) -> bool:
    """Whether two structures of arrays hold the same numbers, NaN where NaN is."""
    if one is None or other is None:
        return one is other
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(one[k], other[k]) for k in one)
    if isinstance(one, (tuple, list)):
        return len(one) == len(other) and all(map(_is_same, one, other))
    first, second = np.asarray(one), np.asarray(other)
    if first.dtype == object:
        return len(first) == len(second) and all(map(_is_same, first.tolist(), second.tolist()))
    is_float = first.dtype.kind == "f"
    return first.dtype == second.dtype and np.array_equal(first, second, equal_nan=is_float)


def _over(result: Step) -> Flags:
    return np.asarray(result[2] | result[3], np.bool_)


def _leaves(seen: Any) -> list[NDArray[Any]]:
    if isinstance(seen, dict):
        return [leaf for part in seen.values() for leaf in _leaves(part)]
    if isinstance(seen, tuple):
        return [leaf for part in seen for leaf in _leaves(part)]
    return [np.asarray(seen)]


def _copied(seen: Any) -> Any:
    if isinstance(seen, dict):
        return {name: _copied(part) for name, part in seen.items()}
    if isinstance(seen, tuple):
        return tuple(_copied(part) for part in seen)
    return np.array(seen, copy=True)
