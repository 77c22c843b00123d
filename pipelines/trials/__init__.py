"""Proofs put to trial: thousands of real walks over worlds that change while they are read.

The sandbox remembers every state that was ever true, so each accepted snapshot is judged against
the truth and not against the code that took it. Beside each proof runs the usual test (rows =
total): a world in which that one is never wrong shows nothing. `python -m pipelines.trials`.
"""
