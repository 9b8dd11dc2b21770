"""What `ssh -W` does, without ssh: `python forward.py PORT` connects standard input and output with a local port."""

from __future__ import annotations

import os
import select
import socket
import sys

with socket.create_connection(("127.0.0.1", int(sys.argv[1]))) as lamp:
    while True:
        ready, _, _ = select.select([0, lamp], [], [])
        if 0 in ready:
            if not (data := os.read(0, 65536)):
                break
            lamp.sendall(data)
        if lamp in ready:
            if not (data := lamp.recv(65536)):
                break
            os.write(1, data)
