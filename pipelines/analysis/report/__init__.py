"""The report: one HTML page of what the warehouse knows, for people who don't write SQL.

`data` asks the marts, `figures` chooses the charts, `svg` and `axes` draw them, `words` writes
numbers and times, `page` puts it together; `picture` is one small PNG of it for Dagster.
"""

from pipelines.analysis.report.page import write_report
from pipelines.analysis.report.picture import overview_plot

__all__ = ["overview_plot", "write_report"]
