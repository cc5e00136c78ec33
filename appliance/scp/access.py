"""Who may open an association: a pure decision over the configured peers."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from appliance.model.records import ConflictPolicy
from appliance.scp.certificate import ClientCertificate
from appliance.scp.pdu import CALLED_NOT_RECOGNISED, CALLING_NOT_RECOGNISED, Rejection, Titles


@dataclass(frozen=True, slots=True)
class Peer:
    """A calling AE title the operator knows, and what holds for its objects.

    `address` is an IP address, a network in CIDR notation, or "" for anywhere. `transfer_syntaxes`
    replaces the order in which transfer syntaxes are preferred; empty means the default order. With
    `certificates` (fingerprints) it must come by TLS and show one of them.
    """

    ae_title: str
    address: str = ""
    assumed_charset: str = ""
    conflict_policy: ConflictPolicy = ConflictPolicy.ASK
    transfer_syntaxes: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()

    def shows(self, certificate: ClientCertificate | None) -> bool:
        """Whether a caller with this certificate, None without one, may be this peer."""
        return not self.certificates or (certificate is not None and certificate.fingerprint in self.certificates)

    def lives_at(self, address: str) -> bool:
        """Whether this peer may call from `address` (a bare IP address)."""
        if not self.address:
            return True
        return _bare(address) in ipaddress.ip_network(self.address, strict=False)


@dataclass(frozen=True, slots=True)
class Admission:
    """The answer to one request: the peer that may come in, or the rejection and why."""

    peer: Peer | None
    rejection: Rejection | None = None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class AllowList:
    """The rules of one door.

    A known AE title must also call from its address and show its certificate, where it has them. A
    certificate that names AE titles or addresses is good for these alone.
    """

    ae_title: str
    peers: Sequence[Peer]
    accept_unknown: bool
    require_called_ae: bool = False

    def decide(self, titles: Titles, address: str, certificate: ClientCertificate | None = None) -> Admission:
        """Admit or reject a caller: the bare IP address it calls from, the certificate it has shown by TLS."""
        if self.require_called_ae and titles.called != self.ae_title:
            return Admission(None, CALLED_NOT_RECOGNISED, "called AE title is not ours")
        if certificate is not None and not certificate.is_for(titles.calling):
            return Admission(None, CALLING_NOT_RECOGNISED, "certificate of another AE title")
        if certificate is not None and not certificate.is_of(address):
            return Admission(None, CALLING_NOT_RECOGNISED, "certificate of another address")
        known = [peer for peer in self.peers if peer.ae_title == titles.calling]
        near = [peer for peer in known if peer.lives_at(address)]
        for peer in near:
            if peer.shows(certificate):
                return Admission(peer)
        if near:
            return Admission(None, CALLING_NOT_RECOGNISED, "known AE title, not its certificate")
        if known:
            return Admission(None, CALLING_NOT_RECOGNISED, "known AE title, unexpected address")
        if self.accept_unknown:
            return Admission(Peer(ae_title=titles.calling))
        return Admission(None, CALLING_NOT_RECOGNISED, "unknown calling AE title")


def accepts_unknown(setting: bool | None, host: str) -> bool:
    """The meaning of `accept_unknown`: unset, strangers are welcome on a loopback address only."""
    if setting is not None:
        return setting
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _bare(address: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address:
    parsed = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(parsed, ipaddress.IPv6Address) and parsed.ipv4_mapped is not None:
        return parsed.ipv4_mapped
    return parsed


def bare_address(address: str) -> str:
    """An address as it is compared and logged: no zone, IPv4-mapped IPv6 as IPv4."""
    return str(_bare(address))
