"""`bgpy token`: secrets."""

from __future__ import annotations

import pytest


def test_a_token_is_new_each_time(each_form):
    made = [each_form.run("token", "create") for _ in range(2)]
    assert [(code, words) for code, _, words in made] == [(0, "")] * 2
    (first, second) = (data.strip() for _, data, _ in made)
    assert first != second
    assert len(first) == 86


def test_another_length(commands):
    assert len(commands.run("token", "create", "--bytes", 32)[1].strip()) == 43


@pytest.mark.parametrize(
    "arguments",
    [
        ["call", "camera", "1"],
        ["logs", "camera"],
        ["ping", "camera"],
        ["restart", "camera"],
        ["status", "camera"],
        ["stop", "camera"],
        ["stop", "--all"],
        ["systemd", "camera"],
        ["wait", "camera", "--for", "ready"],
    ],
)
def test_a_token_file_that_is_not_there_is_an_error(camera, tmp_path, arguments):
    missing = tmp_path / "token"
    code, data, words = camera.run(*arguments, "--token-file", missing)
    assert (code, data) == (2, "")
    assert f"the token cannot be read from '{missing}'" in words
    assert camera.run("ping", "camera")[0] == 0


@pytest.mark.parametrize(
    "arguments", [["kill", "camera", "--token-file", "x"], ["run", "x.py", "--timeout", "1"]]
)
def test_a_command_refuses_an_option_that_it_does_not_use(commands, arguments):
    code, data, words = commands.run(*arguments)
    assert (code, data) == (2, "")
    assert "unexpected argument" in words


@pytest.mark.parametrize("arguments", [[], ["create", "--bytes", 8], ["create", "more"]])
def test_arguments_that_make_no_sense(commands, arguments):
    assert commands.run("token", *arguments)[:2] == (2, "")
