"""Add a note on the server, and print all notes.

Usage: python call.py NOTE [PORT]
To end the server: bgpy terminate 127.0.0.1 PORT
"""

import sys

from bgpy import Client
from bgpy.core.environment import HOST, PORT

note = sys.argv[1] if len(sys.argv) > 1 else ""
port = int(sys.argv[2]) if len(sys.argv) > 2 else PORT

for number, text in enumerate(Client(HOST, port).call({"note": note}), 1):
    print(f"{number}. {text}")
