"""Somebody at the window of examples/in_qt.py: a line of standard input is a click, its end closes the window."""

from __future__ import annotations

import sys

from PySide6.QtCore import QSocketNotifier
from PySide6.QtWidgets import QApplication

from examples import in_qt

application = QApplication(sys.argv)
window = in_qt.main(sys.argv[1])


def clicked() -> None:
    if sys.stdin.readline():
        window.box.click()
    else:
        application.quit()


notifier = QSocketNotifier(sys.stdin.fileno(), QSocketNotifier.Type.Read)
notifier.activated.connect(clicked)
application.exec()
window.store.close()
for peer in window.peers.values():
    peer.sock.close()
window.listener.close()
