"""`devices`: cameras, microphones and virtual cameras of this machine."""

from __future__ import annotations

import sys

from realtime_unmask.cli.common import ExitCode, say
from realtime_unmask.errors import CameraError


def devices() -> int:
    """List the cameras with what they offer, the microphones, and the virtual cameras."""
    from realtime_unmask.capture.devices import cameras, microphones, virtual_cameras

    say("Cameras (open one with: live --source IDENTITY)")
    try:
        found = cameras()
    except CameraError as error:
        found = ()
        say(f"  {error}")
    else:
        if not found:
            say("  none is connected")
    for camera in found:
        say(f"  {camera.name}")
        say(f"    {camera.identity}")
        say(f"    now {camera.device}")
        by_codec: dict[str, dict[str, None]] = {}
        for one in camera.formats:
            by_codec.setdefault(one.pixel_format, {})[str(one)] = None
        for codec, sizes in by_codec.items():
            say(f"    {codec}: {', '.join(sizes)}")
    say("Microphones")
    sound = microphones()
    for microphone in sound:
        say(f"  {microphone.name}")
    if not sound:
        say("  none, or PortAudio is missing (Debian: libportaudio2)")
    say("Virtual cameras")
    virtual = virtual_cameras()
    for device in virtual:
        say(f"  {device.name}: {device.identity}")
    if not virtual:
        say(f"  {_no_virtual_camera()}")
    return ExitCode.DONE


def _no_virtual_camera() -> str:
    if sys.platform.startswith("linux"):
        return (
            "none; sudo modprobe v4l2loopback devices=1 exclusive_caps=1 makes one, "
            "once v4l2loopback-dkms is installed"
        )
    return "they are found when one is switched on; OBS Studio brings one"
