"""What a Vowpal Wabbit policy is told: how it regresses, and how it explores.

Plain dataclasses enter the registry and TOML; command lines leave. Nothing here loads the library.
References: the options of Vowpal Wabbit 9.11; Bietti, Agarwal and Langford (2021), "A contextual
bandit bake-off", for what they do.
"""

from __future__ import annotations

from dataclasses import dataclass

from bandit.errors import BadInputError

__all__ = ["ONE_ACTION", "TimesParams", "VWParams", "expect_between"]

_INTERACTIONS = ("ch", "ci", "cs", "is", "cis")
ONE_ACTION = ("mtr", "dm")
"""Estimators that need the features of the action taken and of no other: all that feedback has."""


@dataclass(frozen=True, slots=True, kw_only=True)
class VWParams:
    """The regressor under every exploration.

    Parameters
    ----------
    cb_type : {"mtr", "dm"}
        Costs regressed with importance weights 1/p, or without. Vowpal Wabbit's ips, dr and sm
        also learn from the actions that were not taken, whose features feedback does not carry.
    interactions : str
        Namespaces whose features are multiplied, out of "ch", "ci", "cs", "is" and "cis": c
        context, h hold, i item, s slot.
    learning_rate, power_t : float
        Step size and how fast it decays.
    clip_p : float
        Least propensity that a weight 1/p is made of. Vowpal Wabbit's own default, 0, lets one row
        of an exploration floor (propensities to 2e-6) overwrite what thousands taught.
    bits : int
        log2 of the length of the table that features are hashed into.
    seed : int
        Of bootstrap weights and random targets.
    """

    cb_type: str = "mtr"
    interactions: str = "is"
    learning_rate: float = 0.5
    power_t: float = 0.5
    clip_p: float = 0.01
    bits: int = 18
    seed: int = 1

    def __post_init__(self) -> None:
        if self.cb_type not in ONE_ACTION:
            raise BadInputError(
                f"expected cb_type out of {ONE_ACTION}, got {self.cb_type!r}: ips, dr and sm learn "
                "from the features of actions that were not taken, which feedback does not carry"
            )
        for word in self.interactions.split():
            if word not in _INTERACTIONS:
                raise BadInputError(f"expected interactions out of {_INTERACTIONS}, got {word!r}")
        expect_between("clip_p", self.clip_p, 0.0, 1.0)
        expect_between("power_t", self.power_t, 0.0, 1.0)
        expect_between("bits", self.bits, 8, 28)
        if not 0 < self.learning_rate < float("inf"):
            raise BadInputError(f"expected a learning_rate above 0, got {self.learning_rate}")
        if not 0 <= self.seed < 2**63:
            raise BadInputError(f"expected a seed of at least 0, got {self.seed}")

    @property
    def words(self) -> tuple[str, ...]:
        """Interactions, one word each."""
        return tuple(self.interactions.split())

    def arguments(self) -> str:
        """Command line of the regressor.

        A seed that is given is saved with where its draws have got to, and per-model state is
        saved for every policy of an ensemble: without both, bag, cover and rnd do not go on from
        a saved model as if they had never stopped.
        """
        words = " ".join(f"--interactions {word}" for word in self.words)
        return (
            f"{words} --learning_rate {self.learning_rate!r} --power_t {self.power_t!r} "
            f"-b {self.bits} --random_seed {self.seed} --per_model_save_load --quiet"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class TimesParams:
    """A density over send times: a tree of bins, smoothed.

    Parameters
    ----------
    bins_a_slot : int
        Bins of the tree in one slot of the grid.
    bandwidth : float
        How far a bin's density reaches to either side, in bins; at least half of one.
    epsilon : float
        Share that is spread over all times alike.
    learning_rate : float
        Step size.
    """

    bins_a_slot: int = 1
    bandwidth: float = 0.5
    epsilon: float = 0.05
    learning_rate: float = 0.5

    def __post_init__(self) -> None:
        expect_between("bins_a_slot", self.bins_a_slot, 1, 60)
        expect_between("bandwidth", self.bandwidth, 0.5, 100.0)
        expect_between("epsilon", self.epsilon, 1e-6, 1.0)
        if not 0 < self.learning_rate < float("inf"):
            raise BadInputError(f"expected a learning_rate above 0, got {self.learning_rate}")

    def arguments(self, n_slots: int, model: VWParams) -> str:
        """Command line of the densities over [0, n_slots)."""
        n_bins = max(2, self.bins_a_slot * n_slots)  # a tree has two leaves or more
        reach = min(self.bandwidth * n_slots / n_bins, 0.499 * n_slots)
        return (
            f"--cats_pdf {n_bins} --min_value 0 --max_value {n_slots} --bandwidth {reach!r} "
            f"--epsilon {self.epsilon!r} --learning_rate {self.learning_rate!r} -b {model.bits} "
            f"--random_seed {model.seed} --per_model_save_load --quiet"
        )


def expect_between(name: str, value: float, least: float, most: float) -> None:
    """Raise :class:`BadInputError` unless a setting lies in a closed range."""
    if not least <= value <= most:
        raise BadInputError(f"expected {name} in [{least}, {most}], got {value}")
