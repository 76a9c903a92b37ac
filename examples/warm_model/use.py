"""Query a model that stays loaded. The first run loads it; later runs find it warm.

Usage: python use.py [NUMBER [PORT]]
To unload the model: bgpy terminate 127.0.0.1 PORT
"""

import sys
import time
from pathlib import Path

from bgpy import Client, NotRunning, Server
from bgpy.core.environment import HOST, PORT

number = int(sys.argv[1]) if len(sys.argv) > 1 else 360360
port = int(sys.argv[2]) if len(sys.argv) > 2 else PORT
started = time.perf_counter()

client = Client(HOST, port)
try:
    client.ping()
except NotRunning:
    print("the model is not loaded yet: loading it")
    # Returns when `init_task` has finished.
    Server(HOST, port, init_file=Path(__file__).with_name("tasks.py")).run_background()

factors = client.call({"number": number})
seconds = time.perf_counter() - started
print(f"{number} = {' * '.join(map(str, factors))}, after {seconds:.3f} s")
