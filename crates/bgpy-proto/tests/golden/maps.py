"""The maps of the protocol in the payload codec, with their keys in the order of its tables."""

import msgpack

CODES = [
    "task",
    "not-initialized",
    "stopping",
    "serialization",
    "refused",
    "overloaded",
    "cancelled",
    "expired",
    "deadlock",
    "no-job",
    "lost-job",
    "job-taken",
]
STATES = ["STARTING", "UNINITIALIZED", "READY", "BUSY", "STOPPING"]


def pack(value):
    return msgpack.packb(value, use_bin_type=True)


def failure(code, message, exception=None, traceback=None, pickled=None, causes=()):
    return pack(
        {
            "code": code,
            "message": message,
            "exception": exception,
            "traceback": traceback,
            **({"causes": [cause(*one) for one in causes]} if causes else {}),
            "object": pickled,
        }
    )


def cause(named, exception, message, pickled):
    return {"named": named, "exception": exception, "message": message, "object": pickled}


def status(state, busy_s):
    return pack(
        {
            "state": state,
            "task": "exec_task" if busy_s else None,
            "busy_s": busy_s,
            "queue": 3,
            "calls": 2**63,
            "clients": 2,
            "uptime_s": 86400.5,
            "cpu_s": 12.5 if busy_s else None,
            "pid": 4242,
            "rss_bytes": 2**25 if busy_s else None,
            "name": "trainer" if busy_s else None,
            "call": 7 if busy_s else None,
            "progress": PROGRESS["full"] if busy_s else None,
        }
    )


HEADS = {
    "deadline": {"left_ms": 0},
    "method": {"method": "increase", "attached": True},
    "job": {"method": "train", "job": "order-17", "digest": bytes([7] * 32), "keep_ms": 60_000},
    "awaited job": {"progress": True, "job": "order-17"},
    "full": {
        "method": "words",
        "left_ms": 1500,
        "chain": bytes([9] * 16 + [8] * 16),
        "trace": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        "window": 48,
        "progress": True,
        "attached": True,
    },
}
PROGRESS = {
    "full": {"done": 3.0, "total": 10.0, "text": "training"},
    "none": {"done": None, "total": None, "text": None},
}
ABORTS = {
    "one": {"call": 7},
    "running": {"call": None},
    "job": {"call": None, "job": "order-17"},
}
JOBS_REQUESTS = {"all": {"job": None}, "one": {"job": "order-17"}}
FAILED_JOB = {
    "job": "order-17",
    "task": "exec_task",
    "state": "failed",
    "submitted_ms": 1_767_225_600_000,
    "began_ms": 1_767_225_600_001,
    "ended_ms": 1_767_225_600_500,
    "call": 7,
    "progress": None,
    "error": "ValueError: no",
    "bytes": None,
}
RUNNING_JOB = FAILED_JOB | {
    "job": "0909-3-5ad2c2a4b911",
    "task": "train",
    "state": "running",
    "ended_ms": None,
    "call": 8,
    "progress": PROGRESS["full"],
    "error": None,
}
JOBS = {
    "some": {"jobs": [RUNNING_JOB, FAILED_JOB], "left_out": 2},
    "none": {"jobs": [], "left_out": 0},
}
ABORT_REPLIES = {
    "removed": {"outcome": "removed", "call": 7, "task": "exec_task"},
    "interrupted": {"outcome": "interrupted", "call": 2**63, "task": "init_task"},
    "refused": {"outcome": "refused", "call": 0, "task": "exit_task"},
    "unknown": {"outcome": "unknown", "call": None, "task": None},
}


# A cursor may hold anything: only the server that gave it reads it.
LOG_CURSOR = bytes(range(41))
LOG_REQUESTS = {
    "start": {},
    "last lines": {"lines": 100},
    "since": {"since_ms": 1_767_225_600_000},
    "after": {"after": LOG_CURSOR},
}
LOG_REPLIES = {
    "piece": {"text": b"a line\nand \xff", "after": LOG_CURSOR, "more": True},
    "end": {"text": b"", "after": LOG_CURSOR, "more": False},
    "error": {"error": "it logs to no file"},
}

DEBUG_REQUESTS = {
    "stacks": {"ask": "stacks"},
    "open": {"ask": "open", "prompt": True},
    "console": {"ask": "console", "session": 3, "after": 70_000, "input": "state"},
    "console silent": {"ask": "console", "session": 3, "after": 0},
    "interrupt": {"ask": "interrupt", "session": 3},
    "close": {"ask": "close", "session": 2**63},
}
DEBUG_REPLIES = {
    "stacks": {"stacks": "MainThread\n"},
    "breakpoint": {"opened": 3, "after": 70_000, "place": "run at tasks.py:12", "about": "pdb"},
    "prompt": {"opened": 4, "after": 0, "place": None, "about": "a prompt"},
    "console": {"output": b"{'a': 1}\n\xff", "after": 70_010, "reads": ">>> ", "over": False},
    "over": {"output": b"", "after": 70_010, "reads": None, "over": True},
    "done": {"done": True},
    "error": {"error": "there is no such session"},
}

METHODS = {
    "table": {
        "class": "Counter",
        "module": "counter",
        "doc": None,
        "methods": [
            {
                "name": "increase",
                "kind": "call",
                "runs": "exclusive",
                "cancel": True,
                "parameters": [
                    {"name": "by", "kind": "any", "default": "1", "annotation": "int"},
                    {"name": "more", "kind": "rest", "default": None, "annotation": None},
                ],
                "returns": "int",
                "doc": "Add.",
            },
            {
                "name": "double",
                "kind": "property",
                "runs": "read",
                "cancel": False,
                "parameters": None,
                "returns": None,
                "doc": None,
            },
        ],
    },
    "error": {"error": "it runs tasks, which have no methods"},
}

CLIENT_HELLO = pack(
    {
        "client": bytes([7] * 16),
        "bgpy": "1.0.0",
        "python": "3.13.1",
        "pid": 7,
        "message_bytes_max": 2**40,
        "segments": False,
        "allow_pickle": True,
        "goodbye": True,
        "calls": True,
    }
)
SERVER_HELLO = pack(
    {
        "instance": bytes([9] * 16),
        "generation": 3,
        "bgpy": "1.0.1",
        "python": None,
        "pid": 9,
        "message_bytes_max": 2**40,
        "segments": False,
        "allow_pickle": False,
        "debug": True,
        "calls": True,
        "services": True,
        "jobs": True,
    }
)
