"""Photos and videos dropped onto the window: unmasked one by one, beside the originals."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from PyQt6.QtCore import QObject, pyqtSignal

from realtime_unmask.errors import MediaUnsupported, OutputError, UnmaskError
from realtime_unmask.settings import Settings
from realtime_unmask.ui import problems
from realtime_unmask.ui.background import Background

if TYPE_CHECKING:
    from realtime_unmask.pipeline.convert import Progress
    from realtime_unmask.types import FrameResult
    from realtime_unmask.unmask.unmasker import Unmasker

MakeUnmasker = Callable[[Settings], "Unmasker"]
_TELL_EVERY_S = 0.1
# What is unfinished of a file is removed within this: a large picture may take seconds before.
_REMOVE_S = 30.0
# They cannot be read, which is said of a photo; as a video, some seem to have one frame.
_PHOTOS_TOO = frozenset({".heic", ".heif", ".avif"})


class _Cancelled(UnmaskError):
    """The person does not want it any more."""


@dataclass(frozen=True, slots=True, eq=False)
class Done:
    """What came of one file.

    Attributes:
        source: the file.
        output: what was written; None where that failed.
        painted, faces: frames with a mask painted over, and with a face.
        frames: all frames; 1 for a photo.
        error: why it failed, a sentence; "" where it did not.
        photo: the result of a photo, to be shown; None for a video.
    """

    source: Path
    output: Path | None
    painted: int = 0
    faces: int = 0
    frames: int = 0
    error: str = ""
    photo: FrameResult | None = None


class FileJobs(QObject):
    """Works off files on a thread of its own.

    Signals:
        began(path, number, count): a file's turn has come; the number-th of count.
        progressed(share, frames): share 0..1, or -1 where the length is unknown; frames so far.
        done(Done): of one file.
        ended(cancelled): nothing that was added is left to do; was the last of it cancelled?
    """

    began = pyqtSignal(object, int, int)
    progressed = pyqtSignal(float, int)
    done = pyqtSignal(object)
    ended = pyqtSignal(bool)

    def __init__(self, make_unmasker: MakeUnmasker, parent: QObject | None = None) -> None:
        super().__init__(parent)
        self._make = make_unmasker
        self._thread: Background | None = None
        self._cancel = threading.Event()
        self._writing = False  # a file that is unfinished
        self._last_told = 0.0

    @property
    def busy(self) -> bool:
        """Is anything being worked on?"""
        return self._thread is not None and self._thread.busy

    def add(self, paths: Sequence[Path], settings: Settings) -> None:
        """Unmask these, after those that were added before."""
        if self._thread is None:
            self._thread = Background("window files", self)
        if self._cancel.is_set():  # those before: they still have to see it
            self._cancel = threading.Event()
        files, cancel = tuple(paths), self._cancel
        self._thread.run(lambda: self._work(files, settings, cancel), self._end, self._failed)

    def cancel(self) -> None:
        """Stop after the frame under way; nothing of an unfinished file remains."""
        self._cancel.set()

    def close(self, timeout_s: float) -> bool:
        """Cancel and end the thread; False: it is stuck.

        What is unfinished of a file is waited for longer, until it is removed.
        """
        self._cancel.set()
        if self._thread is None:
            return True
        thread, self._thread = self._thread, None
        return thread.close(_REMOVE_S if self._writing else timeout_s)

    def _failed(self, error: Exception) -> None:
        self.done.emit(Done(Path(), None, error=problems.sentence(error)))
        self._end(False)

    def _end(self, cancelled: bool) -> None:
        if not self.busy:  # else the end of the last ones tells of these too
            self.ended.emit(cancelled)

    # On the thread

    def _work(self, paths: tuple[Path, ...], settings: Settings, cancel: threading.Event) -> bool:
        """Was it cancelled?"""
        if cancel.is_set():
            return True
        self.began.emit(paths[0], 1, len(paths))
        with self._make(settings) as unmasker:
            for number, path in enumerate(paths, start=1):
                if cancel.is_set():
                    break
                self.began.emit(path, number, len(paths))
                self._writing = True
                try:
                    self.done.emit(self._one(path, unmasker, cancel))
                except _Cancelled:
                    break
                except (UnmaskError, OSError) as error:  # OSError: a name that is too long, say
                    self.done.emit(Done(path, None, error=_why(path, error)))
                finally:
                    self._writing = False
        return cancel.is_set()

    def _one(self, path: Path, unmasker: Unmasker, cancel: threading.Event) -> Done:
        from realtime_unmask.capture.images import SUFFIXES

        if path.is_dir():
            raise MediaUnsupported(
                f"{path} is a folder. Drop files, or use the command `realtime-unmask image`."
            )
        if path.suffix.lower() in SUFFIXES | _PHOTOS_TOO:
            return self._photo(path, unmasker)
        return self._video(path, unmasker, cancel)

    def _photo(self, path: Path, unmasker: Unmasker) -> Done:
        from realtime_unmask.pipeline.photo import convert_photo

        report = convert_photo(path, free_name(path, ".png"), unmasker.process, replace=False)
        result = report.result
        return Done(
            path,
            report.output,
            painted=int(result.map is not None),
            faces=int(bool(result.faces)),
            frames=1,
            photo=result,
        )

    def _video(self, path: Path, unmasker: Unmasker, cancel: threading.Event) -> Done:
        from realtime_unmask.pipeline.convert import convert_video, suffix_for

        def progress(so_far: Progress) -> None:
            if cancel.is_set():
                raise _Cancelled("cancelled")
            self._tell(so_far)

        target = free_name(path, suffix_for(path))
        report = convert_video(path, target, unmasker, progress=progress)
        return Done(
            path, report.output, report.frames_painted, report.frames_with_face, report.frames
        )

    def _tell(self, progress: Progress) -> None:
        now = time.monotonic()
        if now - self._last_told < _TELL_EVERY_S:
            return
        self._last_told = now
        share = progress.position_s / progress.total_s if progress.total_s else -1.0
        self.progressed.emit(min(share, 1.0), progress.frames)


def _why(path: Path, error: Exception) -> str:
    """Why `path` failed: a sentence."""
    if isinstance(error, OSError):  # met by us: those of the conversion are UnmaskErrors
        error = OutputError(f"There can be no result beside {path.name} ({error.strerror}).")
    return problems.sentence(error)


def free_name(source: Path, suffix: str) -> Path:
    """A name beside `source` that is not taken: NAME-unmasked.EXT, NAME-unmasked-2.EXT, ..."""
    from realtime_unmask.sinks.partial import partial_of

    number = 1
    while True:
        end = "" if number == 1 else f"-{number}"
        path = source.with_name(f"{source.stem}-unmasked{end}{suffix}")
        if not path.exists() and not partial_of(path).exists():
            return path
        number += 1
