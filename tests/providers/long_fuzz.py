"""A longer and ever different run of test_fuzz.py and test_conformance.py, which else repeat
themselves and take seconds:

python -m pytest -n0 -p tests.providers.long_fuzz tests/providers/test_fuzz.py \
    tests/providers/test_conformance.py
"""

import random

from hypothesis import HealthCheck, settings

NAME = "long"
SEED = random.SystemRandom().randrange(2**32)

settings.register_profile(
    NAME,
    max_examples=20_000,
    derandomize=False,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile(NAME)
