"""How sure a count of failures makes: the exact (Clopper-Pearson) upper bound of a share."""

from math import exp, lgamma, log, log1p


def upper_bound(failures: int, trials: int, confidence: float = 0.95) -> float:
    """The largest share of failures that `failures` of `trials` still allow, one-sided.

    With no failure it is about 3 / trials (the rule of three). 1.0 where nothing was tried.
    """
    if failures >= trials:
        return 1.0
    low, high = failures / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        if _at_most(failures, trials, middle) > 1 - confidence:
            low = middle
        else:
            high = middle
    return high


def _at_most(failures: int, trials: int, share: float) -> float:
    """The chance of `failures` or fewer; 0 < share < 1."""
    if share >= 1.0:
        return 0.0
    ways = lgamma(trials + 1)
    return sum(
        exp(
            ways
            - lgamma(count + 1)
            - lgamma(trials - count + 1)
            + (count * log(share) if count else 0.0)
            + (trials - count) * log1p(-share)
        )
        for count in range(failures + 1)
    )
