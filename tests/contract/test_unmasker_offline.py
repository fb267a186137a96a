"""Unmasking a picture opens no socket: neither the engines nor mediapipe does."""

from __future__ import annotations

from tests.contract.test_engine_offline import GUARD, run

RUN = """
import av
from realtime_unmask import State, Unmasker

with av.open("assets/demo.mp4") as container:
    picture = next(container.decode(video=0)).to_ndarray(format="rgb24")
with Unmasker.default() as unmasker:
    still = unmasker.process(picture)
    moving = unmasker.process(picture, State())
print("painted", still.map is not None, moving.map is not None)
"""


def test_unmasking_opens_no_socket() -> None:
    done = run(GUARD + RUN)
    assert done.returncode == 0, done.stderr
    assert "painted True True" in done.stdout


def test_unmasking_prints_nothing_of_its_own() -> None:
    done = run(RUN)
    assert done.stderr == ""
    assert done.stdout == "painted True True\n"


def test_a_process_without_standard_error_unmasks_as_well() -> None:
    done = run("import os, sys; os.close(2); sys.stderr = None\n" + RUN)
    assert "painted True True" in done.stdout
