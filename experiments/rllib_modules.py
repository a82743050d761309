"""RLlib's modules over the Q-network of this house: what PPO, DQN, BC and MARWIL train.

Observations of a face with ``observe="request"`` and ``mask_in_obs=True`` enter; logits or values
of every action leave, masked, from the towers that ``policies/baselines/q_network.py`` asks in
plain arrays. So what is trained leaves as named arrays, and Ray stays here. Contract: RLlib 2.60's
new API stack, ``ray/rllib/core/rl_module``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from ray.rllib.core.columns import Columns
from ray.rllib.core.distribution.torch.torch_distribution import TorchCategorical
from ray.rllib.core.learner.utils import make_target_network
from ray.rllib.core.rl_module.apis import InferenceOnlyAPI, QNetAPI, TargetNetworkAPI
from ray.rllib.core.rl_module.apis.value_function_api import ValueFunctionAPI
from ray.rllib.core.rl_module.rl_module import RLModuleSpec
from ray.rllib.core.rl_module.torch.torch_rl_module import TorchRLModule
from ray.rllib.utils.schedules.scheduler import Scheduler

from bandit.draws import Stream, generator, key_of
from policies.baselines.q_network import QNetwork
from policies.baselines.q_tensors import QTensors
from simulator.request_features import RequestColumns

__all__ = ["PolicyModule", "QModule", "spec_of"]

Batch = dict[str, Any]

_LEAST = torch.finfo(torch.float32).min


def spec_of(
    module: type[TorchRLModule], columns: RequestColumns, *, hidden: int, width: int, seed: int
) -> RLModuleSpec:
    """Return what RLlib makes a module from.

    Parameters
    ----------
    module : type
        :class:`PolicyModule` or :class:`QModule`.
    columns : RequestColumns
        Of the rows that will be observed.
    hidden, width : int
        Units and outputs of each tower.
    seed : int
        Of the first weights.
    """
    sizes = {name: getattr(columns, name) for name in columns.__slots__}
    config = {"columns": sizes, "hidden": hidden, "width": width, "seed": seed}
    return RLModuleSpec(module_class=module, model_config=config)


class TowerWeights(torch.nn.Module):
    """The weights of a Q-network where torch finds them: to be copied, moved and trained."""

    def __init__(self, network: QNetwork) -> None:
        super().__init__()
        tensors = QTensors.of(network)
        named = {"theta": tensors.theta} | {
            f"{tower}_{part}": weight
            for tower, parts in tensors.towers.items()
            for part, weight in parts.items()
        }
        self.weights = torch.nn.ParameterDict(
            {name: torch.nn.Parameter(weight.detach()) for name, weight in named.items()}
        )

    def tensors(self) -> QTensors:
        """The same weights as a network; nothing is copied."""
        towers: dict[str, dict[str, torch.Tensor]] = {}
        for name, weight in self.weights.items():
            tower, _, part = name.partition("_")
            if part:
                towers.setdefault(tower, {})[part] = weight
        return QTensors(towers, self.weights["theta"])


class _Towers(TorchRLModule, InferenceOnlyAPI):  # type: ignore[misc]
    """What both modules have."""

    def setup(self) -> None:
        """Make the first weights: half of what is done at first is to hold."""
        config = self.model_config
        self.columns = RequestColumns(**config["columns"])
        lengths = (
            self.columns.n_context,
            self.columns.n_item_features,
            self.columns.n_slot_features,
        )
        rng = generator(key_of("rllib", config["seed"]), stream=Stream.INITIAL)
        blank = QNetwork.blank(lengths, hidden=config["hidden"], width=config["width"], rng=rng)
        blank.theta[blank.towers.n_base] = self._first_of_sends()
        self.towers = TowerWeights(blank)
        self.action_dist_cls = TorchCategorical

    def arrays(self) -> QNetwork:
        """The network as plain arrays."""
        return self.towers.tensors().arrays()

    def get_non_inference_attributes(self) -> list[str]:
        """Parts that only learners need."""
        return []

    def _first_of_sends(self) -> float:
        return 0.0

    def _parts(self, batch: Batch, towers: TowerWeights) -> tuple[torch.Tensor, torch.Tensor]:
        """Value of the base (N, 1) and what every action adds (N, A), masked at the least float."""
        rows, mask = self._seen(batch)
        base, added = towers.tensors().parts(*self.columns.split(rows))
        whole = torch.cat([torch.zeros_like(base), added], dim=1)
        return base, whole.masked_fill(mask == 0.0, _LEAST)

    def _seen(self, batch: Batch) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows and masks: a face's dictionary, or a log's rows with their masks at the end."""
        seen = batch[Columns.OBS]
        if isinstance(seen, torch.Tensor):
            return seen[:, : self.columns.width], seen[:, self.columns.width :]
        return seen["observations"], seen["action_mask"]


