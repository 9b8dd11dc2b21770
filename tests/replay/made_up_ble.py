"""Recordings over Bluetooth LE that nobody made: our own accessory is recorded in the form of the others' recordings.

What our engine says in them is no proof of anything. They show that the player concludes what it has to, and sees what
is changed.
"""

from __future__ import annotations

from tests.core.ble_rig import ADMIN, CODE, DEVICE_ID, USER, Central, Refused, Rig

from hapcore.ble.accessory import SetAdvertisement
from hapcore.ble.advert import RegularAdvert
from hapcore.crypto.frames import session_keys

#: Recorded handles are other numbers than ours.
_FACTOR = 10


class Tape(Rig):
    """An accessory with a recorder; begin with `case()`."""

    def __init__(self, *, app: str = "bench", **settings: object) -> None:
        self.cases: list[dict] = []
        self.app = app
        self.draws: list[bytes] = []
        self._heard = self._indicated = 0
        settings.setdefault("max_body", 2048)
        super().__init__(people=(), start=False, **settings)
        original = self.engine.entropy
        self.entropy = self._remember(original)

    def _remember(self, entropy):
        def remembering(label, length):
            self.draws.append(entropy(label, length))
            return self.draws[-1]

        for owner in (self.engine, self.engine.setup_desk):
            for name in ("entropy", "_entropy"):
                if hasattr(owner, name):
                    setattr(owner, name, remembering)
        return remembering

    def begin(self) -> None:
        """Power on, in the first case."""
        self.case("advertising after start")
        self.engine.start(self.now)
        self.pump()

    def case(self, name: str, note: str = "") -> None:
        self.cases.append({"name": name, "note": note, "sessions": [], "log": []})

    def log(self, **record: object) -> dict:
        found = {"t": round(self.now - 100, 4), **record}
        self.cases[-1]["log"].append(found)
        return found

    def clear(self) -> None:
        self._heard = self._indicated = 0
        super().clear()

    def pump(self) -> None:
        super().pump()
        if not self.cases:
            return
        for advert in self.adverts[self._heard :]:
            self._log_advert(advert)
        for handle in self.indications[self._indicated :]:
            self.log(op="indication", handle=handle * _FACTOR, raw="")
        self._heard, self._indicated = len(self.adverts), len(self.indications)

    def _log_advert(self, advert) -> None:
        at = round(self.now - 100, 4)
        if not isinstance(advert, SetAdvertisement):
            self.log(op="advertising", at=at, on=False)
            return
        found = self.on_air
        record = self.log(
            op="advertising",
            at=at,
            on=True,
            interval_ms=advert.interval * 1000,
            ad=advert.data.hex(),
            scan_response=advert.scan_response.hex(),
        )
        if isinstance(found, RegularAdvert):
            record["regular"] = {"gsn": found.gsn}
        else:
            event = self.engine.advertiser._broadcast
            plain = event.number.to_bytes(2, "little") + event.iid.to_bytes(2, "little")
            record["encrypted"] = {"plain": (plain + event.value.ljust(8, b"\0")).hex()}

    def edit(self, number: int) -> None:
        """Another state number is written into the store, and the accessory restarted."""
        self.store["ble/state-number"] = b"%d 0" % number
        self.restart()
        self.entropy = self._remember(self.entropy)

    def connect(self, limit: int = 512) -> Recorded:
        self.log(op="connect", max_read=limit, max_write=limit)
        self._central = Recorded(self, limit)
        return self._central

    def end(self) -> None:
        """The accessory has dropped the link."""
        assert self.dropped
        self._central.close()

    def recording(self) -> dict:
        gatt = [
            {
                "iid": service.iid,
                "iid_handle": service.iid_handle * _FACTOR,
                "characteristics": [
                    {
                        "iid": one.iid,
                        "handle": one.handle * _FACTOR,
                        **({"ccc": one.handle * _FACTOR + 1} if one.indicates else {}),
                    }
                    for one in service.characteristics
                ],
            }
            for service in self.engine.gatt
        ]
        draws = [data.hex() for data in self.draws]
        return {
            "format": "hap-ble-capture-1",
            "name": "made up",
            "accessory": {
                "app": self.app,
                "device_id": DEVICE_ID,
                "setup_code": CODE.text,
                "setup_id": "ADK1",
                "srp_salt": self.engine.stored.setup.verifier.salt.hex(),
                "ltsk_seed": self.engine.stored.identity.ltsk.reveal().hex(),
                "ltpk": self.engine.stored.identity.ltpk.hex(),
            },
            "controllers": [
                {
                    "id": one.identifier.decode(),
                    "ltsk_seed": one.pairing.controller_ltsk.reveal().hex(),
                    "ltpk": one.paired.ltpk.hex(),
                }
                for one in (ADMIN, USER)
            ],
            "gatt": gatt,
            "cases": [{**case, "pair_verify": [{"accessory_random": draws}]} for case in self.cases],
        }


class Recorded(Central):
    """A link that is recorded."""

    def __init__(self, rig: Tape, limit: int) -> None:
        self._plain: bytes | None = None
        self._last: dict = {}
        super().__init__(rig, limit)

    def write(self, iid: int, fragment: bytes) -> None:
        self._plain = fragment if self.secured else None
        super().write(iid, fragment)

    def write_raw(self, iid: int, data: bytes) -> None:
        plain, self._plain = self._plain, None
        record = self.rig.log(op="write", handle=self.handle(iid) * _FACTOR, iid=iid, raw=data.hex())
        if plain is not None:
            record["plain"] = plain.hex()
        try:
            super().write_raw(iid, data)
        except Refused:
            record["att_error"] = 4
            raise

    def read_raw(self, iid: int) -> bytes:
        record: dict = {
            "t": round(self.rig.now - 100, 4),
            "op": "read",
            "handle": self.handle(iid) * _FACTOR,
            "iid": iid,
        }
        try:
            data = super().read_raw(iid)
        except Refused:
            self.rig.cases[-1]["log"].append({**record, "att_error": 17})
            raise
        record["raw"] = data.hex()
        self.rig.cases[-1]["log"].append(record)
        self._last = record
        return data

    def read(self, iid: int) -> bytes:
        counter = self.read_cipher.counter if self.read_cipher else None
        plain = super().read(iid)
        if counter is not None:
            self._last.update(plain=plain.hex(), counter=counter, encrypted=True)
        return plain

    def receive(self, iid: int, tid: int | None = None) -> tuple[int, bytes]:
        status, body = super().receive(iid, tid)
        self._last["result"] = {"status": status, "body": body.hex()}
        return status, body

    def answered(self, iid: int, status: int, body: bytes) -> None:
        self._last["result"] = {"status": status, "body": body.hex()}

    def subscribe(self, iid: int, enabled: bool = True) -> None:
        raw = "0200" if enabled else "0000"
        self.rig.log(op="write", handle=self.handle(iid) * _FACTOR + 1, raw=raw)
        super().subscribe(iid, enabled)

    def secure(self, shared) -> None:
        super().secure(shared)
        sessions = self.rig.cases[-1]["sessions"]
        sessions.append({"a2c": session_keys(shared.reveal()).read.reveal().hex()})
        self.rig.log(op="secured", session=len(sessions) - 1)

    def close(self) -> None:
        self.rig.log(op="disconnected", by="accessory" if self.rig.dropped else "central")
        self.rig.dropped = False
        super().close()
