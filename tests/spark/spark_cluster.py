"""A Spark cluster on loopback, from the package that `make spark-setup` installs.

Belongs here: starting, killing and ending its processes. Does not belong here: what runs on it.
"""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import time
from pathlib import Path
from types import TracebackType
from typing import Self

UP_SECONDS = 60
WORKERS = 2
# What is built is small: most of the time of a JVM would go into compiling code that runs once.
_QUICK = """\
spark.sql.codegen.wholeStage false
spark.sql.shuffle.partitions 4
spark.driver.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.extraJavaOptions -XX:TieredStopAtLevel=1 -XX:+UseSerialGC
spark.executor.memory 1g
spark.cores.max 2
"""


def quick_jvm(folder: Path) -> None:
    """Let every Spark of this process and its children be one for small data."""
    (folder / "spark-defaults.conf").write_text(_QUICK, encoding="utf-8")
    os.environ["SPARK_CONF_DIR"] = str(folder)


class Cluster:
    """A context: master and workers are up inside it, and gone after it.

    Attributes:
        address: for `SPARK_MASTER`.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._processes: list[subprocess.Popen[bytes]] = []
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self.address = f"spark://127.0.0.1:{port}"
        self._port = str(port)

    def __enter__(self) -> Self:
        try:
            self._start("Master", "--host", "127.0.0.1", "--port", self._port)
            self._wait("Master", "I have been elected leader")
            for number in range(1, WORKERS + 1):
                self._start_worker(number)
        except BaseException:
            self._end()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        failure: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._end()

    def kill_a_worker(self) -> None:
        """Kill one with the executors that it started, by the signal that nothing can catch."""
        worker = self._processes[-1]
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()

    def said(self, name: str) -> str:
        """The log of the master, or of a worker: `Worker1`."""
        return (self._folder / f"{name}.log").read_text(encoding="utf-8", errors="replace")

    def _start_worker(self, number: int) -> None:
        name = f"Worker{number}"
        work = ["--work-dir", str(self._folder / name)]
        options = ["--host", "127.0.0.1", "-c", "1", "-m", "1500m", *work]
        self._start("Worker", *options, self.address, name=name)
        self._wait(name, "Successfully registered with master")

    def _start(self, kind: str, *arguments: str, name: str = "") -> None:
        import pyspark

        home = Path(pyspark.__file__).parent
        with (self._folder / f"{name or kind}.log").open("wb") as log:
            self._processes.append(
                subprocess.Popen(
                    [
                        home / "bin" / "spark-class",
                        f"org.apache.spark.deploy.{kind.lower()}.{kind}",
                        *("--webui-port", "0"),
                        *arguments,
                    ],
                    env={**os.environ, "SPARK_HOME": str(home), "SPARK_LOCAL_IP": "127.0.0.1"},
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    start_new_session=True,
                )
            )

    def _wait(self, name: str, words: str) -> None:
        deadline = time.monotonic() + UP_SECONDS
        while not re.search(words, self.said(name)):
            assert time.monotonic() < deadline, self.said(name)
            time.sleep(0.1)

    def _end(self) -> None:
        for process in reversed(self._processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()
