"""What we serve to a foreign controller."""

from __future__ import annotations

from hapcore.catalogue import services
from hapcore.model.accessory import Accessory
from hapcore.model.characteristic import Characteristic, CharacteristicType
from hapcore.model.metadata import Format, Metadata, Permission

ECHO = CharacteristicType(
    "Echo",
    "C0FFEE00-0000-4000-8000-0000000000E0",
    Metadata(Format.STRING, (Permission.READ, Permission.WRITE, Permission.WRITE_RESPONSE)),
    str,
)


class Lamp:
    """The accessory that is served: a light with an echo, a button and a lock."""

    def __init__(self) -> None:
        self.light = services.Lightbulb(on=False, brightness=40)
        self.button = services.StatelessProgrammableSwitch()
        self.lock = services.LockMechanism()
        self.written: list[tuple[str, object]] = []
        self.identified = 0
        self.on, self.brightness = self.light.on, self.light.brightness
        self.press = self.button.programmable_switch_event
        target = self.lock.lock_target_state
        self.lock_target = target
        self.echo = self.light.add(Characteristic(ECHO, ""))
        self.on.setter(lambda value, _caller: self.written.append(("on", value)))
        self.echo.setter(lambda value, _caller: value[::-1])
        self.accessory = Accessory("Bench", services=[self.light, self.button, self.lock])

        @self.accessory.identify
        def identify() -> None:
            self.identified += 1
