"""Frame -> FrameResult: no threads, no files, the same every time."""
