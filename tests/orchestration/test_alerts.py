"""A failed or overdue pipeline is told once, by every way that the settings name, and once its end.

The receivers are of this machine: a command, a web server, a mail server.
"""

from __future__ import annotations

import json
import shlex
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email import message_from_string
from email.policy import default as mail_policy
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from folders import make_settings

from orchestration import alerts, hooks, outcomes, run
from orchestration.defs import automation as automation_module
from throughline.settings import SettingError, Settings, load_settings

NOON = datetime(2026, 11, 28, 12, tzinfo=UTC)
DISK = "Step raw failed:\n    the disk is full"


def _failed(at: datetime = NOON, problem: str = DISK) -> outcomes.Outcome:
    return outcomes.Outcome(at.isoformat(), True, problem)


def _good(at: datetime = NOON) -> outcomes.Outcome:
    return outcomes.Outcome(at.isoformat(), False, succeeded_at=at.isoformat())


class Receiver:
    """A way to tell that keeps what it was told, or refuses."""

    def __init__(self) -> None:
        self.got: list[hooks.Message] = []
        self.is_down = False

    def __call__(self, settings: Settings, message: hooks.Message) -> None:
        if self.is_down:
            raise hooks.HookError("is down")
        self.got.append(message)

    @property
    def events(self) -> list[tuple[str, str]]:
        return [(one["event"], one["kind"]) for one in self.got]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    found = make_settings(tmp_path)
    found.warehouse_dir.mkdir()
    return found


# --- once per incident


def test_an_incident_is_told_once_whatever_else_fails_and_once_when_it_is_over(
    settings: Settings,
) -> None:
    chat = Receiver()
    told = []
    for minutes, outcome in enumerate(
        (_good(), _failed(), _failed(), _failed(problem="another fault"), _good(), _good())
    ):
        now = NOON + timedelta(minutes=minutes)
        told.append(len(alerts.heed(settings, outcome, now=now, ways={"CHAT": chat})))
    assert chat.events == [("incident", "failed"), ("over", "failed")]
    assert told == [0, 1, 0, 0, 1, 0]
    assert chat.got[0]["problem"] == DISK
    assert "\n" not in chat.got[0]["text"]
    # What fails after that is an incident of its own.
    alerts.heed(settings, _failed(), now=NOON + timedelta(hours=1), ways={"CHAT": chat})
    assert len(chat.got) == 3


def test_an_overdue_run_is_an_incident_that_the_next_good_one_ends(settings: Settings) -> None:
    chat = Receiver()
    for hours in (1, 29, 31, 32):
        alerts.heed(settings, _good(), now=NOON + timedelta(hours=hours), ways={"CHAT": chat})
    assert chat.events == [("incident", "stale")]
    assert "for 1 d 7 h" in chat.got[0]["problem"]
    assert chat.got[0]["since"] == (NOON + timedelta(hours=30)).isoformat()
    later = NOON + timedelta(hours=33)
    alerts.heed(settings, _good(later), now=later, ways={"CHAT": chat})
    assert chat.events[1:] == [("over", "stale")]


def test_nothing_is_told_where_nothing_has_run_or_nobody_is_to_be_told(settings: Settings) -> None:
    chat = Receiver()
    assert alerts.heed(settings, now=NOON, ways={"CHAT": chat}) == []
    outcomes.record(settings, "failed")
    assert alerts.heed(settings, now=NOON) == []
    assert chat.got == []


def test_who_could_not_be_told_is_told_later_and_the_others_not_twice(settings: Settings) -> None:
    chat, mail = Receiver(), Receiver()
    ways = {"CHAT": chat, "MAIL": mail}
    mail.is_down = True
    assert alerts.heed(settings, _failed(), now=NOON, ways=ways) == [
        f"Told CHAT: {chat.got[0]['text']}",
        "MAIL could not be told: is down",
    ]
    # Not at each look of a sensor that comes once a minute.
    assert alerts.heed(settings, _failed(), now=NOON + timedelta(minutes=1), ways=ways) == []
    mail.is_down = False
    alerts.heed(settings, _failed(), now=NOON + alerts.AGAIN_AFTER, ways=ways)
    assert (len(chat.got), len(mail.got)) == (1, 1)
    # Nor need those know that it is over who never heard of it.
    fax = Receiver()
    mail.is_down = True
    ways = {**ways, "FAX": fax}
    alerts.heed(settings, _good(), now=NOON + timedelta(hours=1), ways=ways)
    mail.is_down = False
    alerts.heed(settings, _good(), now=NOON + timedelta(hours=2), ways=ways)
    alerts.heed(settings, _good(), now=NOON + timedelta(hours=3), ways=ways)
    assert (chat.events[1:], mail.events[1:]) == ([("over", "failed")], [("over", "failed")])
    assert fax.got == []


