"""`live`: the window with the camera's picture."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from realtime_unmask import missing
from realtime_unmask.cli.common import Backend
from realtime_unmask.errors import UsageError, WindowError, refusing
from realtime_unmask.settings import Settings


def live(
    source: Annotated[
        str,
        typer.Option(
            "--source",
            metavar="NAME",
            help="Show this instead of a camera: a video, photo or folder (again and again), "
            "an http or rtsp address, or a camera's identity from `devices`.",
        ),
    ] = "",
    serve: Annotated[
        bool,
        typer.Option(
            "--serve", help="Begin with the web page on; other programs here can read it."
        ),
    ] = False,
    backend: Backend = "",
) -> int:
    """Open the window: see yourself unmasked, record it, send it to a call.

    The camera is used by this window only, and nothing leaves the computer unless you switch on
    the virtual camera, the web page or a recording. Press ? in the window for all keys.

    \b
    Examples:
      realtime-unmask live
      realtime-unmask live --source talk.mp4
    """
    if backend:
        Settings(backend=backend)  # refuses a name that there is not
    if source and "://" not in source and not source.startswith("camera:"):
        _check_file(source)
    try:
        from realtime_unmask.ui.program import run_window
    except ImportError as error:
        if isinstance(error, ModuleNotFoundError) and missing.words(error):
            raise  # no library of the system is at fault: a package is not installed
        raise WindowError(
            f"Qt cannot be loaded ({error}). On Debian and Ubuntu `{missing.INSTALL_LIBRARIES}` "
            "installs the libraries that it needs."
        ) from error
    return run_window(source, backend, serve=serve)


@refusing()
def _check_file(source: str) -> None:
    if not Path(source).exists():
        raise UsageError(
            f"There is no file or folder {source}. `realtime-unmask devices` lists the cameras."
        )
