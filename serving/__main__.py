"""`make serve`: serves the REST resource and the pages from the published snapshot.

Belongs here: the command. Does not belong here: anything that answers.
"""

from __future__ import annotations

import argparse
import dataclasses
import gc
import logging
import sys
from collections.abc import Sequence

import uvicorn

from orchestration.settings import ServingSettings, SettingError, load_serving_settings
from serving.app import create_app
from serving.keys import Keys
from serving.security import is_loopback


def _settings(options: argparse.Namespace) -> ServingSettings:
    settings = load_serving_settings()
    if options.host:
        settings = dataclasses.replace(settings, host=options.host)
    if options.port:
        settings = dataclasses.replace(settings, port=options.port)
    if not Keys(settings).all() and not is_loopback(settings.host):
        raise SettingError(
            f"SERVE_HOST={settings.host!r} is open to others and there is no key: make one with"
            " `python -m serving.keys add NAME`, or listen on 127.0.0.1"
        )
    return settings


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until interrupted.

    Returns:
        0; 2 when a setting cannot be used.
    """
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--host", help="the address to listen on (SERVE_HOST)")
    parser.add_argument("--port", type=int, help="the port to listen on (SERVE_PORT)")
    try:
        settings = _settings(parser.parse_args(arguments))
    except SettingError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
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
    # Its own log of requests would hold addresses, paths and keys.
    uvicorn.run(
        app,
        host=settings.host,
        port=settings.port,
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=5,
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
