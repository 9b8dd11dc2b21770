"""A camera that gives pictures: `python camera.py COMMAND...`, until Ctrl-C. The command prints a JPEG, for example

    python camera.py ffmpeg -v error -f v4l2 -i /dev/video0 -frames:v 1 -vf scale={width}:{height} -f mjpeg -

Whoever asks at the same time, or soon after, shares one picture: ten phones in a house are no reason for ten pictures.
Live video is another protocol, and not here; the streaming status says so.
"""

import math
import subprocess
import sys

import trio

import hap_trio
from hapcore.accessory import Accessory, Caller, Category, HapStatus, HapStatusError, SnapshotWanted
from hapcore.catalogue.services import CameraRTPStreamManagement

#: Seconds: how long a picture is new, and how long the command may take. Controllers wait for ten.
FRESH, PATIENCE = 2.0, 8.0
#: Item 1 of a streaming status; 2 stands for "unavailable".
NO_VIDEO = bytes([1, 1, 2])

video = CameraRTPStreamManagement(streaming_status=NO_VIDEO)
camera = Accessory("Garden", services=[video], category=Category.IP_CAMERA)


class Lens:
    """Takes pictures one at a time, by a command."""

    def __init__(self, command: list[str]) -> None:
        self.command, self.turn = command, trio.Lock()
        self.picture, self.taken = b"", -math.inf

    async def look(self, wanted: SnapshotWanted, _caller: Caller) -> bytes:
        async with self.turn:
            if trio.current_time() >= self.taken + FRESH:
                self.picture, self.taken = await self.take(wanted), trio.current_time()
            return self.picture

    async def take(self, wanted: SnapshotWanted) -> bytes:
        size = {"{width}": str(wanted.width), "{height}": str(wanted.height)}
        command = self.command
        for mark, number in size.items():
            command = [one.replace(mark, number) for one in command]
        try:
            with trio.fail_after(PATIENCE):
                return (await trio.run_process(command, capture_stdout=True)).stdout
        except trio.TooSlowError:
            raise HapStatusError(HapStatus.TIMED_OUT) from None
        except (OSError, subprocess.CalledProcessError) as error:
            print("no picture:", error)
            raise HapStatusError(HapStatus.UNABLE_TO_COMMUNICATE) from None


async def main(command: list[str]) -> None:
    camera.snapshot(Lens(command).look)
    await hap_trio.serve(camera, state="camera.json")


if __name__ == "__main__":
    trio.run(main, sys.argv[1:] or sys.exit("which command prints a JPEG?"))
