"""What is known of Apple's accessory beyond the collected recordings, written as recordings (HAP 8, 9, 10.5)."""

from __future__ import annotations

import pytest
from tests.replay.made_up import DONE, Recording, get, http, put, values
from tests.replay.recordings import to_accessory

MULTI = "HTTP/1.1 207 Multi-Status"
BAD = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
ON, BRIGHTNESS, UINT8, UINT32, UINT64, INT, FLOAT = 0x33, 0x34, 0x52, 0x54, 0x55, 0x56, 0x57
STRING, DATA, TLV8, LONG, FREE, WRITE_ONLY, READ_ONLY = 0x58, 0x59, 0x5A, 0x5B, 0x5C, 0x63, 0x64
ADMIN_ONLY, TIMED, VALID_VALUES, VALID_RANGES, POINT = 0x66, 0x67, 0x6B, 0x6C, 0x62


def found(*exchanges):
    made = Recording()
    line = made.line()
    for request, answer in exchanges:
        line.ask(request)
        line.hears(answer)
    return [one.reason for one in to_accessory(made.script()).differences]


def body(text, path="/characteristics", method="PUT"):
    head = f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/hap+json"
    return f"{head}\r\nContent-Length: {len(text.encode())}\r\n\r\n{text}"


def write(iid, value):
    return body(f'{{"characteristics":[{{"aid":1,"iid":{iid},"value":{value}}}]}}')


def status(iid, code):
    return http(MULTI, {"characteristics": [{"aid": 1, "iid": iid, "status": code}]})


INVALID = -70410


