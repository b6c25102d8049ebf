"""`throughline serve`: serves the REST resource and the pages from the published snapshot.

Belongs here: the command. Does not belong here: anything that answers.
"""

from __future__ import annotations

import argparse
import gc
import logging
import sys
from collections.abc import Mapping, Sequence
from typing import Any

import uvicorn

from serving.app import create_app
from serving.connections import Connection
from serving.keys import Keys
from serving.security import is_loopback
from throughline.engine import log_files
from throughline.settings import ServingSettings, SettingError, load_serving_settings

#: How the server is run, but for where it listens.
OPTIONS: Mapping[str, Any] = {
    "http": Connection,
    # Who asks and how is read by `security`, where the settings say that a proxy is believed.
    "proxy_headers": False,
    "ws": "none",
    # Its own log of requests would hold addresses, paths and keys.
    "access_log": False,
    "log_config": None,
    "server_header": False,
    "timeout_graceful_shutdown": 5,
}


def _settings(options: argparse.Namespace) -> ServingSettings:
    settings = load_serving_settings()
    if options.host:
        settings = settings.replaced(host=options.host)
    if options.port:
        settings = settings.replaced(port=options.port)
    if Keys(settings).all():
        return settings
    if not is_loopback(settings.host):
        raise SettingError(
            f"SERVE_HOST={settings.host!r} is open to others and there is no key: make one with"
            " `throughline keys add NAME`, or listen on 127.0.0.1"
        )
    if settings.behind_proxy:
        raise SettingError(
            "SERVE_BEHIND_PROXY=on opens the server to whoever asks the proxy, and there is no key:"
            " make one with `throughline keys add NAME`"
        )
    return settings


def log(settings: ServingSettings) -> None:
    """Log to the file of the settings, or to standard error where they name none.

    Raises:
        SettingError: nobody may write there.
    """
    handler = log_files.rotating(settings, "serve")
    form = "%(asctime)s %(levelname)s %(message)s"
    logging.basicConfig(level=logging.INFO, format=form, handlers=[handler] if handler else None)


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted.

    Returns:
        0; 2 when a setting cannot be used.
    """
    parser = argparse.ArgumentParser(prog="throughline serve", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (SERVE_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (SERVE_PORT)")
    try:
        settings = _settings(parser.parse_args(arguments))
        log(settings)
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    name = f"[{settings.host}]" if ":" in settings.host else settings.host
    print(f"Throughline at http://{name}:{settings.port}")
    print(f"  pages  http://{name}:{settings.port}/")
    print(f"  REST   http://{name}:{settings.port}/api/2/conversation (docs: /api/docs)")
    if not (settings.published_dir / "manifest.json").exists():
        print(f"Nothing is published in {settings.published_dir} yet: run `make run`")
    sys.stdout.flush()
    app = create_app(settings)
    # What stands until the end is looked through no more, and what a request leaves less often.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
    uvicorn.run(app, host=settings.host, port=settings.port, **OPTIONS)
    return 0


if __name__ == "__main__":
    sys.exit(main())
