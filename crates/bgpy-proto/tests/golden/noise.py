"""Noise, revision 34, as far as the pattern NNpsk0 needs it, from `hashlib` and `cryptography`."""

import hashlib
import hmac

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


class Symmetric:
    """Noise's SymmetricState."""

    def __init__(self, name, prologue):
        self.aes = "AESGCM" in name
        name = name.encode()
        self.h = name.ljust(32, b"\0") if len(name) <= 32 else hashlib.sha256(name).digest()
        self.ck, self.k, self.n = self.h, None, 0
        self.mix_hash(prologue)

    def hkdf(self, material, outputs):
        key = hmac.digest(self.ck, material, "sha256")
        found, last = [], b""
        for index in range(outputs):
            last = hmac.digest(key, last + bytes([index + 1]), "sha256")
            found.append(last)
        return found

    def mix_hash(self, data):
        self.h = hashlib.sha256(self.h + data).digest()

    def mix_key(self, material):
        self.ck, self.k = self.hkdf(material, 2)
        self.n = 0

    def mix_key_and_hash(self, material):
        self.ck, mixed, self.k = self.hkdf(material, 3)
        self.mix_hash(mixed)
        self.n = 0

    def encrypt_and_hash(self, plain):
        sealed = seal(self.aes, self.k, self.n, plain, self.h)
        self.n += 1
        self.mix_hash(sealed)
        return sealed


def seal(aes, key, nonce, plain, associated=b""):
    if aes:
        return AESGCM(key).encrypt(bytes(4) + nonce.to_bytes(8, "big"), plain, associated)
    return ChaCha20Poly1305(key).encrypt(bytes(4) + nonce.to_bytes(8, "little"), plain, associated)


def public(private):
    return private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
