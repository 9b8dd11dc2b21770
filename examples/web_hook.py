"""A switch with a web hook: `HOOK_TOKEN=... python web_hook.py`, until Ctrl-C.

curl -H "Authorization: Bearer $HOOK_TOKEN" http://127.0.0.1:8099/          tells whether it is on: true or false
curl -H "Authorization: Bearer $HOOK_TOKEN" http://127.0.0.1:8099/ -d true  switches it on, and tells the phones

The door is as narrow as it can be: this machine only, a token, short requests, and not much time for each.
"""

import asyncio
import hmac
import json
import os
import sys
from http import HTTPStatus

import hap_asyncio
from hapcore.catalogue.services import Switch

TOKEN = os.environ.get("HOOK_TOKEN") or sys.exit("HOOK_TOKEN must have a secret that nobody guesses")
#: Bytes of a request's head and body, seconds for all of it, and how many may be open at a time.
HEAD, BODY, PATIENCE, OPEN = 4096, 5, 5.0, 8

switch = Switch("Water", on=False)
opened: set[asyncio.StreamWriter] = set()


async def ask(reader: asyncio.StreamReader) -> tuple[HTTPStatus, str]:
    """Read one request, carry it out, and return the answer."""
    request, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    if not hmac.compare_digest(headers.get("authorization", "").encode(), f"Bearer {TOKEN}".encode()):
        return HTTPStatus.UNAUTHORIZED, "who are you?"
    match request.split(" "):
        case ["GET", "/", _]:
            return HTTPStatus.OK, json.dumps(switch.on.value)
        case ["POST", "/", _]:
            length = headers.get("content-length", "")
            if length not in map(str, range(BODY + 1)):
                return HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "true or false?"
            value = {b"true": True, b"false": False}.get(await reader.readexactly(int(length)))
            if value is None:
                return HTTPStatus.BAD_REQUEST, "true or false?"
            switch.on.value = value
            return HTTPStatus.OK, json.dumps(value)
    return HTTPStatus.NOT_FOUND, "GET or POST, of /"


async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    opened.add(writer)
    try:
        async with asyncio.timeout(PATIENCE):
            if len(opened) <= OPEN:
                status, text = await ask(reader)
                head = f"HTTP/1.1 {status} {status.phrase}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n"
                writer.write((head + text).encode())
                await writer.drain()
    except (OSError, EOFError, asyncio.LimitOverrunError):  # TimeoutError is an OSError: whoever is slow or garbled
        pass
    finally:
        opened.discard(writer)
        writer.close()


async def main(port: int = 8099) -> None:
    hook = await asyncio.start_server(answer, "127.0.0.1", port, limit=HEAD)
    async with hook, hap_asyncio.open_server(switch, state="web_hook.json"):
        print("hook on port", hook.sockets[0].getsockname()[1])
        await hook.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
