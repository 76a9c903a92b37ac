"""What is measured, in the order of the report. Each is a module with ``run(scale) -> Result``."""

MEASURES = [
    "small",
    "rust",
    "methods",
    "calls",
    "streams",
    "stalled",
    "cancel",
    "progress",
    "start",
    "memory",
    "growth",
    "bulk",
    "large",
    "ray",
    "objects",
    "codec",
    "sizes",
    "peak",
    "fairness",
    "idle_clients",
]
