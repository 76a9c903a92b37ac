"""`bgpy version`, and what the command says of itself."""

from __future__ import annotations

import os

import pytest

import bgpy


@pytest.mark.parametrize("argument", ["version", "--version", "-V"])
def test_the_version_is_data(each_form, argument):
    assert each_form.run(argument) == (0, f"bgpy {bgpy.__version__}\n", "")


def test_help_that_was_asked_for_is_data(each_form):
    code, data, words = each_form.run("--help")
    assert (code, words) == (0, "")
    for name in ("server", "terminate", "version", "BGPY_TOKEN"):
        assert name in data


def test_help_that_was_not_asked_for_is_an_error(commands):
    code, data, words = commands.run()
    assert (code, data) == (2, "")
    assert "Usage: bgpy" in words


@pytest.mark.parametrize(
    ("command", "options"),
    [
        ("server", "-t --token -l --log-level -f --log-file -i --init-file --no-auth HOST PORT"),
        ("terminate", "-t --token -l --log-level -f --log-file --timeout HOST PORT"),
        ("version", "--help"),
    ],
)
def test_help_names_the_options(commands, command, options):
    code, data, words = commands.run(command, "--help")
    assert (code, words) == (0, "")
    assert [option for option in options.split() if option not in data] == []


@pytest.mark.parametrize("command", ["versions", "--verbose", "serve"])
def test_an_unknown_command_is_named(commands, command):
    code, data, words = commands.run(command)
    assert (code, data) == (2, "")
    assert command in words


@pytest.mark.parametrize("arguments", [["version"], ["--help"], ["terminate", "--help"]])
def test_a_reader_that_has_gone_is_no_reason_to_fail(each_form, arguments):
    reader, writer = os.pipe()
    os.close(reader)
    process = each_form.spawn(*arguments, stdout=writer)
    os.close(writer)
    _, words = process.communicate(timeout=30)
    assert (process.returncode, words) == (0, "")
