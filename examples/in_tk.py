"""A lamp in a window: the accessory engine inside Tk's main loop; On is a checkbutton.

python examples/in_tk.py STATE_FILE

Tk calls when a socket is ready (`createfilehandler`) and when the engine is due (`after`): no thread, no second loop.
Where Tk has no `createfilehandler` (Windows), call `Peer.ready` and `accept` from `after` every few hundredths of a
second.
"""

from __future__ import annotations

import os
import socket
import sys
import time
import tkinter

from hap_sync.store import FileStore
from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import StateError
from hapcore.ip.accessory import CharacteristicsWritten, Config, Server, UpdateValues
from hapcore.model.accessory import Accessory
from hapcore.state import STATE


class Window:
    """The checkbutton and the engine: what happens to one is shown by the other."""

    def __init__(self, root: tkinter.Tk, listener: socket.socket, store: FileStore) -> None:
        self.root, self.listener, self.store = root, listener, store
        self.light = Lightbulb("Window lamp", on=False)
        self.engine = Server(
            [Accessory.of(self.light)], config=Config(name="Window lamp"), state=store.load(), entropy=entropy
        )
        self.lit = tkinter.BooleanVar(root, self.light.on.value)
        self.button = tkinter.Checkbutton(root, text="Lit", variable=self.lit, command=self.clicked)
        self.button.pack(padx=40, pady=10)
        tkinter.Label(root, text=f"Setup code {self.engine.setup_code.text}").pack()
        self.peers: dict[ConnectionId, Peer] = {}
        self.alarm: str | None = None
        listener.setblocking(False)
        root.createfilehandler(listener, tkinter.READABLE, self.accept)
        self.pump()

    def clicked(self) -> None:
        """Somebody at the window: store the value, tell the controllers."""
        self.engine.submit(UpdateValues({self.light.on.id: self.lit.get()}), time.monotonic())
        self.pump()

    def accept(self, *_: object) -> None:
        """Take a new connection."""
        sock, _ = self.listener.accept()
        number = self.engine.connection_opened(time.monotonic())
        self.peers[number] = Peer(self, sock, number)
        self.pump()

    def pump(self) -> None:
        """Carry out all the engine wants; to be called after every input."""
        while (output := self.engine.poll()) is not None:
            self.carry_out(output)
        if self.alarm is not None:
            self.root.after_cancel(self.alarm)
            self.alarm = None
        if (due := self.engine.next_timeout()) is not None:
            self.alarm = self.root.after(max(0, round((due - time.monotonic()) * 1000)), self.timeout)

    def timeout(self) -> None:
        """The engine is due."""
        self.alarm = None
        self.engine.handle_timeout(time.monotonic())
        self.pump()

    def carry_out(self, output: Output) -> None:
        """One output of the engine."""
        match output:
            case SendBytes(number, data) if number in self.peers:
                self.peers[number].send(data)
            case CloseConnection(number) if number in self.peers:
                self.peers.pop(number).end()
            case Persist() | Forget():
                try:
                    if isinstance(output, Persist):
                        self.store.persist(output.key, output.value)
                    else:
                        self.store.forget(output.key)
                except (OSError, StateError) as error:
                    self.engine.effect_failed(output, str(error), time.monotonic())
            case CharacteristicsWritten():
                self.lit.set(self.light.on.value)
                print("on" if self.lit.get() else "off", flush=True)


class Peer:
    """One connection: reads while nothing is unsent, and the other way round."""

    def __init__(self, window: Window, sock: socket.socket, number: ConnectionId) -> None:
        self.window, self.sock, self.number = window, sock, number
        self.unsent = bytearray()
        self.ended = False
        sock.setblocking(False)
        self.watch()

    def watch(self) -> None:
        """Have Tk call `ready()` for what is needed next."""
        self.window.root.createfilehandler(
            self.sock, tkinter.WRITABLE if self.unsent else tkinter.READABLE, lambda *_: self.ready()
        )

    def ready(self) -> None:
        """The socket can be read, or written where something is unsent."""
        if self.unsent:
            self.send(b"")
        else:
            try:
                data = self.sock.recv(65536)
            except BlockingIOError:
                return
            except OSError:
                data = b""
            if data:
                self.window.engine.receive_data(self.number, data, time.monotonic())
            else:
                self.window.engine.receive_eof(self.number, time.monotonic())
        self.window.pump()

    def send(self, data: bytes) -> None:
        """Send what the socket takes and keep the rest; the engine waits meanwhile."""
        self.unsent += data
        try:
            del self.unsent[: self.sock.send(self.unsent)]
        except BlockingIOError:
            pass
        except OSError:  # the peer is gone
            self.unsent.clear()
            self.window.engine.receive_eof(self.number, time.monotonic())
        if self.ended and not self.unsent:
            self.window.root.deletefilehandler(self.sock)
            self.sock.close()
            return
        hold_or_go_on = self.window.engine.pause_sending if self.unsent else self.window.engine.resume_sending
        hold_or_go_on(self.number, time.monotonic())
        self.watch()

    def end(self) -> None:
        """The engine is done with it: close it after the last byte."""
        self.ended = True
        self.send(b"")


def entropy(label: str, length: int) -> bytes:
    """Random bytes; the label says what for, and is there for recordings."""
    del label
    return os.urandom(length)


def main(path: str) -> Window:
    """Open the window and serve; `mainloop()` comes next."""
    root = tkinter.Tk()
    root.title("Lamp")
    listener = socket.create_server(("127.0.0.1", 0))
    window = Window(root, listener, FileStore(path, STATE))
    print(listener.getsockname()[1], window.engine.setup_code.text, flush=True)
    return window


if __name__ == "__main__":
    main(sys.argv[1]).root.mainloop()
