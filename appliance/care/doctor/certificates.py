"""Every certificate the box shows or trusts: it parses, its key fits, and how long it lasts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from appliance import places
from appliance.care.doctor.box import Box
from appliance.care.doctor.finding import Verdict, fault, ok, together, warning
from appliance.care.doctor.front import front
from appliance.config import certificate_files
from appliance.errors import ConfigurationError
from appliance.machine import bound_to, machine_hash

DAY = 86_400.0
SOON_DAYS = 14.0
# Of a certificate that lasts days or hours: somebody should have renewed it when a fifth of it is left.
LAST_PART = 0.2
REVOCATIONS = b"-----BEGIN X509 CRL-----"
RENEW = "run: appliance-pki renew, or put a new one there (docs/certificates.md)"
AUTHORITY, LIST, PROXY = "authority", "authority's revocation list", "nginx"


def named(box: Box) -> Sequence[str]:
    """Name the keys of the configuration that hold certificates, and what the package has of its own."""
    return tuple(files(box))


def files(box: Box) -> Mapping[str, Path]:
    """Return every file to look at by its name."""
    found = dict(certificate_files(box.settings, box.secrets))
    if box.is_packaged:
        own = {AUTHORITY: places.PKI / "ca" / "cert.pem", LIST: places.PKI / "crl.pem"}
        found |= {name: box.place(path) for name, path in own.items() if _is_there(box.place(path))}
        found |= {f"{PROXY} {path}": box.place(path) for path in front(box).certificates}
    return found


def _is_there(path: Path) -> bool:
    try:
        return path.is_file()
    except PermissionError:
        return True


def certificate(box: Box, name: str) -> Verdict:
    """Look at one file."""
    path = files(box)[name]
    try:
        data = path.read_bytes()
    except PermissionError:
        raise
    except OSError as error:
        return fault(f"{path}: {error.strerror}", f"put it there, or correct {name}")
    now = box.clock.now() / 1e6
    try:
        if REVOCATIONS in data:
            return together(list(_lists(data, now)), fault(f"{path} holds no list", RENEW))
        chain = x509.load_pem_x509_certificates(data)
    except ValueError:
        return fault(f"{path} is no PEM file of certificates", f"write PEM into it, or correct {name}")
    if name.endswith("tls_ca") or name == AUTHORITY:
        return _authorities(chain, now)
    troubles = [trouble for rule in _RULES for trouble in rule(box, name, path, chain)]
    return together(troubles, _lasting(chain, now))


def _lists(data: bytes, now: float) -> Iterator[Verdict]:
    for part in data.split(REVOCATIONS)[1:]:
        due = x509.load_pem_x509_crl(REVOCATIONS + part).next_update_utc
        if due is None:
            yield ok("a revocation list without an end")
        elif due.timestamp() <= now:
            yield fault(
                f"a revocation list ended {_ago(now - due.timestamp())}: nobody gets in", "run: appliance-pki crl"
            )
        else:
            yield ok(f"a revocation list is good for {(due.timestamp() - now) / DAY:.1f} days")


def _authorities(chain: Sequence[x509.Certificate], now: float) -> Verdict:
    """Of several authorities the last to end counts: an old one beside a new one does no harm."""
    longest = max(chain, key=lambda one: one.not_valid_after_utc)
    ends = longest.not_valid_after_utc.timestamp()
    days = (ends - now) / DAY
    count = "one authority, it" if len(chain) == 1 else f"{len(chain)} authorities, the last"
    what = f"{count} ends in {days:.0f} days"
    if days <= 0:
        return fault(
            f"the authority ended {_ago(-days * DAY)}: nobody is trusted", "make a new one, see docs/certificates.md"
        )
    if days < 6 * SOON_DAYS:
        return warning(what, "make a new one in time, and hand it to everybody who trusts it (docs/certificates.md)")
    return ok(what)


def _lasting(chain: Sequence[x509.Certificate], now: float) -> Verdict:
    first = min(chain, key=lambda one: one.not_valid_after_utc)
    begins, ends = first.not_valid_before_utc.timestamp(), first.not_valid_after_utc.timestamp()
    days, named = (ends - now) / DAY, _names(chain[0])
    if now < begins:
        return fault(
            f"not valid before {first.not_valid_before_utc:%Y-%m-%d %H:%M} UTC", "check the clock of this machine"
        )
    if days <= 0:
        return fault(f"ended {_ago(now - ends)}", RENEW)
    what = f"{days:.1f} days left; for {named}"
    if days < min(SOON_DAYS, LAST_PART * (ends - begins) / DAY):
        return warning(what, RENEW)
    return ok(what)


def _ago(seconds: float) -> str:
    return f"{seconds / DAY:.1f} days ago" if seconds > DAY else f"{seconds / 60:.0f} minutes ago"


def _names(shown: x509.Certificate) -> str:
    try:
        found = shown.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (x509.ExtensionNotFound, ValueError):
        return "no name"
    addresses = [str(one) for one in found.get_values_for_type(x509.IPAddress)]
    return ", ".join([*found.get_values_for_type(x509.DNSName), *addresses]) or "no host"


Rule = Callable[[Box, str, Path, Sequence[x509.Certificate]], Iterator[Verdict]]


def _key_fits(box: Box, name: str, path: Path, chain: Sequence[x509.Certificate]) -> Iterator[Verdict]:
    key_path = _key_of(box, name)
    if key_path is None:
        return
    key_name = f"{name.removesuffix('tls_certificate')}tls_key" if name.endswith("tls_certificate") else str(key_path)
    try:
        key = load_pem_private_key(key_path.read_bytes(), None)
    except PermissionError:
        raise
    except OSError as error:
        yield fault(f"its key {key_path}: {error.strerror}", f"put it there, or correct {key_name}")
        return
    except (TypeError, ValueError):
        yield fault(f"its key {key_path} is encrypted, or no key", "write it there unencrypted, for its owner alone")
        return
    public = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*public) != chain[0].public_key().public_bytes(*public):
        yield fault(f"{key_path} is not the key of {path}", f"correct {name} or {key_name}: they go together")


def _key_of(box: Box, name: str) -> Path | None:
    """Return the key that the configuration, or nginx's, names beside a certificate."""
    if name.startswith(f"{PROXY} "):
        found_front = front(box)
        pairs = dict(zip(found_front.certificates, found_front.keys, strict=False))
        key = pairs.get(Path(name.removeprefix(f"{PROXY} ")))
        return None if key is None else box.place(key)
    if not name.endswith("tls_certificate"):
        return None
    value: object = box.settings
    *above, _ = name.split(".")
    for part in above:
        value = value[part] if isinstance(value, dict) else getattr(value, part)
    found = getattr(value, "tls_key", None)
    return box.file(found, f"{'.'.join(above)}.tls_key") if isinstance(found, Path) else None


def _chain_fits(_box: Box, _name: str, _path: Path, chain: Sequence[x509.Certificate]) -> Iterator[Verdict]:
    """Each certificate of the file is followed by the one that issued it."""
    for lower, upper in pairwise(chain):
        try:
            lower.verify_directly_issued_by(upper)
        except (ValueError, TypeError, InvalidSignature):
            yield fault(
                "its chain is in disorder: each must be followed by its issuer",
                "write certificate, then issuers, into it",
            )
            return


def _of_this_machine(_box: Box, _name: str, path: Path, _chain: Sequence[x509.Certificate]) -> Iterator[Verdict]:
    try:
        machines = bound_to(path.read_bytes())
        if machines and machine_hash() not in machines:
            yield fault("it is bound to another machine", "issue one for this machine (docs/certificates.md)")
    except ConfigurationError as error:
        yield fault(error.message, error.hint)


_RULES: tuple[Rule, ...] = (_key_fits, _chain_fits, _of_this_machine)
