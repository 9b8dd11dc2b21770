"""An instance name on the network, and what to do when somebody else has it too (HAP 11.3, RFC 6762 9)."""

from __future__ import annotations

from enum import Enum

from attrs import define

from hapcore.discovery import ServiceRecord, host_label, instance_name

__all__ = ["DEFENCE_SECONDS", "Claim", "Decision"]

#: Seconds for which a name is defended against somebody who should yield. Who takes it later still, keeps it.
DEFENCE_SECONDS = 2.0


class Decision(Enum):
    """What to do about a name that was heard."""

    IGNORE = "ignore"
    DEFEND = "defend"
    YIELD = "yield"


@define
class Claim:
    """The name that an accessory goes by; `attempt` counts the names tried (see `instance_name`)."""

    record: ServiceRecord
    attempt: int
    _contested: float | None = None
    _given_up: bool = False

    @property
    def name(self) -> str:
        """The instance name."""
        return instance_name(self.record.name, self.attempt)

    @property
    def host(self) -> str:
        """The host it is on, with the domain."""
        return f"{host_label(self.record.device_id)}.local."

    def heard(self, name: str, host: str, now: float) -> Decision:
        """Somebody announces a service of this instance name on this host.

        Of two that hear each other one has to yield and one to stay, without a word between them: the host that comes
        first in the alphabet yields at once. The other announces again, asks after 2 s who has the name, and yields to
        whoever says so still: it is one that never yields. Each of both is said once of a claim, however often the
        name is heard: another name is another claim.
        """
        if self._given_up or name.casefold() != self.name.casefold() or host.casefold() == self.host.casefold():
            return Decision.IGNORE
        if self._contested is None:
            self._contested = now
            self._given_up = self.host.casefold() < host.casefold()
            return Decision.YIELD if self._given_up else Decision.DEFEND
        self._given_up = now - self._contested > DEFENCE_SECONDS
        return Decision.YIELD if self._given_up else Decision.IGNORE
