"""Budgets around any policy: shadow prices that a slow planner sets and a fast executor pays."""
