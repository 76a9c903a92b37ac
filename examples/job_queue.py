"""A queue of jobs in a server of its own, without a broker.

Jobs run one after the other in the server, and go on when the script that has submitted them ends.
A key makes a submission repeatable: no frame is rendered twice.

Usage: python job_queue.py
"""

import bgpy


class Renderer:
    """Renders frames, one at a time."""

    def __init__(self, width: int = 8) -> None:
        self.width = width
        self.rendered = 0

    def render(self, frame: int) -> str:
        if frame < 0:
            raise ValueError(f"there is no frame {frame}")
        self.rendered += 1
        return ("*" * frame).center(self.width, ".")

    def count(self) -> int:
        return self.rendered


def main() -> None:
    with bgpy.start(Renderer) as server:
        renderer = bgpy.connect(server, Renderer)

        def submit(frame: int) -> "bgpy.Job[str]":
            return bgpy.submit(bgpy.options(renderer.render, key=f"frame-{frame}"), frame)

        jobs = [submit(frame) for frame in (2, 4, 2, 6)]
        for job in jobs:
            print(job.id, job.result())
        print(f"{renderer.count()} frames were rendered")

        error = submit(-1).exception()
        print(f"{error!r}; the server goes on")
        print(sorted(f"{info.id}: {info.state}" for info in bgpy.jobs(renderer)))


if __name__ == "__main__":
    main()
