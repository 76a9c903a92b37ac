"""What is not proven to be gone is alive: nobody removes its files, nobody kills it."""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from support.processes import stand_still

from bgpy import connect, servers

BGPY = str(Path(sys.executable).with_name("bgpy"))

# Everything that looks at servers, and might clear away what it takes for dead.
LOOKS = f"""
{BGPY} ps -a
{BGPY} doctor --fix
{BGPY} status live
{BGPY} wait live --for exit --timeout 0.2
{sys.executable} -c 'import bgpy; bgpy.servers(ended=True)'
{sys.executable} -c 'import bgpy; bgpy.connect("live", timeout=1)'
{BGPY} kill live
true
"""

PLACES = {
    "another pid namespace": ["unshare", "-p", "-f", "--mount-proc", "sh", "-c", LOOKS],
    "another pid namespace, old proc": ["unshare", "-p", "-f", "sh", "-c", LOOKS],
    "no proc": ["unshare", "-m", "sh", "-c", "umount -l /proc;" + LOOKS],
    "an empty proc": ["unshare", "-m", "sh", "-c", "mount -t tmpfs none /proc;" + LOOKS],
}


def can_unshare():
    tool = shutil.which("unshare")
    return (
        tool
        and subprocess.run([tool, "-p", "-m", "-f", "true"], capture_output=True).returncode == 0
    )


needs_unshare = pytest.mark.skipif(not can_unshare(), reason="needs the right to unshare")


@needs_unshare
@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(
    "silent", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["answers", "silent"]
)
def test_a_server_that_cannot_be_judged_from_there_lives_on(start, runtime, place, silent):
    server = start(name="live")
    pid = server.pid
    if silent:  # as one that is too busy for its socket
        (socket,) = runtime.glob("*.sock")
        socket.rename(socket.with_suffix(".away"))
        os.kill(pid, 19)
    before = sorted(path.name for path in runtime.iterdir())
    done = subprocess.run(PLACES[place], capture_output=True, text=True, timeout=120)
    assert "Killed live" not in done.stdout + done.stderr
    if silent:
        socket.with_suffix(".away").rename(socket)
        os.kill(pid, 18)
        before = [name.replace(".away", ".sock") for name in before]
    assert {path.name for path in runtime.iterdir()} >= set(before)
    assert connect("live", timeout=30).status()["pid"] == pid
    assert [info.state for info in servers(ended=True)] == ["UNINITIALIZED"]


@needs_unshare
@pytest.mark.parametrize("hide", ["umount -l /proc", "mount -t tmpfs none /proc"])
@pytest.mark.parametrize("is_silent", [False, True], ids=["answers", "silent"])
def test_a_server_is_seen_without_proc(start, runtime, hide, is_silent):
    server = start(name="live")
    files = set(runtime.iterdir())
    call = 'import bgpy; print(bgpy.connect("live").status()["pid"])'
    looks = f"{hide}; {BGPY} ps -o json; {BGPY} doctor --fix >&2; "
    if is_silent:
        stand_still(server.pid)
    else:
        looks += f"{sys.executable} -c '{call}'"
    words = ["unshare", "-m", "sh", "-c", looks]
    done = subprocess.run(words, capture_output=True, text=True, timeout=120)
    os.kill(server.pid, signal.SIGCONT)
    text, _, called = done.stdout.partition("\n]\n")
    ((name, pid, state),) = [(i["name"], i["pid"], i["state"]) for i in json.loads(text + "]")]
    assert (name, pid) == ("live", server.pid)
    assert state == ("STALE" if is_silent else "UNINITIALIZED")
    assert called == ("" if is_silent else f"{server.pid}\n")
    assert set(runtime.iterdir()) >= files


