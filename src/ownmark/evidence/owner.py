"""Who the owner is: an Ed25519 key that signs, and a secret that trigger keys derive from. No torch.

OWNER.key holds two PEM blocks, "ENCRYPTED PRIVATE KEY" (PKCS #8, PBES2 with AES-256-CBC): the first is the signing key, the 32
bytes of the second are the secret. OWNER.pub holds the public key. `openssl pkey` reads both.
"""

import os
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
    load_pem_public_key,
)

from ownmark.errors import EvidenceError, UsageError
from ownmark.files import write_whole

SHORTEST_PASSPHRASE = 12  # PKCS #8 as OpenSSL writes it stretches a passphrase 2,048 times only
END = b"-----END ENCRYPTED PRIVATE KEY-----\n"
PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8}  # y of the points whose signatures fit any message
MOST_BYTES = 2**16


@dataclass(frozen=True)
class OwnerKey:
    """The owner's signing key and secret (32 bytes); neither is ever shown."""

    signing: Ed25519PrivateKey = field(repr=False)
    secret: bytes = field(repr=False)

    @property
    def public(self) -> str:
        """The public key, 64 hexadecimal digits."""
        return self.signing.public_key().public_bytes_raw().hex()

    def sign(self, message: bytes) -> bytes:
        """64 bytes (RFC 8032)."""
        return self.signing.sign(message)


def create(path: Path, passphrase: str) -> OwnerKey:
    """A new owner, written to `path` (for the owner's eyes only) and, the public key, beside it as .pub."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise UsageError(
            f"a passphrase needs {SHORTEST_PASSPHRASE} characters or more, got {len(passphrase)}: take several words"
        )
    public = public_file(path)
    if public == path:
        raise UsageError(f"{path} is the name of a public key: name the key's file otherwise, e.g. {path.with_suffix('.key')}")
    for file in (path, public):
        if file.exists():
            raise UsageError(f"{file} exists, and a key that is overwritten is lost: name another file")
    owner = OwnerKey(Ed25519PrivateKey.generate(), os.urandom(32))
    pair = (owner.signing, Ed25519PrivateKey.from_private_bytes(owner.secret))
    lock = BestAvailableEncryption(passphrase.encode())
    write_whole(path, b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock) for key in pair))
    path.chmod(0o600)
    write_whole(public, owner.signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return owner


def public_file(path: Path) -> Path:
    """Where the public key of the key file `path` is written."""
    return path.with_suffix(".pub")


def opened(path: Path, passphrase: str) -> OwnerKey:
    """The owner of a key file. Raises UsageError for another file, or another passphrase than it was written with."""
    parts = _read(path).replace(b"\r\n", b"\n").split(END)
    if len(parts) != 3 or parts[2].strip():  # noqa: PLR2004 - two blocks and nothing behind them
        raise UsageError(f"{path} is no owner's key file: it holds other than two encrypted keys; ownmark keygen makes one")
    try:
        first, second = (load_pem_private_key(part + END, passphrase.encode()) for part in parts[:2])
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} does not open: the passphrase is wrong, or the file is damaged") from error
    if not isinstance(first, Ed25519PrivateKey) or not isinstance(second, Ed25519PrivateKey):
        raise UsageError(f"{path} holds keys of another kind than Ed25519; ownmark keygen makes the right ones")
    return OwnerKey(first, second.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))


def public_key(path: Path) -> str:
    """The public key in a .pub file, 64 hexadecimal digits."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} holds no public key: name the .pub file that ownmark keygen wrote") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"{path} holds a key of another kind than Ed25519")
    return key.public_bytes_raw().hex()


def check_signature(public: str, signature: bytes, message: bytes) -> None:
    """Raises EvidenceError unless the owner of `public` signed the message.

    Stricter than RFC 8032: a public key of small order is refused, since signatures under it fit messages that nobody signed.
    """
    raw = bytes.fromhex(public)
    if int.from_bytes(raw, "little") % 2**255 % PRIME in SMALL_ORDER:
        raise EvidenceError("the owner's public key is of small order: anybody can sign under it")
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise EvidenceError("the signature does not fit: the owner of this key did not sign this") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror or error}; ownmark keygen makes one") from error
