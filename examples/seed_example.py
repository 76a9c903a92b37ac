"""Module-level functions and a default address, as in the first version of bgpy.

Usage: python seed_example.py [PORT]
"""

import sys

from bgpy.core.environment import PORT
from bgpy.example.tasks import exec_task, exit_task, init_task
from bgpy.interface import execute, initialize, terminate

port = int(sys.argv[1]) if len(sys.argv) > 1 else PORT

# Starts a server in the background, unless one is listening there, and sends it its tasks.
print(initialize(init_task, exec_task, exit_task, port=port))

# Without `await_response`, a call returns as soon as the server has accepted it.
print(execute({"command": "increase", "value_change": 10}, port=port))
print(execute({"command": "decrease", "value_change": 100}, port=port))

# Calls run in order, so the last one sees the effect of the others.
print(terminate(await_response=True, port=port))
