"""A whole pair-setup and a whole pair-verify with fixed keys, byte for byte (HAP 13.7 and 13.8)."""

from __future__ import annotations

import hashlib

from tests.vectors.known import Table

from hapcore.crypto.frames import FrameOpener, FrameSealer
from hapcore.crypto.secret import Secret
from hapcore.pairing.items import Flags
from hapcore.pairing.records import ControllerIdentity, Identity, PairedController, Pairing
from hapcore.pairing.setup import CodeVerifier, PairSetupController, SetupDesk
from hapcore.pairing.verify import PairVerifyController, VerifyDesk

SPECIFICATION = Table("srp_specification")
SETUP = Table("pair_setup")
VERIFY = Table("pair_verify")
CODE = "518-08-582"
ACCESSORY = Identity("E1:91:1A:70:85:AA", Secret(b"\x22" * 32))
CONTROLLER = ControllerIdentity("3B1E7C4A-5F0D-4E2B-9A6C-1D2E3F405162", Secret(b"\x11" * 32))
PAIRED = PairedController(CONTROLLER.identifier.encode(), SETUP["controller LTPK"], admin=True)
PAIRING = Pairing(ACCESSORY.device_id, SETUP["accessory LTPK"], CONTROLLER.identifier, CONTROLLER.ltsk)


def entropy(label: str, size: int) -> bytes:
    draws = {
        "pair-setup.salt": Table("setup_code_verifier")["s"],
        "pair-setup.srp-a": SPECIFICATION["a"],
        "pair-setup.srp-b": SPECIFICATION["b"],
    }
    assert len(draws[label]) == size
    return draws[label]


def sha256(data: bytes | None) -> bytes:
    assert data is not None
    return hashlib.sha256(data).digest()


def desk() -> SetupDesk:
    return SetupDesk(ACCESSORY, CodeVerifier(CODE, entropy), entropy)


def test_pair_setup() -> None:
    assert ACCESSORY.ltpk == SETUP["accessory LTPK"]
    assert CONTROLLER.ltpk == SETUP["controller LTPK"]
    accessory = desk()
    controller = PairSetupController(entropy, identity=CONTROLLER, expected_id="e1:91:1a:70:85:aa")

    m1 = controller.m1()
    assert m1 == SETUP["M1"]
    m2 = accessory.receive("c", m1, paired=False, failed_attempts=0, now=0.0).reply
    assert m2 is not None
    assert len(m2) == 409
    assert sha256(m2) == SETUP["M2 sha256"]
    assert m2[5:260] + m2[262:391] == SETUP["B (base)"]
    assert controller.receive_m2(m2)
    m3 = controller.m3(CODE)
    assert len(m3) == 457
    assert sha256(m3) == SETUP["M3 sha256"]
    proved = accessory.receive("c", m3, paired=False, failed_attempts=0, now=0.0)
    assert proved.reply == SETUP["M4"]
    assert proved.proved
    m5 = controller.m5(SETUP["M4"])
    assert m5 == SETUP["M5"]
    done = accessory.receive("c", m5, paired=False, failed_attempts=0, now=0.0)
    assert done.reply == SETUP["M6"]
    assert done.pairing == PAIRED
    assert controller.finish(SETUP["M6"]) == PAIRING


def test_transient_keys() -> None:
    accessory = desk()
    controller = PairSetupController(entropy, identity=CONTROLLER)
    m1 = controller.m1() + b"\x13\x01" + bytes((Flags.TRANSIENT,))
    m2 = accessory.receive("c", m1, paired=False, failed_attempts=0, now=0.0).reply
    assert m2 is not None
    assert controller.receive_m2(m2)
    step = accessory.receive("c", controller.m3(CODE), paired=False, failed_attempts=0, now=0.0)
    assert step.transient is not None
    assert step.transient.read.reveal() == SETUP["transient S->C"]
    assert step.transient.write.reveal() == SETUP["transient C->S"]


def test_pair_verify() -> None:
    accessory = VerifyDesk(ACCESSORY, lambda _label, size: b"\x44" * size)
    controller = PairVerifyController(PAIRING, lambda _label, size: b"\x33" * size)
    m1 = controller.m1()
    assert m1 == VERIFY["M1"]
    table = {PAIRED.identifier: PAIRED}
    assert accessory.receive(m1, table).reply == VERIFY["M2"]
    m3 = controller.m3(VERIFY["M2"])
    assert m3 == VERIFY["M3"]
    step = accessory.receive(m3, table)
    assert step.reply == VERIFY["M4"]
    verified = controller.finish(VERIFY["M4"])
    assert step.session is not None
    assert step.session.controller is PAIRED
    assert step.session.shared_secret == verified.shared_secret == Secret(VERIFY["shared"])
    assert step.session.keys == verified.keys
    assert verified.keys.read.reveal() == VERIFY["read key (S->C)"]
    assert verified.keys.write.reveal() == VERIFY["write key (C->S)"]


def test_session() -> None:
    request = b"GET /accessories HTTP/1.1\r\nHost: Acme\\032Outlet._hap._tcp.local\r\n\r\n"
    answer = b"HTTP/1.1 204 No Content\r\n\r\n"
    long = bytes(i % 256 for i in range(1500))
    to_accessory = FrameSealer(Secret(VERIFY["write key (C->S)"]))
    to_controller = FrameSealer(VERIFY["read key (S->C)"])
    assert to_accessory.seal(request) == VERIFY["frame to accessory"]
    assert to_controller.seal(answer) == VERIFY["frame to controller"]
    frames = to_controller.seal(long)
    assert len(frames) == 1536
    assert frames[:2] == b"\x00\x04"
    assert frames[1042:1044] == b"\xdc\x01"
    assert frames[1026:1042].hex() == "6a4fb50991cc08ff9b9a92ead7f51d99"
    assert frames[-16:].hex() == "c82c3cbf2688fc8848316aa5f544de56"
    assert sha256(frames) == VERIFY["1500 bytes sha256"]
    opener = FrameOpener(VERIFY["read key (S->C)"])
    assert opener.feed(VERIFY["frame to controller"]) == answer
    assert opener.feed(frames) == long


def test_frame_with_counter_8() -> None:
    known = Table("frame_8")
    frame = len(known["plain"]).to_bytes(2, "little") + known["cipher"] + known["tag"]
    sealer, opener = FrameSealer(known["key"]), FrameOpener(known["key"])
    for _ in range(8):
        opener.feed(sealer.seal(b"before"))
    assert sealer.seal(known["plain"]) == frame
    assert opener.feed(frame) == known["plain"]