@needs_unshare
def test_a_server_without_proc_is_seen_where_there_is_one(runtime):
    tasks = "def init_task(): return {}\ndef exec_task(*a): pass\ndef exit_task(*a): pass\n"
    (runtime.parent / "t.py").write_text(tasks)
    hide = f"umount -l /proc; {sys.executable} -m bgpy start {runtime.parent}/t.py --name bare"
    done = subprocess.run(["unshare", "-m", "sh", "-c", hide], capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr
    try:
        assert [info.name for info in servers()] == ["bare"]
        pid = connect("bare").status()["pid"]
    finally:
        stopped = subprocess.run([BGPY, "stop", "bare"], capture_output=True, text=True)
    assert "Stopped bare" in stopped.stderr or f"whether its process {pid}" in stopped.stderr


@needs_unshare
def test_kill_refuses_what_it_cannot_identify(start):
    server = start(name="live")
    words = [*PLACES["another pid namespace"][:-1], f"{BGPY} kill live"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60)
    assert done.returncode == 1
    assert "cannot be identified from here" in done.stderr
    assert server.is_alive()


@needs_unshare
def test_a_server_in_the_foreground_of_another_pid_namespace_ends(runtime):
    tasks = runtime.parent / "inner.py"
    tasks.write_text("def init_task(): return {}\ndef exec_task(*a): pass\n")
    words = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", BGPY, "run", str(tasks)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as place:
        try:
            while "ready at" not in (line := place.stderr.readline()):
                assert line
            done = subprocess.run([BGPY, "stop", "inner"], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "Stopped inner.\n")
            place.stderr.read()
            assert place.wait(30) == 0
        finally:
            place.kill()
    # Only the server itself can say so here, where its process is not known.
    (info,) = servers(ended=True)
    assert info.state == "EXITED"


@needs_unshare
def test_a_pid_that_is_another_process_there_is_not_killed(start, runtime):
    """In its own namespace a server has a small id, which is somebody else's here."""
    script = (
        f"{BGPY} start {runtime.parent}/t.py --name inner && {BGPY} ps -o json && exec sleep 1000"
    )
    tasks = "def init_task(): return {}\ndef exec_task(*a): pass\ndef exit_task(*a): pass\n"
    (runtime.parent / "t.py").write_text(tasks)
    words = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as place:
        try:
            while not place.stdout.readline().startswith("]"):
                pass
            assert connect("inner").status()["state"] == "READY"
            done = subprocess.run([BGPY, "kill", "inner"], capture_output=True, text=True)
            assert done.returncode == 1
            assert "cannot be identified" in done.stderr
        finally:
            first = Path(f"/proc/{place.pid}/task/{place.pid}/children").read_text()
            first = os.pidfd_open(int(first))
            place.kill()
            # The first process of a namespace ends after all the others.
            select.select([first], [], [])
            os.close(first)
    # It is gone with its namespace, which nobody can know here.
    (info,) = servers()
    assert info.state == "STALE"
    assert "cannot be told from here" in info.reason
    assert list(runtime.glob("*.json"))


@needs_unshare
def test_one_elsewhere_is_stopped_as_any_other(runtime):
    """Its supervisor, which can, has said that it is gone."""
    tasks = "def init_task(): return {}\ndef exec_task(*a): pass\ndef exit_task(*a): pass\n"
    (runtime.parent / "t.py").write_text(tasks)
    script = f"{BGPY} start {runtime.parent}/t.py --name inner; exec sleep 1000"
    words = ["unshare", "-p", "-f", "--kill-child", "--mount-proc", "sh", "-c", script]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as place:
        try:
            assert place.stdout.readline() == "inner\n"
            done = subprocess.run([BGPY, "stop", "inner"], capture_output=True, text=True)
            assert (done.returncode, done.stderr) == (0, "Stopped inner.\n")
            (info,) = servers(ended=True)
            assert (info.state, info.exit_code) == ("EXITED", 0)
        finally:
            place.kill()


def test_a_process_without_descriptors_buries_nobody(start, runtime):
    server = start(name="live")
    look = (
        "import os, resource, bgpy\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (64, 64))\n"
        "kept = []\n"
        "try:\n"
        "    while True: kept.append(os.open('/dev/null', os.O_RDONLY))\n"
        "except OSError: pass\n"
        "for spare in range(4):\n"
        "    try: bgpy.servers(ended=True, timeout=0.2); bgpy.connect('live', timeout=0.2)\n"
        "    except Exception as error: print(error)\n"
        "    os.close(kept.pop())\n"
    )
    subprocess.run([sys.executable, "-c", look], timeout=60, check=True)
    assert len(list(runtime.glob("*.json"))) == 1
    assert server.is_alive()
