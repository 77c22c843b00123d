"""Run in a copy of the project: serve its sandbox, print its URLs, and show what stdin says.

A line of stdin has the rows of targets by their keys, as JSON; "shown" answers it. Ends with stdin.
"""

import json
import sys

from pipelines.sandbox.server import Sandbox
from pipelines.sandbox.world import EMPTY, World

world = World(size=EMPTY)
with Sandbox(world) as sandbox:
    print(json.dumps(sandbox.urls), flush=True)
    for line in sys.stdin:
        for key, rows in json.loads(line).items():
            world.set_rows(key, [tuple(row) for row in rows])
        print("shown", flush=True)
