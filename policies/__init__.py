"""Policies: requests in, probabilities over actions out; one file a policy."""
