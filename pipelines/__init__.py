"""Holdfast: a proven history of who holds what."""
