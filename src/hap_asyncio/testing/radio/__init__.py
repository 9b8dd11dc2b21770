"""A virtual radio: accessories on Bumble and unmodified bleak code meet in one process, without hardware.

async with open_air() as air:
    peripheral = await air.peripheral()
    backend = await air.bleak()
    async with BleakClient(found, backend=backend.client) as client: ...
"""

from .air import Air, Bleak, open_air

__all__ = ["Air", "Bleak", "open_air"]
