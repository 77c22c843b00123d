"""Everything that knows Dagster."""

import warnings

import dagster as dg

# backfill_policy is still marked beta; the warning would be the first thing that everybody reads.
warnings.filterwarnings("ignore", category=dg.BetaWarning)