@pytest.mark.parametrize(
    ("iid", "value", "answer", "read"),
    [
        (UINT8, "15", DONE, 15),
        (UINT8, "200", DONE, 200),
        (UINT8, "16", INVALID, None),
        (UINT8, "205", INVALID, None),
        (UINT8, "5", INVALID, None),
        (UINT8, "-10", INVALID, None),
        (UINT8, "15.0", INVALID, None),
        (UINT8, '"15"', INVALID, None),
        (UINT8, "true", INVALID, None),
        (UINT8, "1e1", BAD, None),
        (UINT8, "015", BAD, None),
        (UINT8, "null", BAD, None),
        (UINT8, "[15]", BAD, None),
        (UINT8, "{}", BAD, None),
        (BRIGHTNESS, "true", DONE, 1),
        (BRIGHTNESS, "101", INVALID, None),
        (UINT32, "4000000000", DONE, 4000000000),
        (UINT32, "4000000001", INVALID, None),
        (UINT64, "18446744073709551615", DONE, 18446744073709551615),
        (UINT64, "18446744073709551616", BAD, None),
        (UINT64, "-1", INVALID, None),
        (INT, "-100", DONE, -100),
        (INT, "-105", INVALID, None),
        (INT, "-2147483648", INVALID, None),
        (FLOAT, "1", DONE, 1),
        (FLOAT, "-0.3", DONE, -0.3),
        (FLOAT, "0.1001", DONE, 0.1),
        (FLOAT, "0.15", INVALID, None),
        (FLOAT, "1.6", INVALID, None),
        (FLOAT, "true", DONE, 1),
        (FREE, "1.0e+20", DONE, 1e20),
        (FREE, "1e38", BAD, None),
        (FREE, "1e-07", BAD, None),
        (FREE, "1.0e-07", DONE, 1e-07),
        (FREE, "NaN", BAD, None),
        (ON, "true", DONE, 1),
        (ON, "1", DONE, 1),
        (ON, "2", INVALID, None),
        (ON, "1.0", INVALID, None),
        (ON, '"true"', INVALID, None),
        (STRING, '"' + 64 * "a" + '"', DONE, 64 * "a"),
        (STRING, '"' + 65 * "a" + '"', INVALID, None),
        (STRING, '"' + 32 * "é" + '"', DONE, 32 * "é"),
        (STRING, '"' + 33 * "é" + '"', INVALID, None),
        (STRING, '"a\tb"', DONE, "a\tb"),
        (STRING, r'"\u00e9\u20ac\ud83d\ude00"', DONE, "é€😀"),
        (STRING, r'"a\u0000b"', DONE, "a"),
        (STRING, r'"\ud83d"', BAD, None),
        (STRING, "5", INVALID, None),
        (LONG, '"' + 256 * "a" + '"', DONE, 256 * "a"),
        (LONG, '"' + 257 * "a" + '"', INVALID, None),
        (DATA, '"AQID"', DONE, "AQID"),
        (DATA, '""', DONE, ""),
        (DATA, '"AQI"', INVALID, None),
        (DATA, '"AQI="', DONE, "AQI="),
        (DATA, '"_-8="', INVALID, None),
        (DATA, r'"AQ\nID"', INVALID, None),
        (DATA, "5", INVALID, None),
        (TLV8, '"AQEF"', DONE, "AQEF"),
        (TLV8, '"AQUB"', INVALID, None),
        (VALID_VALUES, "3", DONE, 3),
        (VALID_VALUES, "2", INVALID, None),
        (VALID_RANGES, "10", DONE, 10),
        (VALID_RANGES, "4", INVALID, None),
        (READ_ONLY, "1", -70404, None),
        (999, "1", -70409, None),
        (TIMED, "true", INVALID, None),
        (0x11, "1", -70409, None),
    ],
)
def test_writes(iid, value, answer, read):
    exchanges = [(write(iid, value), answer if isinstance(answer, str) else status(iid, answer))]
    if read is not None:
        exchanges.append((get(f"1.{iid}"), values({"aid": 1, "iid": iid, "value": read})))
    assert not found(*exchanges)


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ('{"characteristics":[]}', BAD),
        ("{}", BAD),
        ('{"x":[]}', BAD),
        ("", BAD),
        ("[]", BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true}]} x', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true},]}', BAD),
        ('﻿{"characteristics":[{"aid":1,"iid":51,"value":true}]}', BAD),
        ('{"characteristics":[{"iid":51,"value":true}]}', BAD),
        ('{"characteristics":[{"aid":1,"value":true}]}', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"ev":2}]}', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"ev":"true"}]}', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"r":5}]}', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true}],"pid":1,"pid":1}', BAD),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"other":{"a":[1]}}],"more":null}', DONE),
        (' { "characteristics" : [ { "aid" : 1 , "iid" : 51 , "value" : true } ] } ', DONE),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"value":false}]}', DONE),
        ('{"characteristics":[{"aid":1,"iid":51}]}', status(51, INVALID)),
        ('{"characteristics":[{"aid":1,"iid":51,"ev":1}]}', DONE),
        ('{"characteristics":[{"aid":1,"iid":51,"ev":false}]}', DONE),
        ('{"characteristics":[{"aid":1,"iid":89,"ev":true}]}', status(89, -70406)),
        ('{"characteristics":[{"aid":1,"iid":89,"ev":false}]}', status(89, -70406)),
        ('{"characteristics":[{"aid":1,"iid":89,"ev":true,"value":"AQID"}]}', DONE),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"remote":true}]}', DONE),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"authData":"!"}]}', status(51, INVALID)),
        ('{"characteristics":[{"aid":1,"iid":51,"value":true,"r":true}]}', status(51, -70405)),
        (
            '{"characteristics":[{"aid":1,"iid":51,"value":true},{"aid":1,"iid":52,"value":101}]}',
            http(
                MULTI,
                {"characteristics": [{"aid": 1, "iid": 51, "status": 0}, {"aid": 1, "iid": 52, "status": INVALID}]},
            ),
        ),
    ],
)
def test_write_bodies(text, answer):
    assert not found((body(text), answer))


def test_a_query_and_another_content_type_of_a_write_are_ignored():
    text = '{"characteristics":[{"aid":1,"iid":51,"value":true}]}'
    assert not found((body(text, "/characteristics?x=1"), DONE))
    assert not found((body(text).replace("application/hap+json", "text/plain"), DONE))


@pytest.mark.parametrize(
    ("request_text", "answer"),
    [
        (http("GET /nothing HTTP/1.1"), "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"),
        (http("DELETE /accessories HTTP/1.1"), "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"),
        (http("GET /prepare HTTP/1.1"), "HTTP/1.1 405 Method Not Allowed\r\nContent-Length: 0\r\n\r\n"),
        (http("POST /identify HTTP/1.1"), http("HTTP/1.1 400 Bad Request", {"status": -70401})),
        (http("PUT /characteristics HTTP/1.1"), BAD),
        (put({"aid": 1, "iid": ON, "value": 1}).replace("\r\n", "\n"), DONE),
        (put({"aid": 1, "iid": ON, "value": 1}).replace("Content-Length", "CONTENT-length"), DONE),
    ],
)
def test_requests(request_text, answer):
    assert not found((request_text, answer))
