"""Vowpal Wabbit behind the contract of a policy (extra ``vw``)."""
