"""How good estimated propensities are: discrimination, calibration and overlap as numbers.

Cross-fitted chances beside what happened enter; one plain row leaves. A high AUC is no
comfort here: the better sends can be foretold, the less the two groups can be compared.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from bandit.metric_math import auc, calibration_error, calibration_table, log_losses
from bandit.ope.diagnostics import diagnose

__all__ = ["propensity_report"]

Array = NDArray[np.float64]
Flags = NDArray[np.bool_]


class _Sent(Protocol):
    @property
    def is_sent(self) -> Flags: ...

    @property
    def spend(self) -> Array: ...


class _Chances(Protocol):
    @property
    def rows(self) -> _Sent: ...

    @property
    def chance(self) -> Array: ...

    @property
    def chance_logistic(self) -> Array: ...

    @property
    def chance_boosted(self) -> Array: ...

    @property
    def share_clipped(self) -> float: ...


def propensity_report(
    fitted: _Chances, *, kind: str, overlap: tuple[float, float]
) -> dict[str, Any]:
    """Measure the chances of one type of campaign.

    Parameters
    ----------
    fitted : record of columns
        Rows with ``is_sent`` and ``spend``, and three chances of each row.
    kind : str
        Name of the type, repeated in the row.
    overlap : (float, float)
        Range of chances that counts as overlap.
    """
    sent, chance = fitted.rows.is_sent, fitted.chance
    inside = (chance >= overlap[0]) & (chance <= overlap[1])
    send = diagnose(np.where(sent, 1 / chance, 0.0), fitted.rows.spend)
    hold = diagnose(np.where(sent, 0.0, 1 / (1 - chance)), fitted.rows.spend)
    return {
        "kind": kind,
        "n_rows": len(sent),
        "n_sent": int(sent.sum()),
        "auc": auc(chance, sent),
        "auc_logistic": auc(fitted.chance_logistic, sent),
        "auc_boosted": auc(fitted.chance_boosted, sent),
        "log_loss": float(log_losses(chance, sent).mean()),
        "calibration_error": calibration_error(chance, sent),
        "calibration": calibration_table(chance, sent),
        "share_overlap": float(inside.mean()),
        "share_sent_overlap": float(inside[sent].mean()),
        "share_clipped": fitted.share_clipped,
        "ess_send": send.ess,
        "ess_hold": hold.ess,
        "mean_weight_send": send.mean_weight,
        "mean_weight_hold": hold.mean_weight,
        "max_weight_send": send.max_weight,
    }
