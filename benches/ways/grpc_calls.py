"""gRPC: a unary call with a generic handler and pickle, so that no protoc is needed."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import grpc

from .way import Served, Shelf

SERVICE = "Echo"
dumps = partial(pickle.dumps, protocol=5)
# Without them it refuses more than 4 MiB.
OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class Tcp(Served):
    """Over TCP."""

    title = "gRPC + pickle, TCP"

    def connect(self) -> None:
        self.channel = grpc.insecure_channel(self.address, OPTIONS)
        self.echo, self.asked = (
            self.channel.unary_unary(f"/{SERVICE}/{name}", dumps, pickle.loads)
            for name in ("echo", "ask")
        )

    def call(self, data: bytes) -> bytes:
        return self.echo(data)

    def ask(self, work: str, thing: Any = None) -> Any:
        return self.asked((work, thing))

    def close(self) -> None:
        self.channel.close()

    @classmethod
    def serve(cls, directory: Path) -> None:
        server = grpc.server(ThreadPoolExecutor(), options=OPTIONS)
        shelf = Shelf()
        methods = {
            "echo": lambda data, _context: data,
            "ask": lambda request, _context: shelf.ask(*request),
        }
        handlers = {
            name: grpc.unary_unary_rpc_method_handler(method, pickle.loads, dumps)
            for name, method in methods.items()
        }
        handler = grpc.method_handlers_generic_handler(SERVICE, handlers)
        server.add_generic_rpc_handlers((handler,))
        bound, address = cls.bound(directory)
        port = server.add_insecure_port(bound)
        server.start()
        print(address.format(port=port), flush=True)
        server.wait_for_termination()

    @staticmethod
    def bound(_directory: Path) -> tuple[str, str]:
        """Return the address to listen at, and the address to connect to once there is a port."""
        return "127.0.0.1:0", "127.0.0.1:{port}"


class Unix(Tcp):
    """Over a Unix socket."""

    title = "gRPC + pickle, Unix"

    @staticmethod
    def bound(directory: Path) -> tuple[str, str]:
        address = f"unix:{directory}/grpc"
        return address, address
