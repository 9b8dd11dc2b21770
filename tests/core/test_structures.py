"""TLV8 values by name: what a controller reads of cameras and the like."""

from __future__ import annotations

from hapcore.catalogue.structures import Hidden, read_tlv
from hapcore.codec import tlv8

#: A phone starts a stream of 640 by 360.
START = bytes.fromhex(
    "0115020101 0110accc6cc1056345158da974b450900691 023401010002090101000201000301000 30b0102800202026801 03011e"
    "0417010163 02042beba152 03028400 04040000003f 05026205 032c010102020c010101020100030101 04011e"
    "031601016e 0204c5089e64 03021800 04040000a040 06010d 040100".replace(" ", "")
)


def test_a_selected_stream_by_name():
    assert read_tlv("117", START) == {
        "Session": {"Command": "start", "Id": "accc6cc1-0563-4515-8da9-74b450900691"},
        "Video": {
            "Codec": "H.264",
            "Parameters": {"Profile": "constrained baseline", "Level": "3.1", "Packetization": "non-interleaved"},
            "Resolution": {"Width": 640, "Height": 360, "Frame rate": 30},
            "RTP": {
                "Payload type": 99,
                "SSRC": 0x52A1EB2B,
                "Maximum bit rate": 132,
                "RTCP interval": 0.5,
                "Maximum MTU": 1378,
            },
        },
        "Audio": {
            "Codec": "AAC-ELD",
            "Parameters": {"Channels": 1, "Bit rate control": "variable", "Sample rate": "16 kHz", "Packet time": 30},
            "RTP": {
                "Payload type": 110,
                "SSRC": 0x649E08C5,
                "Maximum bit rate": 24,
                "RTCP interval": 5.0,
                "Comfort noise payload type": 13,
            },
            "Comfort noise": "off",
        },
    }


def test_several_of_a_kind_with_and_without_separators():
    sizes = [tlv8.encode([(1, tlv8.write_uint(width)), (2, b"\xf0")]) for width in (320, 640)]
    items = [(3, sizes[0]), (0, b""), (3, sizes[1])]
    separated = tlv8.encode([(1, tlv8.encode([(1, b"\x00"), *items]))])
    body = b"\x01\x01\x00" + b"".join(b"\x03%c" % len(one) + one for one in sizes)
    adjacent = b"\x01%c" % len(body) + body
    for data in (separated, adjacent):
        assert read_tlv("114", data) == {
            "Video codec": {
                "Codec": "H.264",
                "Resolution": ({"Width": 320, "Height": 240}, {"Width": 640, "Height": 240}),
            }
        }


def test_a_long_item_is_one():
    assert read_tlv("999", tlv8.encode([(1, bytes(600)), (2, b"\x01")])) == {"item 1": bytes(600), "item 2": b"\x01"}


def test_keys_do_not_show():
    key = bytes(range(16))
    found = read_tlv("118", tlv8.encode([(4, tlv8.encode([(1, b"\x00"), (2, key)]))]))
    assert found is not None
    srtp = found["Video SRTP"]
    assert srtp == {"Crypto suite": "AES_CM_128_HMAC_SHA1_80", "Master key": key}
    assert "<16 bytes>" in repr(srtp)
    assert f"{Hidden(key)}" == "<16 bytes>"
    assert key.hex() not in repr(srtp) + str(srtp)


def test_what_is_no_tlv8_and_what_is_cut_off():
    assert read_tlv("117", b"\x01") is None
    assert read_tlv("120", b"") == {}
    assert read_tlv("120", b"\x01\x05\x02") == {"Status": "unavailable"}
    assert read_tlv("120", b"\x01\x01\x09") == {"Status": 9}
    assert read_tlv("117", b"\x01\x01\x07") == {"Session": b"\x07"}


def test_an_answer_may_mean_something_else_than_a_request():
    said = tlv8.encode([(1, b"\x00"), (2, tlv8.encode([(1, b"\x39\x30")])), (3, bytes(32))])
    assert read_tlv("131", said, answer=True) == {
        "Status": "success",
        "Parameters": {"Port": 12345},
        "Accessory key salt": bytes(32),
    }
