"""A secured session: who speaks, and the keys that protect each attribute value (HAP-BLE A.5.5)."""

from __future__ import annotations

from hapcore.crypto.frames import SessionKeys
from hapcore.crypto.records import RecordCipher
from hapcore.crypto.secret import Secret
from hapcore.ids import Caller
from hapcore.pairing.verify import VerifiedSession

__all__ = ["Session"]


class Session:
    """After pair-verify or pair-resume, or, without a caller, after a transient pair-setup (HAP-BLE A.5.10)."""

    __slots__ = ("caller", "ltpk", "opener", "sealer", "shared")

    def __init__(self, keys: SessionKeys, verified: VerifiedSession | None, caller: Caller | None) -> None:
        self.sealer = RecordCipher(keys.read)
        self.opener = RecordCipher(keys.write)
        self.caller = caller
        #: Where the broadcast key comes from: the secret of this session and the controller's long-term public key.
        self.shared: Secret | None = None if verified is None else verified.shared_secret
        self.ltpk = b"" if verified is None else verified.controller.ltpk

    @property
    def transient(self) -> bool:
        """Without a paired controller."""
        return self.caller is None
