"""Studies: one file each, run by ``python -m experiments.NAME``, results beside them."""
