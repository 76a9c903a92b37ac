"""A module that starts a server when it is imported starts no chain of servers."""

from __future__ import annotations

import pytest
from support.scripts import Scripts

import bgpy

TASKS = """
import bgpy

class Shape:
    pass

def init_task():
    return {}

def exec_task(client_socket, state, args):
    client_socket.respond(type(args).__name__)

def exit_task(client_socket, state, args):
    pass

"""


@pytest.fixture(autouse=True)
def _no_server_is_left():
    yield
    found = bgpy.servers()
    for server in found:
        server.stop()
    assert found == []


@pytest.mark.parametrize("itself", ["__file__", "__name__"])
def test_tasks_that_start_themselves_are_refused(scripts: Scripts, monkeypatch, itself):
    file = scripts.write("chain.py", f"{TASKS}bgpy.start({itself})\n")
    monkeypatch.chdir(file.parent)
    with pytest.raises(bgpy.StartError, match="put the start under if __name__ == '__main__'"):
        bgpy.start("chain" if itself == "__name__" else file)


def test_a_module_that_a_client_names_starts_none(scripts: Scripts):
    scripts.write("chain.py", TASKS + "server = bgpy.start((init_task, exec_task, exit_task))\n")
    file = scripts.write("tasks.py", TASKS)
    printed = scripts.run(
        f"""
        import bgpy, chain

        with chain.server, bgpy.start({str(file)!r}) as server:
            with bgpy.connect(server.target) as client:
                print(client.call(chain.Shape()), len(bgpy.servers()))
        """
    )
    assert printed == "Shape 2\n"


def test_a_server_does_not_wait_for_its_own_name(scripts: Scripts):
    other = scripts.write("other.py", TASKS)
    start = f"bgpy.start({str(other)!r}, 'own', exist_ok=True)"
    file = scripts.write("own.py", TASKS.replace("    return {}", f"    {start}\n    return {{}}"))
    with pytest.raises(bgpy.StartError, match="is this very process"):
        bgpy.start(file, "own", timeout=30)


def test_a_process_that_is_spawned_starts_none(scripts: Scripts):
    printed = scripts.run(
        """
        import multiprocessing, sys
        import bgpy

        if __name__ == "__mp_main__":
            try:
                bgpy.Server().run_background()
            except bgpy.StartError as error:
                print(error, flush=True)
        else:
            process = multiprocessing.get_context("spawn").Process(target=print, args=["ran"])
            process.start()
            process.join()
        """
    )
    assert "put the start under if __name__ == '__main__'" in printed
    assert printed.endswith("ran\n")
