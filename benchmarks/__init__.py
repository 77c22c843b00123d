"""Holdfast beside its peers and beside the floors that nothing can go under, in one run.

`make bench` and `make bench-quick` start it; README.md says what is compared and how.
"""
