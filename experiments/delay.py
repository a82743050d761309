"""What does delay cost a learner? ``python -m experiments.delay``: considered purchases, 60 days.

Learners and schemes enter; regret by how fast outcomes are heard, and how well the join foresees
conversions, leave, with intervals over seeds. Regret is what the floored pmf loses to the best
action of the same rows in closed-form truth (the myopic oracle). Seeds that are done are kept in
``runs/delay`` and never walked again. The delays are those of display advertising (anchors: .35
Exp(15 min) + .10 Exp(8 h) + .55 Exp(9.7 d)); Chapelle (2014) is the setting.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bandit.ope.paired import difference, mean_of_seeds
from experiments.delay_walk import (
    AGES_H,
    FINAL_DAYS,
    SCHEMES,
    considered,
    foreseen,
    lost,
    open_shop,
    readings,
    shape_of,
    walk,
)
from experiments.record import RESULTS, record
from policies.registry import DEFAULT, build
from service.jobs.steps import write_json
from simulator.kernel import ground_of

__all__ = ["main", "one_seed"]

Array = NDArray[np.float64]

_AT_ONCE, _AWARE, _UNTAUGHT = "at once", "delay-aware", "nothing"


def one_seed(learner: str, scheme: str, seed: int, *, users: int, days: int) -> dict[str, Any]:
    """Losses of every reader, decisions, and conversions by age: of one learner and population.

    Returns
    -------
    mapping
        ``lost`` by reader, in reward; ``decisions``, ``sends``; ``foreseen`` by age: conversions
        foreseen, held and come, of decisions made when the first others were final.
    """
    ground = ground_of(considered(days=days))
    world, of = open_shop(ground, users=users, seed=seed), SCHEMES[scheme]
    shape = shape_of(world)

    def fresh() -> Any:
        return build(learner, shape, scheme=of)

    walked = walk(world, fresh(), scheme=of, key=seed)
    losses = {
        reader: float(lost(fresh(), walked, rows, key=seed).sum())
        for reader, rows in readings(walked).items()
    }
    losses[_UNTAUGHT] = float(lost(fresh(), walked, None, key=seed).sum())
    seen = {str(age): sums[FINAL_DAYS + 1 :].sum(axis=0) for age, sums in foreseen(walked).items()}
    return {
        "lost": losses,
        "decisions": sum(turn.decisions.n_rows for turn in walked.turns),
        "sends": int(sum(turn.decisions.is_send.sum() for turn in walked.turns)),
        "foreseen": {age: sums.tolist() for age, sums in seen.items()},
    }


def main(argv: Sequence[str] | None = None) -> None:
    """Walk what has not been walked, and write both tables of all that has been."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--learners", nargs="*", default=[DEFAULT, "lints"], metavar="ID")
    parser.add_argument("--schemes", nargs="*", default=list(SCHEMES), choices=list(SCHEMES))
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--users", type=int, default=1000)
    parser.add_argument("--days", type=int, default=60)
    parser.add_argument("--kept", type=Path, default=Path("runs/delay"))
    parser.add_argument("--out", type=Path, default=RESULTS)
    chosen = parser.parse_args(argv)
    chosen.kept.mkdir(parents=True, exist_ok=True)
    for seed in range(chosen.seeds):
        for scheme in chosen.schemes:
            for learner in chosen.learners:
                name = f"{scheme}-{learner}-{chosen.users}x{chosen.days}-{seed:02d}.json"
                if not (chosen.kept / name).exists():
                    sizes = {"users": chosen.users, "days": chosen.days}
                    found = one_seed(learner, scheme, seed, **sizes)
                    about = {"scheme": scheme, "learner": learner, "seed": seed, **sizes}
                    write_json(chosen.kept / name, about | found)
                    print(name, found["lost"], flush=True)
    for path in tables(chosen.kept, chosen.out):
        print(path.read_text())


