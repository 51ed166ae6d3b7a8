"""The owner's identity: an Ed25519 signing key, and a secret from which trigger keys derive. No torch.

OWNER.key holds two PEM blocks, "ENCRYPTED PRIVATE KEY" (PKCS #8, PBES2 with AES-256-CBC): the first is the signing key, the
second contains the 32-byte secret. OWNER.pub holds the public key. `openssl pkey` reads both.
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
from ownmark.files import check_new, write_whole

SHORTEST_PASSPHRASE = 12  # OpenSSL's PKCS #8 stretches a passphrase only 2,048 times
END = b"-----END ENCRYPTED PRIVATE KEY-----\n"
PRIME = 2**255 - 19
ORDER_8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {0, 1, PRIME - 1, ORDER_8, PRIME - ORDER_8}  # y of the points under which signatures fit any message
MOST_BYTES = 2**16


@dataclass(frozen=True)
class OwnerKey:
    """The owner's signing key and secret (32 bytes); neither is ever displayed."""

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
    """A new owner, written to `path` (readable by the owner only), with the public key beside it as .pub."""
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise UsageError(
            f"expected a passphrase of at least {SHORTEST_PASSPHRASE} characters, got {len(passphrase)}: use several words"
        )
    public = public_file(path)
    if public == path:
        raise UsageError(
            f"{path} is the name of a public key: choose another name for the key file, e.g. {path.with_suffix('.key')}"
        )
    for file in (path, public):
        check_new(file, "overwriting a key would destroy it: name another file")
    owner = OwnerKey(Ed25519PrivateKey.generate(), os.urandom(32))
    pair = (owner.signing, Ed25519PrivateKey.from_private_bytes(owner.secret))
    lock = BestAvailableEncryption(passphrase.encode())
    write_whole(path, b"".join(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, lock) for key in pair))
    path.chmod(0o600)
    write_whole(public, owner.signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))
    return owner


def public_file(path: Path) -> Path:
    """The public-key file that belongs to the key file `path`."""
    return path.with_suffix(".pub")


def opened(path: Path, passphrase: str) -> OwnerKey:
    """The owner in a key file. Raises UsageError for a wrong passphrase or a file of another kind."""
    parts = _read(path).replace(b"\r\n", b"\n").split(END)
    if len(parts) != 3 or parts[2].strip():  # noqa: PLR2004 - two blocks and nothing after them
        raise UsageError(f"expected two encrypted keys in {path}, as in an owner's key file; ownmark keygen makes one")
    try:
        first, second = (load_pem_private_key(part + END, passphrase.encode()) for part in parts[:2])
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise UsageError(f"cannot open {path}: wrong passphrase or corrupt file") from error
    if not isinstance(first, Ed25519PrivateKey) or not isinstance(second, Ed25519PrivateKey):
        raise UsageError(f"expected Ed25519 keys in {path}; ownmark keygen makes them")
    return OwnerKey(first, second.private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption()))


def public_key(path: Path) -> str:
    """The public key in a .pub file, 64 hexadecimal digits."""
    try:
        key = load_pem_public_key(_read(path))
    except (ValueError, UnsupportedAlgorithm) as error:
        raise UsageError(f"{path} contains no public key: name the .pub file that ownmark keygen wrote") from error
    if not isinstance(key, Ed25519PublicKey):
        raise UsageError(f"expected an Ed25519 key in {path}")
    return key.public_bytes_raw().hex()


def check_signature(public: str, signature: bytes, message: bytes) -> None:
    """Raises EvidenceError unless the owner of `public` signed the message.

    Stricter than RFC 8032: public keys of small order are rejected, since signatures under them fit messages that nobody signed.
    """
    raw = bytes.fromhex(public)
    if int.from_bytes(raw, "little") % 2**255 % PRIME in SMALL_ORDER:
        raise EvidenceError("the owner's public key has small order: anybody could sign under it")
    try:
        Ed25519PublicKey.from_public_bytes(raw).verify(signature, message)
    except (InvalidSignature, ValueError) as error:
        raise EvidenceError("invalid signature: the owner of this key did not sign this") from error


def _read(path: Path) -> bytes:
    try:
        with path.open("rb") as stream:
            return stream.read(MOST_BYTES)
    except OSError as error:
        raise UsageError(f"cannot read the key {path}: {error.strerror or error}; ownmark keygen makes one") from error
