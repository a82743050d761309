"""Encoders: histories of time-stamped events in, context vectors at any time out."""
