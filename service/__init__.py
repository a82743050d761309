"""Everything that composes the rooms below: jobs, reports and the command line.

Numeric libraries get one thread a process unless the environment says otherwise, so that a
command started by hand draws the same bytes as ``make run``, and the two busy processes of a
run do not slow each other down. They read it when they are loaded: hence here.
"""

from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
