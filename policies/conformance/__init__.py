"""The laws of a policy, to be run on anybody's: ``policies.conformance.suite.LAWS``.

They need neither pytest nor this project's tests, so ``opportune check-policy`` runs them from an
installed distribution, and whoever writes a policy elsewhere runs them in tests of their own.
"""