class PolicyModule(_Towers, ValueFunctionAPI):  # type: ignore[misc]
    """Logits of every action, and a critic: what is sampled is their softmax.

    Notes
    -----
    The critic is the network's base, which sees the context and which all actions share, so that
    it is no part of the probabilities.
    """

    def compute_values(self, batch: Batch, embeddings: Any = None) -> torch.Tensor:
        """The critic's value of each state, (N,)."""
        context = self.columns.split(self._seen(batch)[0]).context
        return self.towers.tensors().base(context)[:, 0]

    def _forward(self, batch: Batch, **kwargs: Any) -> Batch:
        return {Columns.ACTION_DIST_INPUTS: self._parts(batch, self.towers)[1]}

    def _first_of_sends(self) -> float:
        return -float(np.log(self.columns.n_items * self.columns.n_slots))


class QModule(_Towers, QNetAPI, TargetNetworkAPI):  # type: ignore[misc]
    """Q of every action, a target network, and ε-greedy exploration over what may be done."""

    def setup(self) -> None:
        """Make the first weights, and ε as it is scheduled."""
        super().setup()
        self.epsilon = Scheduler(
            fixed_value_or_schedule=self.model_config["epsilon"], framework=self.framework
        )

    def get_non_inference_attributes(self) -> list[str]:
        """Return the target network, which only learners need."""
        return ["target"]

    def make_target_networks(self) -> None:
        """Copy the network."""
        self.target = make_target_network(self.towers)

    def get_target_network_pairs(self) -> list[tuple[torch.nn.Module, torch.nn.Module]]:
        """Which network follows which."""
        return [(self.towers, self.target)]

    def compute_q_values(self, batch: Batch) -> Batch:
        """Q of every action, (N, A)."""
        return self._valued(batch, self.towers)

    def forward_target(self, batch: Batch) -> Batch:
        """Q of every action by the target network, (N, A)."""
        return self._valued(batch, self.target)

    def _valued(self, batch: Batch, towers: TowerWeights) -> Batch:
        base, added = self._parts(batch, towers)
        return {"qf_preds": torch.where(added > _LEAST, base + added, _LEAST)}

    def _forward_inference(self, batch: Batch, **kwargs: Any) -> Batch:
        return {Columns.ACTIONS: self.compute_q_values(batch)["qf_preds"].argmax(dim=1)}

    def _forward_exploration(self, batch: Batch, t: int, **kwargs: Any) -> Batch:
        action = self._forward_inference(batch)[Columns.ACTIONS]
        self.epsilon.update(t)
        explores = torch.rand(len(action)) < self.epsilon.get_current_value()
        any_open = torch.multinomial(batch[Columns.OBS]["action_mask"], num_samples=1)[:, 0]
        return {Columns.ACTIONS: torch.where(explores, any_open, action)}

    def _forward_train(self, batch: Batch, **kwargs: Any) -> Batch:
        """Of the state, and of the one after it by both networks, as DQN's learner reads them."""
        after = {Columns.OBS: batch[Columns.NEXT_OBS]}
        return {
            "qf_preds": self.compute_q_values(batch)["qf_preds"],
            "qf_next_preds": self.compute_q_values(after)["qf_preds"],
            "qf_target_next_preds": self.forward_target(after)["qf_preds"],
        }
