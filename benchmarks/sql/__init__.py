"""What analysts ask, and how long the answer takes beside the plainest query there is.

`make bench-sql` starts it; the section "Asking" of benchmarks/README.md says what is compared and
how.
"""
