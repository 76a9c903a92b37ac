"""Example tasks."""

from .tasks import exec_task, exit_task, init_task

__all__ = ["exec_task", "exit_task", "init_task"]
