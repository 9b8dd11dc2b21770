"""`hap pair`: its ways to name an accessory, its two phases, and what it says when it is refused."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from queue import SimpleQueue

import pytest
from tests.cli.here import CODE, LIMIT, done, lamp, paired, refused, run

from hapcore.codec import tlv8
from hapcore.pairing.items import Item, State, TlvErrorCode
from hapcore.setup_code import SetupCode, SetupPayload

WRONG = "111-22-334"
NOBODY = "12:34:56:78:9A:BC"
LOOPBACK = ("--interface", "127.0.0.1")


@contextmanager
def saying(*answers: bytes) -> Iterator[tuple[tuple[str, str], list[bytes]]]:
    """A host that answers one request after the other with these bytes; the options that lead there, the requests."""
    heard: list[bytes] = []
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(LIMIT)

        def live() -> None:
            left = list(answers)
            while left:
                try:
                    link, _ = server.accept()
                except OSError:
                    return  # nobody asked for the rest
                with link:
                    while left and (request := link.recv(65536)):
                        heard.append(request)
                        link.sendall(left.pop(0))

        thread = threading.Thread(target=live)
        thread.start()
        try:
            yield ("--address", f"127.0.0.1:{server.getsockname()[1]}"), heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(LIMIT)


def http(body: bytes, kind: str = "application/pairing+tlv8", status: str = "200 OK") -> bytes:
    return f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def refusal(error: TlvErrorCode, *more: tuple[int, bytes]) -> bytes:
    return http(tlv8.encode([(Item.STATE, bytes((State.M2,))), (Item.ERROR, bytes((error,))), *more]))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (refusal(TlvErrorCode.UNAVAILABLE), ["paired already", "one of its admins", "hap pairings prepare"]),
        (refusal(TlvErrorCode.BUSY), ["pairing with another controller", "half a minute"]),
        (refusal(TlvErrorCode.MAX_TRIES), ["too many wrong codes", "off and on", "reset"]),
        (refusal(TlvErrorCode.BACKOFF, (Item.RETRY_DELAY, b"\x3c\x00")), ["wants a pause", "wait 60 s"]),
        (refusal(TlvErrorCode.BACKOFF), ["wants a pause"]),
        (refusal(TlvErrorCode.MAX_PEERS), ["no room for another pairing"]),
        (refusal(TlvErrorCode.AUTHENTICATION), ["certified (MFi) controllers only", "-s hw takes the other method"]),
        (refusal(TlvErrorCode.UNKNOWN), ["no reason", "-s hw takes the other method"]),
        (http(b"", status="429 Too Many Requests"), ["busy"]),
        (
            http(b"<html>Log in</html>", "text/html"),
            ["expected TLV items", "got a web page", "is this the accessory's port?"],
        ),
        (http(b"<html>No</html>", "text/html", "403 Forbidden"), ["HTTP status 403 Forbidden"]),
        (http(b"", status="500 Oh\x1b[2J"), ["malformed status line"]),
        (http(b"", status="500 Oh\u202e no"), ["HTTP status 500"]),
        (b"SSH-2.0-OpenSSH_9.6\r\n", ["expected"]),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ["connection"]),
        (b"", ["connection"]),
    ],
)
def test_refusals(answer, words, tmp_path):
    with saying(answer) as (where, _):
        said = refused("pair", *where, "-p", CODE, "-a", "lamp", "-f", tmp_path / "p.json")
    for word in words:
        assert word in said
    assert not (tmp_path / "p.json").exists()


@pytest.mark.parametrize(("method", "sent"), [("auto", 0), ("sw", 0), ("hw", 1)])
def test_the_method(method, sent, tmp_path):
    with saying(refusal(TlvErrorCode.AUTHENTICATION)) as (where, heard):
        said = refused("pair", *where, "-p", CODE, "-s", method, "-a", "lamp", "-f", tmp_path / "p.json")
    assert tlv8.first(tlv8.decode(heard[0].partition(b"\r\n\r\n")[2]), Item.METHOD) == bytes((sent,))
    assert f"-s {'sw' if sent else 'hw'} takes the other method" in said


def test_a_real_lamp_refuses(tmp_path):
    with lamp() as one:
        pair = ("pair", *one.where, "-f", tmp_path / "p.json", "-p")
        said = refused(*pair, WRONG, "-a", "lamp")
        assert "the setup code is wrong" in said
        assert WRONG not in said
        done(*pair, CODE, "-a", "lamp")
        assert "paired already" in refused(*pair, CODE, "-a", "again")
        assert "'lamp' is taken" in refused(*pair, CODE, "-a", "lamp")
        done("pairings", "prepare", "-a", "guest", "-f", tmp_path / "p.json")
        half = refused(*pair, CODE, "-a", "guest")
        assert "hap pairings finish -a guest" in half
        assert "hap unpair -a guest" in half


@pytest.mark.parametrize("code", ["12", "031-45-1545", "031-45-15x", "٠٣١-٤٥-١٥٤", ""])
def test_what_is_no_code(code, tmp_path):
    said = refused("pair", "--address", "127.0.0.1:1", "-p", code, "-a", "lamp", "-f", tmp_path / "p.json", code=2)
    assert "a setup code has eight digits, as in 031-45-154" in said


@pytest.mark.parametrize(
    ("qr", "said"),
    [
        ("nonsense", "a setup payload is X-HM://"),
        ("X-HM://0052XACGQ7O", "13 letters or digits"),
        (SetupPayload(None, "7OSX", 5, paired=True).uri(), "says that its accessory is paired"),
        (SetupPayload(SetupCode(CODE), None, 5).uri(), "does not say which accessory"),
    ],
)
def test_what_is_no_qr_code(qr, said, tmp_path):
    assert said in refused("pair", "--qr", qr, "-a", "lamp", "-f", tmp_path / "p.json", code=2)


def test_ways_to_name_an_accessory(tmp_path):
    for more in ((), ("-d", NOBODY, "--address", "h:1"), ("-m", NOBODY, "-d", NOBODY)):
        assert "Give one of" in refused("pair", "-a", "lamp", "-f", tmp_path / "p.json", *more, code=2)
    assert "An alias says enough" in refused("identify", "-a", "lamp", "-d", NOBODY, code=2)
    said = refused("identify", "-d", NOBODY, "-t", "0.1", *LOOPBACK)
    assert f"{NOBODY} was not seen on the network within 0.1 s (is it switched on" in said


def test_by_its_qr_code(tmp_path):
    """What the label says is enough, and a second accessory nearby is not taken for it."""
    with lamp(mdns=True) as one, lamp(mdns=True) as other:
        uri = one.server.setup_uri
        file = ("-a", "lamp", "-f", tmp_path / "p.json")
        done("pair", "--qr", uri.lower(), *file, *LOOPBACK)
        assert one.server.paired
        assert not other.server.paired
        done("unpair", *file)
        # Without a code in it, or with somebody who knows better, the rest is asked for and believed.
        payload = SetupPayload.parse(uri)
        bare = SetupPayload(None, payload.setup_id, payload.category).uri()
        asked = run("pair", "--qr", bare, *file, *LOOPBACK, stdin=f"{CODE}\n")
        assert (asked.exit_code, one.server.paired) == (0, True)
        done("unpair", *file)
        no_id = SetupPayload(SetupCode(CODE), None, 5).uri()
        done("pair", "--qr", no_id, "-d", other.device_id, *file, *LOOPBACK)
        assert other.server.paired


def test_a_code_on_a_display(tmp_path):
    """It is shown only once pairing has begun, and asked for until it has the form of one."""
    shown: SimpleQueue[str | None] = SimpleQueue()
    with lamp(setup_code=None, show_code=shown.put) as one:
        asked: list[str | None] = []

        def typed() -> str:
            if not asked:
                asked.append(shown.get(timeout=LIMIT))  # the display and the answer come from another thread
                return "12"
            asked.append(asked[0])
            return str(asked[0])

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("hap_trio.cli.asking.click.prompt", lambda *_, **__: typed())
            result = run("pair", *one.where, "-a", "lamp", "-f", tmp_path / "p.json")
        assert result.exit_code == 0, result.output
        assert "a setup code has eight digits" in result.stderr
        assert len(asked) == 2
        assert one.server.paired


def test_half_made_pairings(tmp_path):
    with paired(tmp_path) as (one, known):
        guest = ("-a", "guest", "-f", tmp_path / "guest.json")
        done("pairings", "prepare", *guest)
        assert "only prepared" in refused("get", *guest, "-c", "1.9")
        assert "only prepared" in refused("pairings", "list", *guest)
        key = one.server.device_id
        early = refused("pairings", "finish", *guest, *one.where, "-i", key, "-k", "11" * 32)
        assert "guest stays prepared: finish it later, or drop it with `hap unpair -a guest`" in early
        assert "is not paired any more" in done("unpair", *guest)
        assert "no pairing called 'guest' is prepared" in refused(
            "pairings", "finish", *guest, "-i", key, "-k", "11" * 32
        )
        for bad in ("12", "x" * 64, "11" * 33):
            said = refused("pairings", "finish", *guest, "-i", key, "-k", bad, code=2)
            assert "a public key has 64 hexadecimal digits" in said
        assert "is taken" not in done("get", *known, "-c", str(one.light.on.id))
