"""A server that comes back on a disk that takes nothing: full, out of inodes, read-only."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from bgpy import connect

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root mounts")

MOUNT = 'mount -t tmpfs -o size=256k,nr_inodes=64,mode=700 none "$0" && exec "$@"'
ON_SMALL_DISK = ["unshare", "--mount", "sh", "-c", MOUNT]

# What all scripts begin with. The runtime directory is a disk of 256 KiB.
BEGIN = """
import json, os, pathlib, signal, subprocess, sys, time
from bgpy import Client, ConnectionLost, Server, connect, respond, servers, start

disk = pathlib.Path(os.environ["BGPY_RUNTIME_DIR"])

def exec_task(client_socket, state, args):
    if args == "die":
        os._exit(3)
    respond(client_socket, (os.getpid(), args))

def exit_task(client_socket, state, args):
    pass

def fill():
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while filler.write(bytes(512)):
                pass
        except OSError as error:
            assert error.strerror == "No space left on device"

def use_up_inodes():
    (disk / "many").mkdir()
    try:
        for number in range(1000):
            (disk / "many" / str(number)).touch()
    except OSError as error:
        assert error.strerror == "No space left on device"

def mount(*words):
    subprocess.run([*words, str(disk)], check=True)

def make_read_only():
    # The mount below stays as it is: there are files open for writing in it.
    mount("mount", "--bind", str(disk))
    mount("mount", "-o", "remount,bind,ro")

def make_writable():
    if os.statvfs(disk).f_flag & os.ST_RDONLY:
        mount("umount", "--lazy")

def until(true):
    end = time.monotonic() + 30
    while not true():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.01)

def crash(client):
    try:
        client.call("die", timeout=20)
    except ConnectionLost:
        pass
    return client.call("again", timeout=20)[0]

def bgpy(*words):
    command = str(pathlib.Path(sys.executable).with_name("bgpy"))
    done = subprocess.run([command, *words], capture_output=True, text=True, timeout=60)
    return done.returncode, done.stdout + done.stderr

def entry():
    (path,) = disk.glob("*.json")
    return json.loads(path.read_text())

def is_entry_of(pid):
    try:
        return entry()["process"]["pid"] == pid
    except (OSError, ValueError):
        # Garbage, or none: on a full disk that is removed before the entry is written again.
        return False

told = {}
"""

FULL = """
server = start((dict, exec_task, exit_task), "camera", restart="on-failure")
client = connect("camera")
told["before"] = client.call("first")[0]
break_disk()
told["pids"] = [crash(client) for _ in range(3)]
told["shown"] = [(info.pid, info.generation) for info in servers()]
told["entry"] = entry()["process"]["pid"]
told["fresh"] = connect("camera").call("hello")[0]
# Two looks after its files, which new locks of its name show, each of which needs an inode.
for spare in "01":
    (disk / "many" / spare).unlink(missing_ok=True)
(path,) = disk.glob("*.json")
told["inodes"] = [path.stat().st_ino]
for _ in range(2):
    (disk / "camera.name").unlink()
    until((disk / "camera.name").exists)
told["inodes"].append(path.stat().st_ino)
path.write_text("{garbage")
until(lambda: is_entry_of(told["pids"][-1]))
told["killed"] = bgpy("kill", "camera")
until(lambda: not os.path.exists(f"/proc/{told['pids'][-1]}"))
told["left"] = len(servers())
told["log"] = "cannot be written" in server.log_file.read_text()
"""

READ_ONLY = """
server = start((dict, exec_task, exit_task), "camera", restart="on-failure",
               log_file=disk / "camera.log")
client = connect("camera")
make_read_only()
told["pids"] = [crash(client) for _ in range(2)]
told["shown"] = [(info.pid, info.generation) for info in servers()]
told["behind"] = entry()["process"]["pid"] not in told["pids"]
make_writable()
until(lambda: entry()["process"]["pid"] == told["pids"][-1])
until(lambda: "registry entry written" in server.log_file.read_text())
told["log"] = server.log_file.read_text()
told["stopped"] = bgpy("stop", "camera")
"""

KILLED_READ_ONLY = """
start((dict, exec_task, exit_task), "camera", restart="on-failure")
client = connect("camera")
make_read_only()
pid = crash(client)
told["killed"] = bgpy("kill", "camera")
until(lambda: not os.path.exists(f"/proc/{pid}"))
told["gone"] = True
"""

FIRST_TASKS = """
Server(name="camera", restart="on-failure").run_background()
client = Client("camera")
fill()
client.initialize(dict, exec_task, exit_task)
told["pids"] = [client.call("first")[0], crash(client), crash(client)]
"""

FAILS_FOR_LACK_OF_ROOM = """
def init_task():
    with open(os.path.join(os.environ["BGPY_RUNTIME_DIR"], "checkpoint"), "wb", 0) as file:
        if file.write(bytes(8192)) < 8192:
            raise OSError(28, "No space left on device")
    return {}

