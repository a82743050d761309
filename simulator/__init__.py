"""A user population whose true mean reward of every action is known."""
