"""Somebody at the window of examples/in_tk.py: a line of standard input is a click, its end closes the window."""

from __future__ import annotations

import sys
import tkinter

from examples import in_tk

window = in_tk.main(sys.argv[1])


def clicked(*_: object) -> None:
    if sys.stdin.readline():
        window.button.invoke()
    else:
        window.root.destroy()


window.root.createfilehandler(sys.stdin, tkinter.READABLE, clicked)
window.root.mainloop()
window.store.close()
for peer in window.peers.values():
    peer.sock.close()
window.listener.close()
