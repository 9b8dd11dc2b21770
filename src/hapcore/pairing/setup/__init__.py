"""Pair-setup, both sides (HAP 4): TLV in, TLV out, the same machines over IP and Bluetooth LE."""

from hapcore.pairing.setup.accessory import BUSY_SECONDS, MAX_TRIES, SetupDesk, SetupState, Step
from hapcore.pairing.setup.controller import PairSetupController
from hapcore.pairing.setup.verifier import CodeVerifier, FreshCodes, ShownVerifier, VerifierSource

__all__ = [
    "BUSY_SECONDS",
    "MAX_TRIES",
    "CodeVerifier",
    "FreshCodes",
    "PairSetupController",
    "SetupDesk",
    "SetupState",
    "ShownVerifier",
    "Step",
    "VerifierSource",
]
