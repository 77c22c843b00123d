"""The contenders, one module each; every one is run as a process of its own.

What they share is in `job.py`, which needs the standard library alone: the peers live in another
virtual environment than Holdfast.
"""
