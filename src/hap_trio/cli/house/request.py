"""Sending an HTTP request, in a thread."""

from __future__ import annotations

from functools import partial
from urllib.error import HTTPError
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPSHandler,
    OpenerDirector,
    Request,
)

import trio

from hap_trio.cli.house.trouble import LARGEST_ANSWER, Trouble
from hapcore.house import Message

__all__ = ["send"]

#: Requests at a time, in threads of their own: those that store the state must not wait for a device that hangs.
_AT_A_TIME = 16
_threads = trio.CapacityLimiter(_AT_A_TIME)


def _opener() -> OpenerDirector:
    """HTTP and HTTPS straight to the device: no proxy, no redirection to where nobody wanted to send anything."""
    opener = OpenerDirector()
    opener.addheaders = [("User-Agent", "hap")]
    for handler in (HTTPHandler, HTTPSHandler, HTTPDefaultErrorHandler, HTTPErrorProcessor):
        opener.add_handler(handler())
    return opener


async def send(message: Message, timeout: float) -> bytes:  # noqa: ASYNC109 - of the socket; the caller has a scope
    """The body of the answer. Raises `Trouble` unless the status is 2xx, and where nobody answers.

    Cancelling leaves the thread alone; it ends by itself when the socket has been silent for `timeout` seconds.
    """
    return await trio.to_thread.run_sync(partial(_send, message, timeout), abandon_on_cancel=True, limiter=_threads)


def _send(message: Message, timeout: float) -> bytes:
    request = Request(message.url, message.body, dict(message.headers), method=message.method)  # noqa: S310 - checked
    try:
        with _opener().open(request, timeout=timeout) as answer:
            body: bytes = answer.read(LARGEST_ANSWER + 1)
    except HTTPError as error:
        error.close()
        raise Trouble(f"the server answered with status {error.code}") from None
    except TimeoutError:
        raise
    except Exception as error:  # noqa: BLE001 - what http.client raises is of many kinds, and all of them mean this
        reason = getattr(error, "reason", error)
        if isinstance(reason, TimeoutError):
            raise reason from None
        raise Trouble(f"no answer: {getattr(reason, 'strerror', None) or reason or type(reason).__name__}") from None
    if len(body) > LARGEST_ANSWER:
        raise Trouble(f"the answer is longer than {LARGEST_ANSWER} bytes")
    return body
