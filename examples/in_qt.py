"""A lamp in a window: the accessory engine inside Qt's main loop; On is a check box.

pip install PySide6-Essentials
python examples/in_qt.py STATE_FILE

Qt calls when a socket is ready (`QSocketNotifier`) and when the engine is due (`QTimer`): no thread, no second loop.
"""

from __future__ import annotations

import os
import socket
import sys
import time

from PySide6.QtCore import QSocketNotifier, QTimer
from PySide6.QtWidgets import QApplication, QCheckBox, QLabel, QVBoxLayout, QWidget

from hap_sync.store import FileStore
from hapcore.catalogue.services import Lightbulb
from hapcore.engine import CloseConnection, ConnectionId, Forget, Output, Persist, SendBytes
from hapcore.errors import StateError
from hapcore.ip.accessory import CharacteristicsWritten, Config, Server, UpdateValues
from hapcore.model.accessory import Accessory
from hapcore.state import STATE


class Window:
    """The check box and the engine: what happens to one is shown by the other."""

    def __init__(self, listener: socket.socket, store: FileStore) -> None:
        self.widget = QWidget()
        self.widget.setWindowTitle("Lamp")
        self.listener, self.store = listener, store
        self.light = Lightbulb("Window lamp", on=False)
        self.engine = Server(
            [Accessory.of(self.light)], config=Config(name="Window lamp"), state=store.load(), entropy=entropy
        )
        self.box = QCheckBox("Lit")
        self.box.setChecked(self.light.on.value)
        self.box.clicked.connect(self.clicked)
        layout = QVBoxLayout(self.widget)
        layout.addWidget(self.box)
        layout.addWidget(QLabel(f"Setup code {self.engine.setup_code.text}"))
        self.peers: dict[ConnectionId, Peer] = {}
        self.alarm = QTimer(self.widget)
        self.alarm.setSingleShot(True)
        self.alarm.timeout.connect(self.timeout)
        listener.setblocking(False)
        self.calls = QSocketNotifier(listener.fileno(), QSocketNotifier.Type.Read, self.widget)
        self.calls.activated.connect(self.accept)
        self.pump()

    def clicked(self) -> None:
        """Somebody at the window: store the value, tell the controllers."""
        self.engine.submit(UpdateValues({self.light.on.id: self.box.isChecked()}), time.monotonic())
        self.pump()

    def accept(self) -> None:
        """Take a new connection."""
        try:
            sock, _ = self.listener.accept()
        except OSError:  # it broke off before
            return
        number = self.engine.connection_opened(time.monotonic())
        self.peers[number] = Peer(self, sock, number)
        self.pump()

    def pump(self) -> None:
        """Carry out all the engine wants; to be called after every input."""
        while (output := self.engine.poll()) is not None:
            self.carry_out(output)
        if (due := self.engine.next_timeout()) is None:
            self.alarm.stop()
        else:
            self.alarm.start(max(0, round((due - time.monotonic()) * 1000)))

    def timeout(self) -> None:
        """The engine is due."""
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
                self.box.setChecked(self.light.on.value)
                print("on" if self.box.isChecked() else "off", flush=True)


class Peer:
    """One connection: reads while nothing is unsent, and the other way round."""

    def __init__(self, window: Window, sock: socket.socket, number: ConnectionId) -> None:
        self.window, self.sock, self.number = window, sock, number
        self.unsent = bytearray()
        self.ended = False
        sock.setblocking(False)
        self.readable = QSocketNotifier(sock.fileno(), QSocketNotifier.Type.Read, window.widget)
        self.writable = QSocketNotifier(sock.fileno(), QSocketNotifier.Type.Write, window.widget)
        self.readable.activated.connect(self.read)
        self.writable.activated.connect(self.write)
        self.watch()

    def watch(self) -> None:
        """Have Qt call for what is needed next."""
        self.readable.setEnabled(not self.unsent and not self.ended)
        self.writable.setEnabled(bool(self.unsent))

    def read(self) -> None:
        """Hand in what came."""
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

    def write(self) -> None:
        """Go on sending."""
        self.send(b"")
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
        self.watch()
        if self.ended:
            if not self.unsent:
                self.readable.deleteLater()
                self.writable.deleteLater()
                self.sock.close()
            return
        hold_or_go_on = self.window.engine.pause_sending if self.unsent else self.window.engine.resume_sending
        hold_or_go_on(self.number, time.monotonic())

    def end(self) -> None:
        """The engine is done with it: close it after the last byte."""
        self.ended = True
        self.send(b"")


def entropy(label: str, length: int) -> bytes:
    """Random bytes; the label says what for, and is there for recordings."""
    del label
    return os.urandom(length)


def main(path: str) -> Window:
    """Open the window and serve; `QApplication.exec()` comes next."""
    listener = socket.create_server(("127.0.0.1", 0))
    window = Window(listener, FileStore(path, STATE))
    window.widget.show()
    print(listener.getsockname()[1], window.engine.setup_code.text, flush=True)
    return window


if __name__ == "__main__":
    application = QApplication(sys.argv)
    shown = main(sys.argv[1])
    sys.exit(application.exec())
