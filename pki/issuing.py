"""Gives certificates and keys out: register first, then the files, then the live link. Only inside `changing()`."""

from __future__ import annotations

import datetime as dt

from cryptography.hazmat.primitives.asymmetric import ed25519

from pki import keys, lineage, names
from pki.authority import Authority, certificate_files
from pki.errors import Exists, Refused
from pki.layout import KEY, Layout
from pki.ledger import Ledger
from pki.lineage import Generation, Record
from pki.profiles import SIGNING, Order
from pki.request import Request

PUBLIC_KEY = "public.pem"


def vacant(layout: Layout, name: str, *, replace: bool) -> None:
    """Raise Exists when a lineage is there and not to be replaced, Refused when there is none to replace."""
    there = lineage.exists(layout, name)
    if there and not replace:
        hint = f"renew it (renew --name {name} --force), or issue it with other names: --replace"
        raise Exists(f"the lineage {name} is there already", hint=hint)
    if replace and not there:
        raise Refused(f"there is no lineage {name} to replace", hint="leave --replace out")


def issue(
    layout: Layout,
    authority: Authority,
    record: Record,
    *,
    now: dt.datetime,
    key: keys.Issuing | None = None,
) -> Generation:
    """Make the order's key (or take `key`), sign for it, make both live; durable on return.

    Raises Refused (see `Authority.sign`) and OSError; then the generation before stays live.
    """
    issued = authority.issue(record.order, now=now, key=key)
    name = record.order.lineage
    Ledger(layout.ledger).issued(name, issued.certificate, record.order.said(), now=now)
    return lineage.publish(layout, name, issued.files(), record)


def sign(layout: Layout, authority: Authority, record: Record, request: Request, *, now: dt.datetime) -> Generation:
    """Sign the order for a request's key and make the certificate live, without a key; durable on return.

    Raises what `issue` raises.
    """
    return certify(layout, authority, record, request.public_key, now=now)


def certify(
    layout: Layout, authority: Authority, record: Record, public_key: keys.PublicKey, *, now: dt.datetime
) -> Generation:
    """Sign the order for a key that is not here; as `sign`."""
    certificate = authority.sign(record.order, public_key, now=now)
    name = record.order.lineage
    Ledger(layout.ledger).issued(name, certificate, record.order.said(), now=now)
    return lineage.publish(layout, name, certificate_files(certificate, authority.certificate), record)


def signing_key(layout: Layout, site: str, *, group: int | None = None) -> Generation:
    """Make the Ed25519 pair that a site signs its records with; the public half is public.pem. Raises Refused."""
    key = ed25519.Ed25519PrivateKey.generate()
    files = {KEY: keys.private_pem(key), PUBLIC_KEY: keys.public_pem(key)}
    record = Record(signing_order(site), group=group)
    return lineage.publish(layout, record.order.lineage, files, record)


def signing_order(site: str) -> Order:
    """Return the order of a signing key: it is no certificate, has no names and no end. Raises Refused."""
    return Order(SIGNING, names.site_id(site), "ed25519", 0)
