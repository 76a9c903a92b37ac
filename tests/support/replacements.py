"""What may stand in the place of a server's file: each function puts something else there.

It is called with the path of the file, and with that of a file of another server.
"""

from __future__ import annotations

import os
import shutil
import socket

# Listeners of this process, which live as long as it does.
SILENT: list[socket.socket] = []


def remove(path):
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink()


def garbage(path, other):
    path.unlink()
    path.write_text("{garbage")


def written_over(path, other):
    """Where it can be: a socket cannot be opened."""
    if path.suffix == ".sock":
        garbage(path, other)
    else:
        path.write_text("{garbage")


def emptied(path, other):
    if path.suffix == ".sock":
        path.unlink()
    path.write_text("")


def a_directory(path, other):
    path.unlink()
    path.mkdir()


def a_link_to_another(path, other):
    path.unlink()
    path.symlink_to(other)


def a_link_to_nothing(path, other):
    path.unlink()
    path.symlink_to(path.with_name("nothing"))


def a_loop(path, other):
    path.unlink()
    path.symlink_to(path)


def a_hard_link_to_another(path, other):
    path.unlink()
    os.link(other, path)


def a_copy_of_another(path, other):
    if path.suffix == ".json":
        shutil.copy(other, path)
    else:
        a_hard_link_to_another(path, other)


def a_fifo(path, other):
    path.unlink()
    os.mkfifo(path)


def a_socket_without_a_listener(path, other):
    path.unlink()
    with socket.socket(socket.AF_UNIX) as left:
        left.bind(str(path))


def a_socket_for_datagrams(path, other):
    path.unlink()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as left:
        left.bind(str(path))


def a_listener_that_says_nothing(path, other):
    path.unlink()
    SILENT.append(socket.socket(socket.AF_UNIX))
    SILENT[-1].bind(str(path))
    SILENT[-1].listen()


def without_rights(path, other):
    path.chmod(0)


def with_rights_for_all(path, other):
    path.chmod(0o777)


def of_the_same_length(path, other):
    if path.suffix == ".sock":
        garbage(path, other)
    else:
        path.write_text(path.read_text().replace("127.0.0.1", "127.0.0.9"))


KINDS = [
    garbage,
    written_over,
    emptied,
    a_directory,
    a_link_to_another,
    a_link_to_nothing,
    a_loop,
    a_hard_link_to_another,
    a_copy_of_another,
    a_fifo,
    a_socket_without_a_listener,
    a_socket_for_datagrams,
    a_listener_that_says_nothing,
    without_rights,
    with_rights_for_all,
    of_the_same_length,
]
