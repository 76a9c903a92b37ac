"""Start a background server from one process, call it from another, and stop it."""

import subprocess
import sys

START = """
from bgpy import Client, Server
from bgpy.example.tasks import init_task, exec_task, exit_task

server = Server("127.0.0.1", 0)
server.run_background()
Client("127.0.0.1", server.port).initialize(init_task, exec_task, exit_task)
print(server.port)
print(f"  a script has started a server (process {server.pid}) and is ending now", file=sys.stderr)
"""

CALL = """
from bgpy import Client

client = Client("127.0.0.1", int(sys.argv[1]))
client.execute({"command": "increase", "value_change": 10})
client.execute({"command": "decrease", "value_change": 100})
print("  another script has called it twice:", client.status())
print("  and stops it; the final answer:", client.terminate(await_response=True))
"""


def main() -> None:
    """Run both scripts in separate processes."""
    print("quick start:", flush=True)
    run = [sys.executable, "-c"]
    started = subprocess.run([*run, "import sys" + START], stdout=subprocess.PIPE, check=True)
    subprocess.run([*run, "import sys" + CALL, started.stdout.decode().strip()], check=True)


if __name__ == "__main__":
    main()
