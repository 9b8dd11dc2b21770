"""What is said about bytes that came otherwise than they were sent."""

from __future__ import annotations

import pytest

from hapcore.testing.chance import seeded_bytes
from hapcore.testing.diagnosis import diagnose

SENT = seeded_bytes("diagnosis", 1000)


@pytest.mark.parametrize(
    ("got", "words"),
    [
        (SENT[:990], "the last 10 of 1000 bytes did not arrive"),
        (SENT[:500] + SENT[503:], "3 byte(s) are missing from byte 500 of 1000 on"),
        (SENT[:500] + SENT[400:], "bytes 400 to 499 arrived twice"),
        (SENT + SENT[900:], "100 byte(s) too many arrived after all 1000: bytes 900 to 999 again"),
        (SENT + b"what is this", "12 byte(s) too many arrived after all 1000: something never sent"),
        (SENT[500:] + SENT[:500], "bytes 500 and following arrived before bytes 0 to 499"),
        (SENT[:10] + SENT[40:45] + SENT[10:40] + SENT[45:], "bytes 40 to 44 arrived before bytes 10 to 39"),
        (SENT[:10] + b"??" + SENT[10:], "2 byte(s) that were not sent stand before byte 10 of 1000"),
        (SENT[:10] + bytes([SENT[10] ^ 1]) + SENT[11:], "byte 10 of 1000 was changed from"),
        (bytes(1000), "from byte 0 of 1000 on it is something else"),
    ],
)
def test_in_words(got, words):
    assert diagnose(SENT, got).startswith(words)


def test_nothing_to_say():
    assert diagnose(SENT, SENT) is None
    assert diagnose(b"", b"") is None
