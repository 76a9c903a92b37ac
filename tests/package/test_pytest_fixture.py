"""The fixture `bgpy_server`, in runs of pytest that know nothing else of bgpy."""

from __future__ import annotations

import json
import os

import pytest

pytest_plugins = ["pytester"]

COUNTER = """
    class Counter:
        def __init__(self, start=0):
            self.value = start

        def increase(self, by=1):
            print("increased by", by)
            self.value += by
            return self.value
"""
TASKS = """
    from bgpy import respond

    def init_task():
        return {}

    def exec_task(client_socket, state, args):
        respond(client_socket, args * 2)
"""
# Waits for nothing that a test could not have ended itself.
HURRY = """
    import pytest_bgpy
    pytest_bgpy._GRACE = 0.2
"""


@pytest.fixture
def run(pytester, monkeypatch):
    """Return a function that runs pytest on a module of tests, in a process of its own."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")

    def run(module, *options, plugins=("bgpy",)):
        pytester.makepyfile(test_it=module)
        loaded = [option for plugin in plugins for option in ("-p", plugin)]
        return pytester.runpytest_subprocess("-p", "no:cacheprovider", *loaded, *options)

    return run


def has_ended(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return False


def test_what_a_server_can_be_of(run, pytester):
    pytester.makepyfile(counter=COUNTER, tasks=TASKS)
    run(
        """
        import functools

        import bgpy


        class Local:
            def __init__(self, value=1):
                self.value = value

            def get(self):
                return self.value


        def exec_task(client_socket, state, args):
            bgpy.respond(client_socket, args + 1)


        def test_a_class(bgpy_server):
            local = bgpy_server(Local)
            assert local.get() == 1
            assert isinstance(bgpy.client(local), bgpy.Client)


        def test_a_partial(bgpy_server):
            assert bgpy_server(functools.partial(Local, 5)).get() == 5


        def test_a_class_in_a_file(bgpy_server):
            assert bgpy_server("counter.py:Counter").increase(2) == 2


        def test_a_class_in_a_module(bgpy_server):
            assert bgpy_server("counter:Counter", name="mine").increase(3) == 3
            assert bgpy.connect("mine").service().increase() == 4


        def test_a_file_of_tasks(bgpy_server):
            assert bgpy_server("tasks.py").call(4) == 8


        def test_tasks(bgpy_server):
            assert bgpy_server((dict, exec_task)).call(4) == 5
        """,
    ).assert_outcomes(passed=6)


def test_no_other_servers_and_no_token_are_seen(run, start, monkeypatch):
    start(name="other")
    monkeypatch.setenv("BGPY_TOKEN", "a token that is long enough to be accepted, of others")
    run(
        """
        import os

        import bgpy
        import pytest


        class Local:
            def get(self):
                return 1


        @pytest.mark.parametrize("number", [1, 2])
        def test_of_the_same_name(bgpy_server, number):
            assert bgpy_server(Local, name="other").get() == 1
            assert [about.name for about in bgpy.servers(ended=True)] == ["other"]
            assert "BGPY_TOKEN" not in os.environ


        def test_without():
            assert [about.name for about in bgpy.servers()] == ["other"]
            assert "BGPY_TOKEN" in os.environ
        """,
    ).assert_outcomes(passed=3)


def test_servers_end_whatever_a_test_leaves(run, pytester):
    pytester.makeconftest(HURRY)
    run(
        """
        import json
        import os
        import pathlib

        import bgpy


        class Local:
            def __exit__(self, *exception):
                pathlib.Path("left").touch()

            def pid(self):
                return os.getpid()

            def hang(self):
                import time

                time.sleep(600)


        def test_them(bgpy_server):
            local = bgpy_server(Local)
            busy = bgpy_server(Local, name="busy", restart="on-failure")
            # As the tested code may do.
            bgpy.start(Local, name="own", restart="on-failure")
            pids = [it.pid() for it in (local, busy, bgpy.connect("own", Local))]
            places = [os.environ["BGPY_RUNTIME_DIR"]]
            pathlib.Path("pids").write_text(json.dumps([pids, places]))
            bgpy.client(busy)  # stays connected
            bgpy.begin(busy.hang)
            assert False
        """,
    ).assert_outcomes(failed=1)
    pids, places = json.loads((pytester.path / "pids").read_text())
    assert len(set(pids)) == 3
    assert all(map(has_ended, pids))
    assert not any(map(os.path.exists, places))
    assert (pytester.path / "left").exists()


MODULE = """
    def test_it(bgpy_server):
        counter = bgpy_server("counter.py:Counter")
        assert counter.increase(7) == {wanted}
"""


def test_a_failing_test_shows_the_log(run, pytester):
    pytester.makepyfile(counter=COUNTER)
    result = run(MODULE.format(wanted=8))
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*- Log of counter -*", "increased by 7"])


def test_a_passing_test_does_not(run, pytester):
    pytester.makepyfile(counter=COUNTER)
    result = run(MODULE.format(wanted=7), "-rA")
    result.assert_outcomes(passed=1)
    result.stdout.no_fnmatch_line("*Log of*")


def test_a_failing_setup_shows_the_log(run, pytester):
    pytester.makepyfile(counter=COUNTER)
    result = run(
        """
        import pytest


        @pytest.fixture
        def counter(bgpy_server):
            counter = bgpy_server("counter.py:Counter")
            counter.increase(7)
            raise OSError("no more")


        def test_it(counter):
            pass
        """,
    )
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["increased by 7"])


def test_a_run_without_the_fixture_imports_nothing(run):
    run(
        """
        import sys


        def test_it():
            assert "pytest_bgpy" in sys.modules
            assert "bgpy" not in sys.modules
        """,
    ).assert_outcomes(passed=1)


def test_workers_of_xdist(run):
    pytest.importorskip("xdist")
    result = run(
        """
        import bgpy
        import pytest


        class Local:
            def get(self):
                print("was asked")
                return 1


        @pytest.mark.parametrize("number", range(8))
        def test_it(bgpy_server, number):
            assert bgpy_server(Local, name="same").get() == 1
            assert number != 5
        """,
        "-n2",
        plugins=("bgpy", "xdist"),
    )
    result.assert_outcomes(passed=7, failed=1)
    result.stdout.fnmatch_lines(["*- Log of same -*", "was asked"])