def tables(kept: Path, out: Path) -> tuple[Path, Path]:
    """Write what all kept seeds say: regret by reader, and conversions by age."""
    groups: dict[tuple[str, str, int, int], list[Mapping[str, Any]]] = {}
    for path in sorted(kept.glob("*.json")):
        told = json.loads(path.read_text())
        key = told["scheme"], told["learner"], told["users"], told["days"]
        groups.setdefault(key, []).append(told)
    settings = {"world": "ecommerce, considered purchases, open for 30 days before, all opted in"}
    regret = record(
        "delay",
        [row for key, seeds in groups.items() for row in _regret(key, seeds)],
        settings=settings,
        notes=(
            "Simulated. Regret: true worth lost to the best action of the same row (exact myopic "
            "oracle), a thousand decisions, through the same floor; all readers are asked about, "
            "and learn from, the rows of one delay-aware walk.",
            "`at once` learns final outcomes when it has decided; `not yet = 0` what has come "
            "after a day; `nothing` never learns. Ratio: to `at once`, mean over seeds. Worse by: "
            "regret less that of `delay-aware`, paired. Asked: ratio at most 1.1, `not yet = 0` "
            "worse.",
            "`uplift`: behaviour by time, as in every table; `attributed`: orders by the id of "
            "their push, the truth being all orders that pushes bring.",
        ),
        folder=out,
    )
    ages = record(
        "delay_foreseen",
        [row for key, seeds in groups.items() for row in _ages(key, seeds)],
        settings=settings,
        notes=(
            "Simulated. Conversions that came over those foreseen, of decisions made at least ten "
            "days after the first, when others are final: sums over all seeds, with a delete-one "
            "interval over seeds. Asked: .95 to 1.05.",
            "Foreseen: what the join says when asked at that age. Held: what it last told a "
            "learner; rows of which nothing is heard are told anew at doubling ages only.",
        ),
        folder=out,
    )
    return regret, ages


def _regret(
    key: tuple[str, str, int, int], seeds: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    by_reader = {
        reader: np.array([1000.0 * s["lost"][reader] / s["decisions"] for s in seeds])
        for reader in seeds[0]["lost"]
    }
    for reader, regret in by_reader.items():
        ratio = mean_of_seeds(regret / by_reader[_AT_ONCE])
        worse = difference(regret, by_reader[_AWARE])
        yield _about(key, seeds) | {
            "heard": reader,
            "regret": float(regret.mean()),
            "ratio": ratio.mean,
            "ratio 95 %": f"[{ratio.lower:.3f}, {ratio.upper:.3f}]",
            "worse by": worse.mean,
            "worse by 95 %": f"[{worse.lower:.4f}, {worse.upper:.4f}]",
        }


def _ages(
    key: tuple[str, str, int, int], seeds: Sequence[Mapping[str, Any]]
) -> Iterator[dict[str, Any]]:
    for age_h in AGES_H:
        sums = np.array([s["foreseen"][str(age_h)] for s in seeds])  # (S, 3)
        came = float(sums[:, 2].sum())
        if not sums[:, :2].any(axis=0).all():
            continue
        row = _about(key, seeds) | {"age h": age_h, "conversions": int(came)}
        for name, column in (("foreseen", 0), ("held", 1)):
            ratio, reach = _ratio_of_sums(sums[:, 2], sums[:, column])
            row |= {
                f"came / {name}": ratio,
                f"95 % {name}": f"[{ratio - reach:.3f}, {ratio + reach:.3f}]",
            }
        yield row


def _about(key: tuple[str, str, int, int], seeds: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    scheme, learner, users, _ = key
    return {"scheme": scheme, "learner": learner, "users": users, "seeds": len(seeds)}


def _ratio_of_sums(over: Array, under: Array) -> tuple[float, float]:
    """Ratio of two sums over seeds, and half of a 95 % interval (delete-one jackknife)."""
    ratio, n = float(over.sum() / under.sum()), len(over)
    if n < 2:
        return ratio, 0.0
    left = (over.sum() - over) / (under.sum() - under)
    error = np.sqrt((n - 1) / n * ((left - left.mean()) ** 2).sum())
    return ratio, float(1.96 * error)


if __name__ == "__main__":
    main()
