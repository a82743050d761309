"""The ground: what a decision is, how it is drawn, logged, joined with outcomes and evaluated.

Behaviour events and candidate items enter; decisions with exact propensities, feedback and
off-policy values leave. Imports numpy and pyarrow only (scipy inside ``bandit.ope``).
"""
