"""A policy over a policy that may not fall behind a baseline."""
