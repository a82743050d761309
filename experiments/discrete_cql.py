"""Conservative Q-learning over a choice of actions, from rows of a log that are over at once.

Rows as RLlib reads them (:func:`experiments.rllib_log.episodes_of`) enter; a Q-network leaves,
which ``double_dqn`` reads. RLlib's CQL is for continuous actions only. Reference: Kumar, Zhou,
Tucker and Levine (2020), "Conservative Q-learning for offline reinforcement learning", equation 4,
CQL(H).
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray

from bandit.draws import Stream, generator, key_of
from policies.baselines.q_network import QNetwork
from policies.baselines.q_tensors import QTensors
from simulator.request_features import RequestColumns

__all__ = ["conservative_loss", "learn_cql"]


def conservative_loss(
    values: torch.Tensor,
    mask: torch.Tensor,
    action: torch.Tensor,
    reward: torch.Tensor,
    *,
    alpha: float,
) -> torch.Tensor:
    """½·E[(Q(s, a) − r)²] + α·E[log Σ exp Q(s, ·) − Q(s, a)], over what might be done.

    Parameters
    ----------
    values : Tensor, (N, A)
        Q of every action.
    mask : Tensor of bool, (N, A)
        True where it might be taken.
    action, reward : Tensor, (N,)
        What was done and what it brought; nothing follows.
    alpha : float
        How much what was not done is valued down.
    """
    taken = values.gather(1, action[:, None])[:, 0]
    whole = values.masked_fill(~mask, -torch.inf).logsumexp(dim=1)
    return 0.5 * ((taken - reward) ** 2).mean() + alpha * (whole - taken).mean()


def learn_cql(
    rows: pa.Table,
    columns: RequestColumns,
    *,
    passes: int,
    batch_rows: int,
    learning_rate: float,
    alpha: float,
    hidden: int,
    width: int,
    seed: int,
) -> QNetwork:
    """Learn from rows; rewards are learned in standard deviations, and so are values."""
    rng = generator(key_of("cql", seed), stream=Stream.INITIAL)
    lengths = columns.n_context, columns.n_item_features, columns.n_slot_features
    network = QTensors.of(QNetwork.blank(lengths, hidden=hidden, width=width, rng=rng))
    optimiser = torch.optim.Adam(network.parameters(), lr=learning_rate, fused=True)
    seen = np.asarray(rows["obs"].combine_chunks().flatten()).reshape(rows.num_rows, -1)
    action = np.asarray(rows["actions"])
    reward = np.asarray(rows["rewards"])
    reward = np.asarray(reward / max(float(reward.std()), 1e-6), np.float32)
    for _ in range(passes):
        order = rng.permutation(rows.num_rows)
        for start in range(0, rows.num_rows, batch_rows):
            some = order[start : start + batch_rows]
            loss = _loss(network, columns, seen[some], action[some], reward[some], alpha=alpha)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()  # type: ignore[no-untyped-call]
            torch.nn.utils.clip_grad_norm_(network.parameters(), 10.0)
            optimiser.step()
    return network.arrays()


def _loss(
    network: QTensors,
    columns: RequestColumns,
    seen: NDArray[np.float32],
    action: NDArray[Any],
    reward: NDArray[np.float32],
    *,
    alpha: float,
) -> torch.Tensor:
    shown = torch.from_numpy(seen)
    base, added = network.parts(*columns.split(shown[:, : columns.width]))
    values = torch.cat([base, base + added], dim=1)
    mask = shown[:, columns.width :] > 0.0
    return conservative_loss(
        values, mask, torch.from_numpy(action), torch.from_numpy(reward), alpha=alpha
    )
