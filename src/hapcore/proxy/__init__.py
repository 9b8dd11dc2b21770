"""A man in the middle: presents an accessory that we have paired as an accessory of ours, and passes everything on.

`Proxy` holds the mirrored database and decides what becomes of each request and event; an adapter carries it out.
"""

from hapcore.proxy.filters import Filters
from hapcore.proxy.forward import FAILURES, Ask, Errand, Proxy, Tell
from hapcore.proxy.mirror import mirror

__all__ = ["FAILURES", "Ask", "Errand", "Filters", "Proxy", "Tell", "mirror"]
