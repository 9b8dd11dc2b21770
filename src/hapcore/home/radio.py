"""Accessories over Bluetooth LE: one engine for each, which connects by itself; and who listens to the air."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, cast

from hapcore.ble.advert import EncryptedAdvert, RegularAdvert, parse_manufacturer_data
from hapcore.ble.controller.discovery import Gallery, discovered
from hapcore.ble.controller.effects import Scan
from hapcore.ble.controller.events import AvailabilityChanged, DatabaseChanged, PairingForgotten
from hapcore.ble.controller.inputs import Advertisement, GattResult
from hapcore.ble.controller.peer import Peer
from hapcore.ble.controller.states import Link as State
from hapcore.ble.controller.telling import cache_key
from hapcore.discovery import DiscoveredAccessory
from hapcore.engine import Command, ConnectionId, Effect, Event, Forget, Output, Persist
from hapcore.entropy import Entropy
from hapcore.errors import Disconnected, EffectFailed, PairingRefused
from hapcore.home.effects import Via
from hapcore.home.link import Carrier, Keeper, Link, LinkState
from hapcore.home.links import Links
from hapcore.home.procedure import Agenda
from hapcore.home.seeking import Seeking
from hapcore.pairing.records import Pairing

__all__ = ["PeerLink", "Radio"]

_NOWHERE: Final = ("", 0)


class PeerLink(Link):
    """An accessory over Bluetooth LE: there from the beginning, over all its links."""

    __slots__ = ("device_id", "found", "listens", "peer", "peers")

    def __init__(self, number: ConnectionId, agenda: Agenda, peer: Peer, peers: dict[ConnectionId, PeerLink]) -> None:
        super().__init__(number, _NOWHERE, (), agenda)
        self.peers = peers
        peers[number] = self
        self.carrier = cast("Carrier", peer)  # all but the inputs of byte streams
        self.peer = peer
        self.device_id = peer.device_id
        self.state = LinkState.OPEN
        self.listens = False
        #: As it was heard last: who is connected advertises to nobody, and is there all the same.
        self.found: DiscoveredAccessory | None = None

    @property
    def secured(self) -> bool:
        """Whether there is a verified session at the moment."""
        return self.state is LinkState.OPEN and self.peer.link is State.SECURED

    @property
    def linked(self) -> bool:
        """Whether it is connected."""
        return self.peer.link in (State.CLEAR, State.SECURED)

    def fits(self, command: Command[Any]) -> bool:
        """Whatever a command counts on, the peer fetches it."""
        del command
        return True

    def inform(self, keeper: Keeper, event: Event) -> None:
        """Have who watches over it know what it says."""
        if isinstance(event, AvailabilityChanged):
            if event.reachable:
                keeper.reached()
            else:
                keeper.lost(event.reason or Disconnected("the accessory is not heard"))
        elif isinstance(event, DatabaseChanged):
            keeper.restocked()
        elif isinstance(event, PairingForgotten):
            keeper.lost(PairingRefused("the accessory says that nobody has paired it", error=2, step=4))
        else:
            keeper.told(event)

    def lost(self) -> None:
        """It is over."""
        super().lost()
        self.peers.pop(self.number, None)


class Radio:
    """The radio of a home. `knowledge` is what was stored of accessories, by the keys it is stored under."""

    def __init__(
        self,
        knowledge: dict[str, bytes],
        links: Links,
        seeking: Seeking,
        agenda: Agenda,
        emit: Callable[[Output], None],
        entropy: Entropy,
        peer: Callable[..., Peer] | None = None,
    ) -> None:
        self._make = peer or Peer
        self._knowledge = knowledge
        self._links = links
        self._seeking = seeking
        self._agenda = agenda
        self._emit = emit
        self._entropy = entropy
        self._peers: dict[ConnectionId, PeerLink] = {}
        self._gallery = Gallery()
        self._sought = self._on = False
        links.carry = self._carry
        seeking.others.append(self._seek)

    # --- accessories ----------------------------------------------------------------------------------------------

    def open(self, pairing: Pairing | None, device_id: str = "", *, tells_keys: bool = False) -> PeerLink:
        """An accessory that is paired, or (`device_id`) to be paired. It is connected when something is asked of it."""
        cache = None if pairing is None else self._knowledge.get(cache_key(pairing.accessory_id))
        peer = self._make(entropy=self._entropy, pairing=pairing, device_id=device_id, cache=cache)
        peer.tells_keys = tells_keys
        link = PeerLink(self._links.number(), self._agenda, peer, self._peers)
        self._links.add(link)
        heard = self._gallery.latest(peer.device_id)
        if heard is not None:  # a host may not tell of it again for some time
            link.found = self._gallery.find(peer.device_id)
            peer.receive_advertisement(*heard)
            self._links.collect(link)
        return link

    def forget(self, pairing: Pairing) -> None:
        """What was learnt with a pairing is of no use any more."""
        key = cache_key(pairing.accessory_id)
        if self._knowledge.pop(key, None) is not None:
            self._emit(Forget(key))

    def _carry(self, link: Link, effect: Effect) -> None:
        """What an accessory's engine wants done."""
        if isinstance(effect, Scan) and isinstance(link, PeerLink):
            link.listens = effect.on
            self._adjust()
        elif isinstance(effect, Persist):
            self._knowledge[effect.key] = effect.value
            self._emit(effect)
        elif isinstance(effect, Forget):
            self._knowledge.pop(effect.key, None)
            self._emit(effect)
        else:
            self._emit(Via(link.number, effect))

    # --- inputs ---------------------------------------------------------------------------------------------------

    def result(self, number: ConnectionId, result: GattResult, now: float) -> None:
        """See `Peer`; so for the rest."""
        if (link := self._peers.get(number)) is not None:
            link.peer.receive_gatt(result, now)
            self._links.collect(link)

    def indicated(self, number: ConnectionId, handle: int, now: float) -> None:
        if (link := self._peers.get(number)) is not None:
            link.peer.receive_indication(handle, now)
            self._links.collect(link)

    def lost(self, number: ConnectionId, now: float) -> None:
        if (link := self._peers.get(number)) is not None:
            link.peer.link_lost(now)
            self._links.collect(link)

    # --- the air --------------------------------------------------------------------------------------------------

    def _seek(self, wanted: bool) -> None:
        """Whether anybody wants to hear of everything."""
        self._sought = wanted
        if wanted:
            self._gallery = Gallery()  # all are told of anew
            for link in [link for link in self._peers.values() if link.linked]:
                if link.found is not None:
                    self._seeking.heard(link.found)
        self._adjust()

    def heard(self, advertisement: Advertisement, now: float) -> None:
        """Somebody advertises."""
        advert = parse_manufacturer_data(advertisement.manufacturer_data)
        if advert is None:
            return
        for link in self._concerned(advert):
            if isinstance(advert, RegularAdvert):
                link.found = discovered(advertisement, advert, link.peer.name)
            link.peer.receive_advertisement(advertisement, now)
            self._links.collect(link)
        if self._sought and (found := self._gallery.hear(advertisement, now)) is not None:
            self._seeking.heard(found)

    def _concerned(self, advert: RegularAdvert | EncryptedAdvert) -> list[PeerLink]:
        """Whose it is: hardly ever anybody's here, so it must not take long to see that."""
        if isinstance(advert, RegularAdvert):
            device_id = advert.device_id
            return [link for link in self._peers.values() if link.device_id == device_id]
        identifier = advert.identifier
        return [link for link in self._peers.values() if link.listens and link.peer.identifier == identifier]

    def failed(self, effect: Effect, reason: str, now: float) -> bool:
        """There is no listening. False if that was something else."""
        if not isinstance(effect, Scan):
            return False
        self._on = False
        listeners = [link for link in self._peers.values() if link.listens]
        for link in listeners:
            link.listens = False
        if self._sought:
            self._seeking.failed(EffectFailed(f"cannot listen for accessories: {reason}"))
        for link in listeners:
            link.peer.effect_failed(effect, reason, now)
            self._links.collect(link)
        return True

    def _adjust(self) -> None:
        wanted = self._sought or any(link.listens for link in self._peers.values())
        if wanted is not self._on:
            self._on = wanted
            self._emit(Scan(wanted))
