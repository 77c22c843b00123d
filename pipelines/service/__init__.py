"""`holdfast up` and `holdfast down`: all of Holdfast in the foreground, for a person.

    supervisor.py     starts everything, watches it, stops it
    dagster_home.py   Dagster's storage for a state folder, and the runs that a killed service left
    webserver.py      what is asked of Dagster's webserver
    processes.py      starting processes, and finding every one that belongs to a service
    files.py          where a service keeps its lock, its state and its logs
    child.py          makes a process end with the one that started it

One service a state folder. Whatever ends it, Ctrl-C or kill -9, the next `up` or `down` leaves no
process and no run behind.
"""

from pipelines.service.supervisor import run_service, stop_service

__all__ = ["run_service", "stop_service"]
