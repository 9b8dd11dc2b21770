"""A filter for `hap proxy`: a lamp that is never brighter than 60 %, and that a home hub cannot switch on.

hap proxy lamp --filter proxy_filter.py
"""

from hapcore.ids import Caller, HapStatus, Value
from hapcore.model.characteristic import HapStatusError

#: As `hap accessories -a lamp` lists them.
ON, BRIGHTNESS = (1, 9), (1, 10)
LIMIT = 60


def to_accessory(aid: int, iid: int, value: Value, caller: Caller) -> Value:
    """What the accessory is to get for a value that a controller writes."""
    if (aid, iid) == ON and value and caller.remote:
        raise HapStatusError(HapStatus.INSUFFICIENT_PRIVILEGES)
    if (aid, iid) == BRIGHTNESS and isinstance(value, int):
        return value * LIMIT // 100
    return value


async def to_controller(aid: int, iid: int, value: Value) -> Value:
    """What a controller is to see for a value of the accessory; it may take its time."""
    if (aid, iid) == BRIGHTNESS and isinstance(value, int):
        return min(100, value * 100 // LIMIT)
    return value
