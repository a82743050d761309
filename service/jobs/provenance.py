"""Where a number comes from: machine, commit, versions and a fingerprint of the code.

Nothing enters but the running process; a plain dict for ``metrics.json`` leaves. Every
reported number of the project carries it.
"""

from __future__ import annotations

import hashlib
import os
import platform
import subprocess
from importlib import metadata
from pathlib import Path
from typing import Any

__all__ = ["ROOT", "code_fingerprint", "provenance"]

ROOT = Path(__file__).resolve().parents[2]
_ROOMS = ("bandit", "encoders", "policies", "simulator", "service")
_SOURCES = (".py", ".toml")
_LIBRARIES = ("numpy", "pyarrow", "torch", "scipy", "scikit-learn", "matplotlib")


def provenance() -> dict[str, Any]:
    """Describe the machine, the commit and the library versions of this process."""
    return {
        "machine": _machine(),
        "commit": _commit(),
        "code": code_fingerprint(),
        "python": platform.python_version(),
        "versions": {name: _version(name) for name in _LIBRARIES},
        "threads": os.environ.get("OMP_NUM_THREADS", "unset"),
    }


def code_fingerprint() -> str:
    """Hash of every source file of the product, so that two versions never share a result.

    The worlds' presets are source, too.
    """
    digest = hashlib.blake2b(digest_size=8)
    for room in _ROOMS:
        files = (ROOT / room).rglob("*")
        for path in sorted(file for file in files if file.suffix in _SOURCES):
            digest.update(path.relative_to(ROOT).as_posix().encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()


def _machine() -> str:
    model = platform.processor() or platform.machine()
    cpu_info = Path("/proc/cpuinfo")
    if cpu_info.exists():
        names = [x for x in cpu_info.read_text().splitlines() if x.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    memory = Path("/proc/meminfo")
    total = ""
    if memory.exists():
        total = f", {int(memory.read_text().split()[1]) / 2**20:.0f} GiB"
    return f"{model}, {os.cpu_count()} cores{total}, {platform.system()}"


def _commit() -> str:
    git = ["git", "-C", str(ROOT)]
    try:
        head = subprocess.run(  # noqa: S603  fixed arguments
            [*git, "rev-parse", "HEAD"], capture_output=True, text=True, check=True
        )
        changed = subprocess.run(  # noqa: S603  fixed arguments
            [*git, "status", "--porcelain", "--untracked-files=no"],
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown (not a git checkout)"
    return head.stdout.strip()[:12] + (" + local changes" if changed.stdout.strip() else "")


def _version(name: str) -> str:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "absent"
