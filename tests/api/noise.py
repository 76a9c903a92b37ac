"""The cryptography of the handshake, from the standard library alone: slow, and for tests only."""

from __future__ import annotations

import hashlib
import hmac

PRIME = 2**255 - 19
BASE = (9).to_bytes(32, "little")


def x25519(scalar: bytes, point: bytes) -> bytes:
    """Multiply a point by a scalar (RFC 7748)."""
    bits = int.from_bytes(scalar, "little") & ~7 & (1 << 255) - 1 | 1 << 254
    start = int.from_bytes(point, "little") & (1 << 255) - 1
    x2, z2, x3, z3 = 1, 0, start, 1
    for index in reversed(range(255)):
        bit = bits >> index & 1
        if bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
        total, less = x2 + z2, x2 - z2
        squares = total * total, less * less
        cross = (x3 - z3) * total, (x3 + z3) * less
        x3, z3 = (cross[0] + cross[1]) ** 2 % PRIME, start * (cross[0] - cross[1]) ** 2 % PRIME
        gap = squares[0] - squares[1]
        x2, z2 = squares[0] * squares[1] % PRIME, gap * (squares[0] + 121665 * gap) % PRIME
        if bit:
            x2, z2, x3, z3 = x3, z3, x2, z2
    return (x2 * pow(z2, PRIME - 2, PRIME) % PRIME).to_bytes(32, "little")


def double(byte: int) -> int:
    """Multiply by two in the field of AES."""
    return byte << 1 ^ (0x11B if byte & 0x80 else 0)


def substitutions() -> bytes:
    """Compute the table of AES's SubBytes."""
    powers, value = [], 1
    for _ in range(255):
        powers.append(value)
        value ^= double(value)
    inverse = {powers[at]: powers[-at % 255] for at in range(255)} | {0: 0}
    table = []
    for byte in range(256):
        one = inverse[byte]
        spread = one ^ one << 1 ^ one << 2 ^ one << 3 ^ one << 4
        table.append((spread ^ spread >> 8) & 0xFF ^ 0x63)
    return bytes(table)


SUBSTITUTE = substitutions()


def expand(key: bytes) -> list[bytes]:
    """Make the round keys of AES-256."""
    words, constant = [key[at : at + 4] for at in range(0, 32, 4)], 1
    while len(words) < 60:
        word = words[-1]
        if len(words) % 8 == 0:
            word = bytes(SUBSTITUTE[byte] for byte in word[1:] + word[:1])
            word = bytes([word[0] ^ constant]) + word[1:]
            constant = double(constant)
        elif len(words) % 8 == 4:
            word = bytes(SUBSTITUTE[byte] for byte in word)
        words.append(xor(word, words[-8]))
    return [b"".join(words[at : at + 4]) for at in range(0, 60, 4)]


def xor(left: bytes, right: bytes) -> bytes:
    """Combine two strings, as far as the shorter one goes."""
    return bytes(a ^ b for a, b in zip(left, right, strict=False))


def encrypt_block(keys: list[bytes], block: bytes) -> bytes:
    """Encrypt 16 bytes with AES-256."""
    state = xor(block, keys[0])
    for key in keys[1:]:
        # SubBytes and ShiftRows in one.
        state = bytes(SUBSTITUTE[state[(at + 4 * (at % 4)) % 16]] for at in range(16))
        if key is not keys[-1]:
            mixed = []
            for at in range(0, 16, 4):
                column = state[at : at + 4]
                total = column[0] ^ column[1] ^ column[2] ^ column[3]
                mixed += [
                    byte ^ total ^ double(byte ^ column[(row + 1) % 4])
                    for row, byte in enumerate(column)
                ]
            state = bytes(mixed)
        state = xor(state, key)
    return state


def ghash(subkey: int, data: bytes) -> int:
    """Hash whole blocks in the field of GCM."""
    digest = 0
    for at in range(0, len(data), 16):
        digest ^= int.from_bytes(data[at : at + 16].ljust(16, b"\0"), "big")
        product, factor = 0, subkey
        for bit in reversed(range(128)):
            if digest >> bit & 1:
                product ^= factor
            factor = factor >> 1 ^ (0xE1 << 120 if factor & 1 else 0)
        digest = product
    return digest


def aes_gcm(
    key: bytes, nonce: int, text: bytes, associated: bytes, seal: bool
) -> tuple[bytes, bytes]:
    """Encrypt or decrypt with AES-256-GCM; return the text and the tag."""
    keys = expand(key)
    start = bytes(4) + nonce.to_bytes(8, "big")
    stream = b"".join(
        encrypt_block(keys, start + count.to_bytes(4, "big"))
        for count in range(1, 2 + -(-len(text) // 16))
    )
    result = xor(text, stream[16:])
    sealed = result if seal else text
    padded = b"".join(part + bytes(-len(part) % 16) for part in (associated, sealed))
    lengths = (8 * len(associated)).to_bytes(8, "big") + (8 * len(sealed)).to_bytes(8, "big")
    digest = ghash(int.from_bytes(encrypt_block(keys, bytes(16)), "big"), padded + lengths)
    return result, xor(digest.to_bytes(16, "big"), stream)


class Symmetric:
    """Noise's SymmetricState for `Noise_NNpsk0_25519_AESGCM_SHA256`."""

    def __init__(self, prologue: bytes) -> None:
        self.hash = self.chain = b"Noise_NNpsk0_25519_AESGCM_SHA256"
        self.key, self.nonce = b"", 0
        self.mix_hash(prologue)

    def derive(self, material: bytes, outputs: int) -> list[bytes]:
        """Derive keys from what is known so far."""
        key, found = hmac.digest(self.chain, material, "sha256"), [b""]
        for index in range(1, outputs + 1):
            found.append(hmac.digest(key, found[-1] + bytes([index]), "sha256"))
        return found[1:]

    def mix_hash(self, data: bytes) -> None:
        """Bind data into the handshake."""
        self.hash = hashlib.sha256(self.hash + data).digest()

    def mix_psk(self, psk: bytes) -> None:
        """Bind the shared secret into the handshake."""
        self.chain, mixed, self.key = self.derive(psk, 3)
        self.mix_hash(mixed)
        self.nonce = 0

    def mix_key(self, material: bytes) -> None:
        """Bind the result of a key agreement into the handshake."""
        self.chain, self.key = self.derive(material, 2)
        self.nonce = 0

    def mix_public(self, public: bytes) -> None:
        """Bind a public key into the handshake, as a pattern with a psk does it."""
        self.mix_hash(public)
        self.mix_key(public)

    def seal(self, plain: bytes) -> bytes:
        """Encrypt, and bind the result into the handshake."""
        sealed = b"".join(aes_gcm(self.key, self.nonce, plain, self.hash, seal=True))
        self.nonce += 1
        self.mix_hash(sealed)
        return sealed

    def open(self, sealed: bytes) -> bytes:
        """Decrypt what the other side has sealed."""
        plain, tag = aes_gcm(self.key, self.nonce, sealed[:-16], self.hash, seal=False)
        assert tag == sealed[-16:], "the peer holds another token"
        self.nonce += 1
        self.mix_hash(sealed)
        return plain