def test_a_record_that_cannot_be_kept_is_said_and_the_incident_told_all_the_same(
    settings: Settings,
) -> None:
    (settings.warehouse_dir / "incident.json").mkdir()
    chat = Receiver()
    lines = alerts.heed(settings, _failed(), now=NOON, ways={"CHAT": chat})
    assert len(chat.got) == 1
    assert "the same may be told once more" in lines[-1]


def test_a_hook_that_breaks_is_said_and_ends_nothing(settings: Settings) -> None:
    def broken(settings: Settings, message: hooks.Message) -> None:
        raise RuntimeError("a fault of its own")

    lines = alerts.heed(settings, _failed(), now=NOON, ways={"CHAT": broken})
    assert lines == ["CHAT could not be told: RuntimeError: a fault of its own"]


# --- the ways


@contextmanager
def _serving(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[misc,index]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def _web(status: int = 204) -> Iterator[tuple[int, list[tuple[str, Any]]]]:
    got: list[tuple[str, Any]] = []

    class Answering(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            got.append((self.headers["Content-Type"], json.loads(body)))
            self.send_response(status)
            self.send_header("Location", "http://192.0.2.1/elsewhere")
            self.end_headers()

        def log_message(self, *_: object) -> None: ...

    with _serving(ThreadingHTTPServer(("127.0.0.1", 0), Answering)) as port:
        yield port, got


class _Mailbox(socketserver.StreamRequestHandler):
    """As much of SMTP as a client needs to hand over a mail."""

    def handle(self) -> None:
        self.wfile.write(b"220 here\r\n")
        while line := self.rfile.readline():
            word = line.split()[0].upper()
            if word == b"DATA":
                self.wfile.write(b"354 go on\r\n")
                lines = iter(self.rfile.readline, b".\r\n")
                self.server.got.append(b"".join(lines).decode())  # type: ignore[attr-defined]
            if word == b"RCPT" and b"nobody" in line:
                self.wfile.write(b"550 no such person\r\n")
                continue
            self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 well\r\n")
            if word == b"QUIT":
                return


@contextmanager
def _post() -> Iterator[tuple[int, list[str]]]:
    server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _Mailbox)
    server.got = []  # type: ignore[attr-defined]
    with _serving(server) as port:
        yield port, server.got  # type: ignore[attr-defined]


def _python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


def test_a_command_gets_the_message_as_json_and_no_shell(tmp_path: Path) -> None:
    kept = tmp_path / "it's kept; rm"
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_text(sys.stdin.read())"
    settings = make_settings(tmp_path, ALERT_COMMAND=f"{_python(code)} {shlex.quote(str(kept))}")
    settings.warehouse_dir.mkdir()
    [line] = alerts.heed(settings, _failed(), now=NOON)
    message = json.loads(kept.read_text(encoding="utf-8"))
    assert line == f"Told ALERT_COMMAND: {message['text']}"
    assert (message["event"], message["kind"], message["problem"]) == ("incident", "failed", DISK)
    assert message["warehouse"] == str(settings.warehouse_dir)


@pytest.mark.parametrize(
    ("command", "why"),
    [
        ("/nowhere/at/all", "cannot be started"),
        (_python("import sys; print('no line'); sys.exit(3)"), "ended with status 3: no line"),
        (_python("import time; time.sleep(60)"), "did not end within"),
    ],
)
def test_a_command_that_fails_is_said_with_the_reason(
    command: str, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if "sleep" in command:
        monkeypatch.setattr(hooks, "SECONDS", 0.2)
    settings = make_settings(tmp_path, ALERT_COMMAND=command)
    settings.warehouse_dir.mkdir()
    [line] = alerts.heed(settings, _failed(), now=NOON)
    assert line.startswith(f"ALERT_COMMAND could not be told: {why}")


def test_a_webhook_gets_the_message_as_json(tmp_path: Path) -> None:
    with _web() as (port, got):
        settings = make_settings(tmp_path, ALERT_WEBHOOK=f"http://127.0.0.1:{port}/hook")
        settings.warehouse_dir.mkdir()
        alerts.heed(settings, _failed(), now=NOON)
        alerts.heed(settings, _good(), now=NOON + timedelta(hours=1))
    assert [(kind, one["event"]) for kind, one in got] == [
        ("application/json", "incident"),
        ("application/json", "over"),
    ]


@pytest.mark.parametrize("status", [302, 500])
def test_a_webhook_that_does_not_take_it_is_said_and_leads_nowhere_else(
    status: int, tmp_path: Path
) -> None:
    with _web(status) as (port, _):
        settings = make_settings(tmp_path, ALERT_WEBHOOK=f"http://127.0.0.1:{port}/secret")
        settings.warehouse_dir.mkdir()
        [line] = alerts.heed(settings, _failed(), now=NOON)
    assert line.startswith(f"ALERT_WEBHOOK could not be told: answered {status}")
    assert "secret" not in line
    [line] = alerts.heed(settings, _failed(), now=NOON + timedelta(hours=1))
    assert "cannot be reached" in line


def test_a_mail_says_what_is_wrong(tmp_path: Path) -> None:
    with _post() as (port, got):
        more = {"ALERT_MAIL_TO": "ann@x.example, ben@x.example"}
        settings = make_settings(tmp_path, ALERT_SMTP=f"smtp://127.0.0.1:{port}", **more)
        settings.warehouse_dir.mkdir()
        alerts.heed(settings, _failed(problem="Schritt fällt aus:\n    zweite Zeile"), now=NOON)
    mail = message_from_string(got[0], policy=mail_policy)
    assert (mail["From"], mail["To"]) == ("ann@x.example", more["ALERT_MAIL_TO"])
    assert "a run failed" in mail["Subject"]
    body = mail.get_content()
    assert "Schritt fällt aus:" in body
    assert "zweite Zeile" in body


@pytest.mark.parametrize(
    ("who", "smtp", "why"),
    [
        ("nobody@x.example", "smtp://127.0.0.1:{port}", "no such person"),
        ("ann@x.example", "smtp://ann:open%20sesame@127.0.0.1:{port}", "offers no TLS"),
        ("ann@x.example", "smtp://127.0.0.1:1", "cannot be sent"),
    ],
)
def test_a_mail_that_is_not_taken_is_said(who: str, smtp: str, why: str, tmp_path: Path) -> None:
    with _post() as (port, got):
        told = {"ALERT_MAIL_TO": who, "ALERT_SMTP": smtp.format(port=port)}
        settings = make_settings(tmp_path, **told)
        settings.warehouse_dir.mkdir()
        [line] = alerts.heed(settings, _failed(), now=NOON)
    assert line.startswith("ALERT_MAIL_TO could not be told:")
    assert why in line
    assert "sesame" not in line
    assert got == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("ALERT_COMMAND", "notify 'half a quote"),
        ("ALERT_WEBHOOK", "file:///etc/passwd"),
        ("ALERT_WEBHOOK", "example.org/hook"),
        ("ALERT_SMTP", "mail.example.org"),
        ("ALERT_SMTP", "smtp://mail.example.org:many"),
    ],
)
def test_a_way_that_cannot_be_used_is_named(name: str, value: str) -> None:
    with pytest.raises(SettingError, match=rf"^{name}=.*correct it"):
        load_settings({name: value})


