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


@pytest.mark.parametrize("arguments", [[], ["create", "--bytes", 8], ["create", "more"]])
def test_arguments_that_make_no_sense(commands, arguments):
    assert commands.run("token", *arguments)[:2] == (2, "")
