"""From launch to the first unmasked frame, in a process of its own."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import dataclass

from realtime_unmask import resources
from realtime_unmask.errors import EngineError
from realtime_unmask.settings import Settings

_PATIENCE_S = 120
_CHILD = """
import json, sys, time
began = time.perf_counter()
import realtime_unmask
imported = time.perf_counter() - began
from realtime_unmask import resources
from realtime_unmask.capture.video import VideoSource
from realtime_unmask.memory import keep_freed_memory
from realtime_unmask.settings import Settings
from realtime_unmask.unmask.unmasker import State, Unmasker
keep_freed_memory()
settings = Settings(backend=sys.argv[1], threads=int(sys.argv[2]))
with VideoSource(resources.folder("assets") / "demo.mp4") as source:
    with Unmasker.default(settings) as unmasker:
        state = State()
        for frame in source:
            if unmasker.process(frame, state).map is not None:
                break
        print(json.dumps({"import_s": imported}), flush=True)
"""


@dataclass(frozen=True, slots=True)
class Start:
    """Attributes:
    import_s: `import realtime_unmask`.
    first_frame_s: from the launch of Python to the first unmasked frame.
    """

    import_s: float
    first_frame_s: float


def launch(settings: Settings) -> Start:
    """Start the program twice, and time the second: then the files are in memory.

    Raises:
        EngineError: it does not start.
    """
    for _ in range(2):
        began = time.perf_counter()
        command = [sys.executable, "-c", _CHILD, settings.backend, str(settings.threads)]
        with subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            text=True,
            env=resources.child_environment(),
            start_new_session=True,  # Ctrl-C is this process's matter
        ) as child:
            try:
                assert child.stdout is not None
                line = child.stdout.readline()
                spent = time.perf_counter() - began
                child.wait(_PATIENCE_S)
            finally:
                child.kill()  # does nothing where it has ended
    if not line:
        raise EngineError("The program does not start in a process of its own; see above.")
    return Start(round(json.loads(line)["import_s"], 3), round(spent, 3))
