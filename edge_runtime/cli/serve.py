"""The command ``edge-iemonet serve``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from edge_runtime.cli import COMMAND
from edge_runtime.cli.command import FAILED, print_status, report_error
from edge_runtime.cli.options import Bundle, Device, Threads, finite
from edge_runtime.errors import MissingExtraError

EXTRA = ("fastapi", "h11", "prometheus_client", "python_multipart", "starlette", "uvicorn", "websockets")
EXAMPLES = """
Examples:

  edge-iemonet serve

  curl -F file=@clip.wav http://127.0.0.1:8000/v1/classify

  EDGE_IEMONET_TOKEN=… edge-iemonet serve --host 0.0.0.0

The page is at the address that is printed. Only this machine can ask, unless --host names another address, which needs
a token: in the variable EDGE_IEMONET_TOKEN, or in a file. Sound is kept in memory alone, and no words are logged.

The extra is needed: pip install 'edge-iemonet\\[serve]'. Ctrl-C and SIGTERM end it when what is under way is answered.

Exit codes: 130 or 143 Ctrl-C or SIGTERM ended it, 1 the address cannot be had, 2 wrong usage, no extra, no bundle or
device.
"""


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65_535, help="0 takes any that is free.")] = 8000,
    token_file: Annotated[Path | None, typer.Option(help="File with the token to ask for.", metavar="FILE")] = None,
    allow_host: Annotated[
        list[str] | None, typer.Option(help="A name by which a proxy calls the service. May be repeated.")
    ] = None,
    allow_origin: Annotated[
        list[str] | None, typer.Option(help="A site whose pages may ask: https://example.org. May be repeated.")
    ] = None,
    queue: Annotated[int, typer.Option(min=0, help="Requests that may wait; more get 503.")] = 16,
    streams: Annotated[int, typer.Option(min=1, help="WebSockets at the same time.")] = 16,
    max_mb: Annotated[int, typer.Option(min=1, max=1024, help="Largest upload, in MB.")] = 25,
    max_seconds: Annotated[float, typer.Option(min=1, callback=finite, help="Longest recording.")] = 3600,
    time_limit: Annotated[
        float, typer.Option(min=1, callback=finite, help="Seconds for an upload, and for its answer.")
    ] = 300,
    log: Annotated[bool, typer.Option(help="Write a line for each request to standard error.")] = True,
    bundle: Bundle = None,
    device: Device = "auto",
    threads: Threads = None,
) -> None:
    """Answer requests over HTTP as OpenAI's interface for speech does, live sound over WebSockets, and with a page."""
    try:
        from edge_runtime.serve import server  # noqa: PLC0415 - an extra
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in EXTRA:
            raise
        message = f"serve needs {error.name}: pip install 'edge-iemonet[serve]'"
        raise MissingExtraError(message) from error
    from edge_runtime.pipeline import IEmoNet  # noqa: PLC0415
    from edge_runtime.serve import settings  # noqa: PLC0415
    from edge_runtime.system.processors import thread_budget  # noqa: PLC0415

    try:
        token = settings.read_token(token_file)
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    if token is None and not settings.is_loopback(host):
        raise typer.BadParameter(
            f"--host {host}: other machines can ask there, so a token is needed: set {settings.TOKEN_VARIABLE} or give "
            "--token-file"
        )
    limits = settings.Limits(
        workers=thread_budget(threads), waiting=queue, streams=streams, body_bytes=max_mb << 20, audio_s=max_seconds,
        time_s=time_limit,
    )  # fmt: skip
    hosts = frozenset(name.lower() for name in allow_host or ())
    access = settings.Access(token, hosts, frozenset(allow_origin or ()))
    try:
        listening = server.open_socket(host, port)
    except OSError as error:
        report_error(COMMAND, f"{host}, port {port}: cannot listen there ({error.strerror}); choose another --port")
        raise typer.Exit(FAILED) from error
    with listening:
        # Utterance by utterance: a deadline is looked at between them, and requests share the memory.
        model = IEmoNet.load(bundle, device=device, threads=1, batch_memory_mb=0)
        model.warm_up()
        server.log_to_standard_error(requests=log)
        print_status(f"{COMMAND}: serving {model.bundle.name} at {server.address(listening)} (Ctrl-C ends it)")
        server.Server(model, limits, access).run(sockets=[listening])