server = start((init_task, exec_task, exit_task), "camera", restart="on-failure")
client = connect("camera")
os.unlink(disk / "checkpoint")
fill()
os.kill(server.pid, signal.SIGKILL)
until(lambda: [(info.state, info.failures > 3) for info in servers()] == [("RESTARTING", True)])
told["shown"] = bgpy("ps")
os.unlink(disk / "filler")
told["back"] = client.call("back", timeout=30)[1]
"""


RESTARTED_BY_HAND = """
tasks = pathlib.Path(os.environ["TASKS"])
tasks.write_text(
    "import os\\nfrom bgpy import respond\\ndef init_task():\\n    return {}\\n"
    "def exec_task(client_socket, state, args):\\n    respond(client_socket, os.getpid())\\n"
    "def exit_task(client_socket, state, args):\\n    pass\\n"
)
start(tasks, "camera")
told["pid"] = connect("camera").call(1)
fill()
told["refused"] = bgpy("restart", "camera")
told["still"] = connect("camera").call(1)
(disk / "filler").unlink()
told["restarted"] = bgpy("restart", "camera")
told["other"] = connect("camera").call(1)
"""

PRINTING = """
import logging, re, resource

def init_task():
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    return {"limit": resource.getrlimit(resource.RLIMIT_FSIZE)}

def exec_task(client_socket, state, args):
    how, number = args
    line = f"{how} {number} " + "x" * 999
    if how == "print":
        print(line)
    elif how == "write":
        sys.stdout.write(line[:500])
        sys.stdout.write(line[500:] + "\\n")
    elif how == "stderr":
        print(line, file=sys.stderr)
    elif how == "logging":
        logging.info(line)
    elif how == "pieces":
        print(line[:500], end="", flush=True)
        print(line[500:])
    elif how == "limit":
        soft = os.fstat(1).st_size + 2500 if number else state["limit"][0]
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, state["limit"][1]))
    elif how == "os.write":
        try:
            os.write(1, line.encode())
        except OSError as error:
            client_socket.respond(error.strerror)
    elif how == "child":
        client_socket.respond(subprocess.run(["sh", "-c", "echo x; exit 7"]).returncode)
    if how not in ("os.write", "child"):
        client_socket.respond(number)

HOW = ["print", "write", "stderr", "logging", "pieces"]
server = start((init_task, exec_task, exit_task), "camera")
client = connect("camera")
log = server.log_file

def call(how, count):
    for number in range(count):
        assert client.call((how, number), timeout=20) == number

def count():
    text = log.read_text()
    lines = re.findall(r"^\\w+ \\d+ x{999}$", text, re.MULTILINE)
    lost = re.findall(r"(\\d+) lines? (?:was|were) lost here: [^(]*\\(([^)]*)\\)", text)
    return len(lines), sum(int(number) for number, _ in lost), sorted({why for _, why in lost})

for how in HOW:
    before = count()
    break_disk()
    call(how, 30)
    if how == "print":
        told["os.write"] = client.call(("os.write", 1), timeout=20)
        told["child"] = client.call(("child", 1), timeout=20)
    mend_disk()
    # It says so though nobody prints any more.
    until(lambda: count()[1] > before[1])
    call(how, 10)
    after = count()
    told[how] = [now - then for now, then in zip(after[:2], before[:2])]
    told["why"] = after[2]
told["torn"] = [
    line
    for line in log.read_text().splitlines()
    if not re.fullmatch(r"\\w+ \\d+ x*|2\\d{3}-.*", line)
]
told["stopped"] = bgpy("stop", "camera")
"""

FULL_AND_EMPTY = """
def break_disk():
    fill()
    client.call(("print", 0), timeout=20)

def mend_disk():
    (disk / "filler").unlink()
"""

LIMITED = """
def break_disk():
    client.call(("limit", 1), timeout=20)

def mend_disk():
    client.call(("limit", 0), timeout=20)
