"""Ray for as long as a study trains: one CPU, no dashboard, nothing left running."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager

import ray

__all__ = ["ray_session"]


@contextmanager
def ray_session(n_cpus: int = 1) -> Iterator[None]:
    """Start Ray on this machine, and stop it whatever happens."""
    ray.init(num_cpus=n_cpus, include_dashboard=False, log_to_driver=False)
    try:
        yield
    finally:
        gc.collect()  # readers of its data sets say goodbye to it
        ray.shutdown()
