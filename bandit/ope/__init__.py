"""Off-policy evaluation: columns of a decision log in, values with intervals and a verdict out."""
