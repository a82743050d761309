"""Candidate generators: a request in, a short list of items with scores and source out."""
