"""How a belief becomes probabilities: explorers, each over any reward model."""
