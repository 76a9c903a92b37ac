"""`bgpy restart` ends no server that could not be started again."""

from __future__ import annotations

import os
import shutil
import sys

import pytest

from bgpy import connect, start, token_create


def test_one_whose_tasks_came_from_a_client(commands):
    server = start((dict, print, print), "camera")
    pid = server.pid
    code, _, words = commands.run("restart", "camera")
    assert code == 1
    assert "from a file or module" in words
    assert connect("camera").status()["pid"] == pid
    server.stop()


def lose_tasks(tasks, place, python):
    tasks.unlink()


def break_tasks(tasks, place, python):
    tasks.write_text("def init_task(:")


def lose_directory(tasks, place, python):
    shutil.rmtree(place)


def lose_interpreter(tasks, place, python):
    python.unlink()


def break_interpreter(tasks, place, python):
    python.unlink()
    python.write_text("#!/bin/sh\necho no bgpy here >&2\nexit 1\n")
    python.chmod(0o755)


def replace_interpreter(tasks, place, python):
    python.unlink()
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)


def make_a_task_asynchronous(tasks, place, python):
    tasks.write_text(tasks.read_text().replace("def exec_task", "async def exec_task"))


def lose_what_it_imports(tasks, place, python):
    tasks.write_text("import os\nimport no_such_module\n" + tasks.read_text())


def break_what_it_imports(tasks, place, python):
    (tasks.parent / "lens.py").write_text("def focus(:")
    tasks.write_text("import lens\n" + tasks.read_text())


def lose_a_task(tasks, place, python):
    tasks.write_text(tasks.read_text().replace("def exec_task", "def work_task"))


def make_tasks_unreadable(tasks, place, python):
    tasks.write_bytes(b"\xff\xfe\x00")


def lose_a_name(tasks, place, python):
    tasks.write_text(tasks.read_text() + "\nLENS = focus(1)\n")


def lose_a_base_class(tasks, place, python):
    tasks.write_text(tasks.read_text() + "\nclass Lens(Glass): ...\n")


def pass_more_to_a_task(tasks, place, python):
    old, new = "def init_task(", "def init_task(one, other, "
    tasks.write_text(tasks.read_text().replace(old, new))


def pass_less_to_a_task(tasks, place, python):
    tasks.write_text(
        "def init_task(): return {}\n\nexec_task = exit_task = init_task\n\n"
        "def exec_task(client, args): ...\n"
    )


@pytest.mark.parametrize(
    ("lose", "words"),
    [
        (lose_a_name, "name 'focus' is not defined"),
        (lose_a_base_class, "name 'Glass' is not defined"),
        (pass_more_to_a_task, "init_task must take the 0 or 1 arguments"),
        (pass_less_to_a_task, "line 5: exec_task must take the 3 arguments"),
        (lose_what_it_imports, "camera.py, line 2: no module named 'no_such_module'"),
        (break_what_it_imports, "lens.py, line 1: "),
        (lose_a_task, "does not define exec_task"),
        (make_tasks_unreadable, "camera.py"),
        (lose_tasks, "does not exist"),
        (break_tasks, "camera.py, line 1: "),
        (lose_directory, "working directory"),
        (lose_interpreter, "cannot be run"),
        (break_interpreter, "no bgpy here"),
        (replace_interpreter, "it printed no error"),
        (make_a_task_asynchronous, "exec_task must not be an 'async def'"),
    ],
)
def test_what_could_not_be_started_again_is_not_ended(commands, tasks, tmp_path, lose, words):
    place = tmp_path / "place"
    place.mkdir()
    python = tmp_path / "python"
    python.write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    python.chmod(0o755)
    code, _, said = commands.run("start", tasks, "--cwd", place, "--python", python)
    assert code == 0, said
    pid = connect("camera").status()["pid"]
    lose(tasks, place, python)
    code, _, said = commands.run("restart", "camera")
    assert code == 1
    assert words in said
    assert connect("camera").status()["pid"] == pid


@pytest.mark.parametrize("tasks_text", ["good", "missing", "broken"])
def test_modules_are_looked_at_without_running_them(commands, tasks, tmp_path, tasks_text):
    inner = tmp_path / "outer" / "inner"
    inner.mkdir(parents=True)
    ran = tmp_path / "ran"
    (tmp_path / "outer" / "__init__.py").write_text(f"print('x', file=open({str(ran)!r}, 'a'))\n")
    module = inner / "lens.py"
    tasks.rename(module)
    name = "outer.inner.lens"
    assert commands.run("start", name, "--name", "camera", "--cwd", tmp_path)[0] == 0
    pid = connect("camera").status()["pid"]
    match tasks_text:
        case "missing":
            module.rename(inner / "other.py")
        case "broken":
            module.write_text("def init_task(:")
    code, _, said = commands.run("restart", "camera")
    assert code == int(tasks_text != "good"), said
    assert ran.read_text().count("x") == (2 if tasks_text == "good" else 1)
    assert (connect("camera").status()["pid"] == pid) == (tasks_text != "good")
    words = {
        "good": "Restarted",
        "missing": f"no module named '{name}'",
        "broken": "lens.py, line 1",
    }
    assert words[tasks_text] in said


def test_imports_that_may_work_are_no_reason_to_refuse(commands, tasks, tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "film.py").write_text("")
    where = str(tmp_path / "elsewhere")
    tasks.write_text(
        "import sys\n"
        f"sys.path.append({where!r})\n"
        "import film\n"
        "try:\n    import no_such_module\nexcept ImportError:\n    pass\n"
        "def __getattr__(name):\n    return film\n" + tasks.read_text()
    )
    assert commands.run("start", tasks)[0] == 0
    assert commands.run("restart", "camera")[0] == 0


def test_a_log_that_cannot_be_written_any_more(commands, tasks, tmp_path):
    log = tmp_path / "logs" / "camera.log"
    log.parent.mkdir()
    assert commands.run("start", tasks, "--log-file", log)[0] == 0
    pid = connect("camera").status()["pid"]
    log.unlink()
    log.mkdir()
    code, _, said = commands.run("restart", "camera")
    assert code == 1
    assert f"its log '{log}' cannot be written" in said
    assert connect("camera").status()["pid"] == pid


@pytest.mark.parametrize("given", ["nothing", "token", "variable"])
def test_all_that_is_missing_is_named_at_once(commands, tasks, tmp_path, given):
    token = tmp_path / "token"
    token.write_text(token_create())
    assert commands.run("start", tasks, "--env", "KEY=secret", "--token-file", token)[0] == 0
    assert commands.run("stop", "camera")[0] == 0
    again = {"nothing": (), "token": ("--token-file", token), "variable": ("--env", "KEY=new")}
    code, _, words = commands.run("restart", "camera", *again[given])
    assert code == 1
    assert ("--token-file" in words) == (given != "token")
    assert ("--env KEY=..." in words) == (given != "variable")
    assert "secret" not in words


def test_a_log_that_became_a_fifo_keeps_a_restart_from_beginning(commands, tasks, tmp_path):
    log = tmp_path / "camera.log"
    assert commands.run("start", tasks, "--log-file", log)[0] == 0
    pid = connect("camera").status()["pid"]
    log.unlink()
    os.mkfifo(log)
    code, _, said = commands.run("restart", "camera")
    assert code == 1
    assert "FIFO" in said
    assert connect("camera").status()["pid"] == pid
