"""Telling somebody: a command, an address, a mailbox; each as the settings say.

Belongs here: how a message gets there, and why it did not. Does not belong here: when there is
something to tell, and what (alerts).

Nothing else of the product speaks to another machine, and these only where a setting names one.
"""

from __future__ import annotations

import http.client
import ipaddress
import json
import os
import shlex
import signal
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from email.message import EmailMessage
from email.utils import localtime, make_msgid
from urllib.parse import unquote, urlsplit

from throughline.settings import Settings

# For each of them; the sensor that calls them has a minute.
SECONDS = 10
_SHOWN = 300

Message = Mapping[str, str]
Hook = Callable[[Settings, Message], None]


class HookError(RuntimeError):
    """A message did not get there; says why."""


def configured(settings: Settings) -> dict[str, Hook]:
    """Those that the settings name, by the name of their setting."""
    hooks: dict[str, tuple[str, Hook]] = {
        "ALERT_COMMAND": (settings.alert_command, _command),
        "ALERT_WEBHOOK": (settings.alert_webhook, _webhook),
        "ALERT_MAIL_TO": (settings.alert_mail_to, _mail),
    }
    return {name: hook for name, (value, hook) in hooks.items() if value}


def _command(settings: Settings, message: Message) -> None:
    """Call a command without a shell, the message as JSON on its standard input.

    Raises:
        HookError: it is not there, it failed, or it did not end in time and was killed.
    """
    try:
        process = subprocess.Popen(
            shlex.split(settings.alert_command),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            # With all that it starts, it can be ended.
            start_new_session=True,
        )
    except OSError as error:
        raise HookError(f"cannot be started ({error.strerror})") from error
    try:
        said, _ = process.communicate(_json(message), timeout=SECONDS)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise HookError(f"did not end within {SECONDS} s") from None
    if process.returncode:
        told = said.decode(errors="replace").strip()[-_SHOWN:]
        raise HookError(f"ended with status {process.returncode}" + (f": {told}" if told else ""))


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """What is told to one address goes to no other."""

    def redirect_request(self, *_: object) -> None:
        return None


def _webhook(settings: Settings, message: Message) -> None:
    """Post the message as JSON.

    Raises:
        HookError: nobody answered in time, or not with a status of 2xx.
    """
    request = urllib.request.Request(
        settings.alert_webhook, _json(message), {"Content-Type": "application/json"}
    )
    try:
        with urllib.request.build_opener(_NoRedirect).open(request, timeout=SECONDS):
            pass
    except urllib.error.HTTPError as error:
        raise HookError(f"answered {error.code} {error.reason}") from error
    except (OSError, http.client.HTTPException, ValueError) as error:
        raise HookError(f"cannot be reached ({error})") from error


def _mail(settings: Settings, message: Message) -> None:
    """Hand a mail to the server of the settings.

    Raises:
        HookError: the server cannot be reached, is not the one that its certificate says, takes no
            mail for one of these people, or would get a password in the clear.
    """
    server = urlsplit(settings.alert_smtp)
    host = server.hostname or ""
    mail = EmailMessage()
    mail["Subject"] = message["text"]
    mail["To"] = settings.alert_mail_to
    mail["From"] = settings.alert_mail_from or settings.alert_mail_to.split(",")[0].strip()
    mail["Date"] = localtime()
    mail["Message-ID"] = make_msgid(domain="throughline")
    mail.set_content("\n".join(f"{name}: {text}" for name, text in message.items()) + "\n")
    trusted = ssl.create_default_context()
    try:
        with (
            smtplib.SMTP_SSL(host, server.port or 465, timeout=SECONDS, context=trusted)
            if server.scheme == "smtps"
            else smtplib.SMTP(host, server.port or 25, timeout=SECONDS)
        ) as smtp:
            smtp.ehlo_or_helo_if_needed()
            if server.scheme == "smtp" and (server.password or not _is_loopback(host)):
                if smtp.has_extn("starttls"):
                    smtp.starttls(context=trusted)
                elif server.password:
                    raise HookError("offers no TLS, and a password is not sent without it")
            if server.password:
                smtp.login(unquote(server.username or ""), unquote(server.password))
            if refused := smtp.send_message(mail):
                raise HookError(f"takes no mail for {', '.join(refused)}")
    except (OSError, smtplib.SMTPException, ValueError) as error:
        raise HookError(f"cannot be sent by {host} ({error})") from error


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _json(message: Message) -> bytes:
    return json.dumps(message, ensure_ascii=False).encode()