"""


def run(tmp_path: Path, script: str) -> dict[str, object]:
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = subprocess.run([*ON_SMALL_DISK, disk, "true"], capture_output=True, check=False)
    if mount.returncode != 0:
        pytest.skip("nothing can be mounted here")
    environment = os.environ | {
        "BGPY_RUNTIME_DIR": str(disk),
        "TASKS": str(tmp_path / "tasks.py"),
    }
    whole = f"{BEGIN}\ntry:\n" + "".join(f"    {line}\n" for line in script.splitlines())
    whole += "finally:\n    make_writable()\n"
    whole += "    (disk / 'filler').unlink(missing_ok=True)\n"
    whole += "    bgpy('stop', '--all', '--force', '--grace', '10')\n"
    whole += "print(json.dumps(told))\n"
    done = subprocess.run(
        [*ON_SMALL_DISK, disk, sys.executable, "-c", whole],
        capture_output=True,
        text=True,
        timeout=120,
        env=environment,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("way", ["fill", "use_up_inodes"])
def test_on_a_disk_without_room_it_comes_back_and_is_seen_as_it_is(tmp_path, way):
    told = run(tmp_path, FULL.replace("break_disk", way))
    last = told["pids"][-1]
    assert len({told["before"], *told["pids"]}) == 4
    assert told["shown"] == [[last, 3]]
    assert told["entry"] == told["fresh"] == last
    assert told["killed"][0] == 0
    assert str(last) in told["killed"][1]
    assert (told["left"], told["log"]) == (0, False)
    # What it has written over its entry is its own, and stays.
    assert len(set(told["inodes"])) == 1


def test_on_a_disk_that_cannot_be_written_it_comes_back_and_says_so_once(tmp_path):
    told = run(tmp_path, READ_ONLY)
    first, last = told["pids"]
    assert first != last
    assert told["shown"] == [[last, 2]]
    assert told["behind"]
    # What it had to say meanwhile could not be written either, and is counted.
    assert "lost here: the log could not be written" in told["log"]
    assert told["stopped"][0] == 0


def test_it_can_be_killed_though_its_entry_is_of_another_process(tmp_path):
    told = run(tmp_path, KILLED_READ_ONLY)
    assert told["killed"][0] == 0
    assert told["gone"]


def test_tasks_that_come_when_the_disk_is_full_are_kept(tmp_path):
    assert len(set(run(tmp_path, FIRST_TASKS)["pids"])) == 3


def test_one_that_fails_for_lack_of_room_waits_for_it_and_shows_that(tmp_path):
    told = run(tmp_path, FAILS_FOR_LACK_OF_ROOM)
    code, words = told["shown"]
    assert code == 0
    assert "RESTARTING" in words
    assert "No space left on device; next try in" in words
    assert told["back"] == "back"


def test_a_restart_by_hand_ends_nothing_that_the_disk_has_no_room_for(tmp_path):
    told = run(tmp_path, RESTARTED_BY_HAND)
    code, words = told["refused"]
    assert code == 1
    assert "its registry entry cannot be written" in words
    assert "No space left on device" in words
    assert told["still"] == told["pid"]
    assert told["restarted"][0] == 0
    assert told["other"] != told["pid"]


@pytest.mark.parametrize(
    ("disk", "why"),
    [(FULL_AND_EMPTY, "No space left on device"), (LIMITED, "File too large")],
    ids=["full", "limited"],
)
def test_what_tasks_print_then_is_lost_and_counted_and_fails_none(tmp_path, disk, why):
    told = run(tmp_path, disk + PRINTING)
    first = 1 if disk is FULL_AND_EMPTY else 0
    for how in ("print", "write", "stderr", "logging", "pieces"):
        written, lost = told[how]
        assert lost > 0
        # The beginning of a line may stand there, which is lost nevertheless.
        assert written + lost == 40 + first, how
    assert told["why"] == [why]
    # These ask the system themselves.
    assert told["os.write"] == why
    assert told["child"] in (7, -signal.SIGXFSZ)
    assert told["torn"] == []
    assert told["stopped"][0] == 0


@pytest.mark.parametrize("where", ["log", "output"])
def test_a_device_without_room_fails_no_task(tmp_path, where):
    tasks = tmp_path / "printer.py"
    tasks.write_text(
        "def init_task():\n    return {}\n"
        "def exec_task(client_socket, state, args):\n    print(args)\n"
        "    client_socket.respond(args)\n"
        "def exit_task(client_socket, state, args):\n    print('bye')\n"
    )
    command = [str(Path(sys.executable).with_name("bgpy"))]
    if where == "log":
        command += ["start", str(tasks), "--log-file", "/dev/full"]
        assert subprocess.run(command, timeout=60, check=False).returncode == 0
        server = None
    else:
        with Path("/dev/full").open("wb") as full:
            command += ["run", str(tasks)]
            server = subprocess.Popen(command, stdout=full, stderr=subprocess.PIPE)
        assert server.stderr is not None
        assert b"listens on" in server.stderr.readline()
    with connect("printer") as client:
        assert [client.call(number, timeout=60) for number in range(50)] == [*range(50)]
        client.terminate()
    if server is not None:
        assert server.stderr is not None
        assert b"lost" not in server.stderr.read()
        assert server.wait(60) == 0
        server.stderr.close()
