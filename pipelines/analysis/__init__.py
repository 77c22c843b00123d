"""What people look at: the marts as frames for notebooks, exports, and how the terminal shows it.

Pandas is imported with the first frame: commands that show none need not wait for it.
"""

from pipelines.analysis.marts import (
    Marts,
    changes,
    changes_between,
    concentration,
    connect,
    holder_history,
    holders_as_of,
    snapshots,
)

__all__ = [
    "Marts",
    "changes",
    "changes_between",
    "concentration",
    "connect",
    "holder_history",
    "holders_as_of",
    "snapshots",
]
