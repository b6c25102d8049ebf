"""The dbt command line as this project runs it: dbt's own, with two traps closed and a head start.

`dbt --version` asks the package index for news and waits for it when there is no network; here it
answers from what is installed. And on Linux dbt ends with the process that started it, so that a
killed run does not leave a dbt behind that still writes the warehouse.

The head start: `--wait` reads the project and then waits at a socket for one command, so that a run
can load its logs meanwhile. A dbt command that is told of the socket hands itself over: arguments,
environment, folder and output. Where nobody waits, it does its work itself.

Does not belong here: choosing what to build.
"""

from __future__ import annotations

import ctypes
import json
import os
import signal
import socket
import sys
import threading
from contextlib import chdir, suppress
from importlib.metadata import version
from pathlib import Path

PR_SET_PDEATHSIG = 1
# The variable that names the socket, and what the process that waits says when it may be used.
WAITING = "THROUGHLINE_WAITING_DBT"
READY = "dbt has read the project"
# Whoever starts dbt by this module holds the warehouse lock and keeps the record of the build.
CALLER = "THROUGHLINE_DBT_CALLER"

HANDLED, UNHANDLED = 1, 2


def _end_with_parent() -> None:
    if sys.platform != "linux":
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
    # The parent may have ended before the request.
    if os.getppid() != parent:
        os.kill(os.getpid(), signal.SIGKILL)


def wait(path: Path, parse: list[str]) -> int:
    """Read the project, wait for one command, run it. Gives the exit status, dbt's own.

    Args:
        path: where the socket is made.
        parse: dbt's arguments for reading the project.
    """
    # What the caller passes on is meant, also where a shell began all this in the background, and
    # so deaf to it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    with socket.socket(socket.AF_UNIX) as listener:
        path.unlink(missing_ok=True)
        # By its name alone: a path in a socket's address may have a hundred bytes.
        with chdir(path.parent):
            listener.bind(path.name)
        path.chmod(0o600)
        listener.listen(1)
        from dbt.cli.main import dbtRunner

        parsed = dbtRunner().invoke(parse)
        if not parsed.success:
            return UNHANDLED if parsed.exception else HANDLED
        print(READY, flush=True)
        connection, _ = listener.accept()
        path.unlink()
    # Open until this process has ended, and with it whatever dbt had open.
    connection.sendall(f"{os.getpid()}\n".encode())
    arguments = _take_over(connection)
    threading.Thread(target=_end_with_caller, args=(connection,), daemon=True).start()
    done = dbtRunner(manifest=parsed.result).invoke(arguments)  # type: ignore[arg-type]
    status = 0 if done.success else UNHANDLED if done.exception else HANDLED
    if done.exception is not None:
        print(f"{type(done.exception).__name__}: {done.exception}", file=sys.stderr)
    connection.sendall(bytes([status]))
    return status


def _take_over(connection: socket.socket) -> list[str]:
    """Become the caller: its output, folder and environment. Gives its arguments."""
    request, files, _, _ = socket.recv_fds(connection, 65_536, 2)
    while not request.endswith(b"\n"):
        part = connection.recv(65_536)
        if not part:
            sys.exit(UNHANDLED)
        request += part
    content = json.loads(request)
    for number, file in enumerate(files, start=1):
        os.dup2(file, number)
        os.close(file)
    os.chdir(content["folder"])
    os.environ.clear()
    os.environ.update(content["environment"])
    arguments: list[str] = content["arguments"]
    return arguments


def _end_with_caller(connection: socket.socket) -> None:
    # The caller says nothing more: an end of its side is the end of the caller.
    with suppress(OSError):
        connection.recv(1)
    os.kill(os.getpid(), signal.SIGKILL)


def hand_over(path: Path, arguments: list[str]) -> int | None:
    """Let the process that waits at a socket run a command, and give its exit status.

    None when nobody waits there, or whoever did ended before it took the command.
    """
    with socket.socket(socket.AF_UNIX) as connection:
        try:
            with chdir(path.parent):
                connection.connect(path.name)
            answer = connection.makefile("rb")
            pid = answer.readline()
        except OSError:
            return None
        if not pid:
            return None
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda number, _: os.kill(int(pid), number))
        content = {
            "arguments": arguments,
            "folder": str(Path.cwd()),
            "environment": dict(os.environ),
        }
        request = json.dumps(content).encode() + b"\n"
        sent = socket.send_fds(connection, [request], [1, 2])
        connection.sendall(request[sent:])
        # All that comes until the other has closed the warehouse and ended.
        status = answer.read()
        return status[0] if status else UNHANDLED


def main() -> None:
    """Run dbt with the arguments of this process."""
    arguments = sys.argv[1:]
    if arguments == ["--version"]:
        print(f"installed: {version('dbt-core')}")
        return
    _end_with_parent()
    os.environ[CALLER] = "the pipeline"
    # The profile's plugin is of this checkout, whatever else is installed.
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))
    if arguments[:1] == ["--wait"]:
        sys.exit(wait(Path(arguments[1]), arguments[2:]))
    if path := os.environ.get(WAITING):
        status = hand_over(Path(path), arguments)
        if status is not None:
            sys.exit(status)
    from dbt.cli.main import cli

    cli(prog_name="dbt")


if __name__ == "__main__":
    main()
