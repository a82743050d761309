from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.jobs.workers import workers

ROOT = Path(__file__).resolve().parents[3]
LONG_S = 600
# A parent whose worker writes its own number, then sleeps for as long as it is let.
PARENT = f"""
import os, signal, time
from service.jobs.workers import workers
if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # whoever runs the tests may ignore it
    with workers(1) as pool:
        print(pool.submit(os.getpid).result(), flush=True)
        pool.submit(time.sleep, {LONG_S}).result()
"""


def is_running(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # A zombie has ended; only its parent has not heard of it.
    return state != "Z"


def ends_soon(is_over: Callable[[], bool]) -> bool:
    until = time.monotonic() + 30
    while time.monotonic() < until:
        if is_over():
            return True
        time.sleep(0.05)
    return False


def test_work_is_done_in_other_processes() -> None:
    """What a task returns comes back, and so does what it raises."""
    with workers(1) as pool:
        assert pool.submit(os.getpid).result() != os.getpid()
        with pytest.raises(ValueError, match="invalid literal"):
            pool.submit(int, "three").result()


@pytest.mark.skipif(not Path("/proc").exists(), reason="looks at processes through /proc")
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_worker_ends_with_the_one_that_started_it(tmp_path: Path, how: signal.Signals) -> None:
    """Killed or interrupted, a run leaves nobody behind who writes into its folder."""
    script = tmp_path / "parent.py"
    script.write_text(PARENT)
    with subprocess.Popen(
        [sys.executable, script],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert is_running(worker)
        try:
            parent.send_signal(how)
            assert parent.wait(timeout=30) != 0
            assert ends_soon(lambda: not is_running(worker))
        finally:
            parent.kill()


def test_an_error_ends_the_other_workers_at_once() -> None:
    """Nobody waits for what can no longer matter."""
    started = time.monotonic()
    with pytest.raises(RuntimeError, match="stop"), workers(2) as pool:
        pool.submit(time.sleep, LONG_S)
        pool.submit(int, "1").result()
        raise RuntimeError("stop")
    assert time.monotonic() - started < LONG_S / 2


def test_each_worker_is_told_what_it_needs_first(tmp_path: Path) -> None:
    """Before its first task, with the arguments given."""
    with workers(1, begin=os.chdir, given=(tmp_path,)) as pool:
        assert Path(pool.submit(os.getcwd).result()) == tmp_path