# --- who tells


def test_make_run_tells_of_its_failure_and_of_the_next_success(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    with _web() as (port, got):
        settings = make_settings(tmp_path, ALERT_WEBHOOK=f"http://127.0.0.1:{port}/")
        settings.warehouse_dir.mkdir()
        monkeypatch.setattr(run, "load_settings", lambda: settings)
        monkeypatch.setattr(run.headline, "render", lambda settings: "both reports")

        def fail(*_: object, **__: object) -> None:
            raise run.RunError(["Step raw failed:\n    no"])

        for does in (fail, fail, lambda *_, **__: None):
            monkeypatch.setattr(run, "run", does)
            run.main()
    assert [one["event"] for _, one in got] == ["incident", "over"]
    assert "Step raw failed:\n    no" in got[0][1]["problem"]
    said = capsys.readouterr()
    assert said.err.count("Told ALERT_WEBHOOK") == 1
    assert said.out.count("Told ALERT_WEBHOOK: Throughline: all is well again") == 1


def test_a_hook_that_fails_changes_nothing_about_how_a_run_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = make_settings(tmp_path, ALERT_COMMAND="/nowhere/at/all")
    settings.warehouse_dir.mkdir()
    alerts.heed(settings, _failed(), ways={"ALERT_COMMAND": Receiver()})
    monkeypatch.setattr(run, "load_settings", lambda: settings)
    monkeypatch.setattr(run, "run", lambda *_, **__: None)
    monkeypatch.setattr(run.headline, "render", lambda settings: "both reports")
    assert run.main() == run.SUCCEEDED
    assert "ALERT_COMMAND could not be told: cannot be started" in capsys.readouterr().out
    # Nor does telling itself, where it breaks.
    monkeypatch.setattr(alerts, "heed", lambda *_: 1 / 0)
    assert run.main() == run.SUCCEEDED
    assert "Nobody could be told" in capsys.readouterr().out


@pytest.mark.parametrize("tags", [{}, outcomes.BY_COMMAND], ids=["dagster", "command"])
def test_a_run_that_dagster_started_tells_of_its_failure_and_one_of_the_command_leaves_it_to_that(
    tags: dict[str, str], settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Receiver()
    monkeypatch.setattr(hooks, "configured", lambda settings: {"CHAT": chat})

    @dg.op
    def breaks() -> None:
        raise ValueError("a fault that stays")

    @dg.job(
        hooks={automation_module.keep_failure},
        resource_defs={"settings": dg.ResourceDefinition.hardcoded_resource(settings)},
    )
    def refresh() -> None:
        breaks()

    with dg.DagsterInstance.ephemeral() as instance:
        refresh.execute_in_process(instance=instance, raise_on_error=False, tags=tags)
    assert chat.events == ([] if tags else [("incident", "failed")])
    kept = outcomes.read(settings)
    assert kept is not None
    assert "a fault that stays" in kept.problem


def test_the_daemon_tells_what_is_overdue_and_that_all_is_well_again(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    chat = Receiver()
    monkeypatch.setattr(hooks, "configured", lambda settings: {"CHAT": chat})
    sensor = next(
        one for one in automation_module.automation().sensors or [] if one.name == "alerts"
    )
    assert isinstance(sensor, dg.SensorDefinition)
    assert sensor.default_status == dg.DefaultSensorStatus.RUNNING

    def look() -> str:
        context = dg.build_sensor_context(resources={"settings": settings})
        found = sensor(context)
        assert isinstance(found, dg.SkipReason)
        return str(found.skip_message)

    assert look() == "there is nothing to tell"
    record = settings.warehouse_dir / "last_run.json"
    old = (datetime.now(UTC) - timedelta(hours=40)).isoformat()
    record.write_text(json.dumps({"ended_at": old, "failed": False, "succeeded_at": old}))
    assert "no run has ended well in time" in look()
    assert look() == "there is nothing to tell"
    outcomes.record(settings)
    assert "all is well again" in look()
    assert chat.events == [("incident", "stale"), ("over", "stale")]


def test_a_run_whose_process_was_killed_is_told_of_too(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(automation_module.instance, "end_dead_runs", lambda *_: ["1a2b3c4d"])
    monkeypatch.setattr(automation_module.instance, "forget_old_runs", lambda *_: [])
    with dg.DagsterInstance.ephemeral() as instance:
        assert len(list(automation_module.upkeep(settings, instance))) == 1
    chat = Receiver()
    alerts.heed(settings, ways={"CHAT": chat})
    assert "Ended run 1a2b3c4d, whose process was killed" in chat.got[0]["problem"]
