"""Users, groups, owners and modes: who may read images, secrets and keys."""

from __future__ import annotations

import grp
import os
import pwd
import shlex
import stat
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from appliance import places
from appliance.care.doctor.box import Box
from appliance.care.doctor.certificates import PROXY
from appliance.care.doctor.eyes import READ, rooms_may
from appliance.care.doctor.finding import Verdict, fault, ok, skipped, together
from appliance.care.doctor.front import front

OTHERS = stat.S_IRWXO
SECRET_KEYS = ("tls_key", "password_file", "token_file", "signature_key_file")


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the package sets up a directory as; "" and None where it says nothing."""

    path: Path
    owner: str
    group: str
    mode: int


PACKAGED = (
    Wanted(places.HOME, places.USER, places.GROUP, 0o751),
    Wanted(places.HOME / "archive", places.USER, places.FILES_GROUP, 0o2750),
    Wanted(places.RUNTIME, places.USER, places.GROUP, 0o751),
    Wanted(places.CREDENTIALS, "root", "root", 0o700),
)


def accounts(box: Box, _subject: str) -> Verdict:
    """See whether the users and groups of the package are there, with each other as they should be."""
    if not box.is_packaged:
        return skipped("not installed as a package: it has no users of its own")
    troubles = [
        fault(f"there is no {kind} {name}", "run: systemd-sysusers")
        for kind, known, name in (
            ("user", _known_user, places.USER), ("group", _known_group, places.GROUP),
            ("group", _known_group, places.FILES_GROUP),
        ) if not known(name)
    ]  # fmt: skip
    if not troubles:
        members = grp.getgrnam(places.FILES_GROUP).gr_mem
        if _known_user(places.PROXY_USER) and places.PROXY_USER not in members:
            mend = f"run: usermod -aG {places.FILES_GROUP} {places.PROXY_USER} && systemctl restart nginx"
            troubles.append(fault(f"{places.PROXY_USER} is no member of {places.FILES_GROUP}: no image is sent", mend))
        if places.PROXY_USER in grp.getgrnam(places.GROUP).gr_mem:
            mend = f"run: gpasswd -d {places.PROXY_USER} {places.GROUP}"
            troubles.append(fault(f"{places.PROXY_USER} is a member of {places.GROUP}: it can read everything", mend))
    return together(troubles, ok(f"{places.USER}, {places.GROUP} and {places.FILES_GROUP} are there"))


def _known_user(name: str) -> bool:
    try:
        pwd.getpwnam(name)
    except KeyError:
        return False
    return True


def _known_group(name: str) -> bool:
    try:
        grp.getgrnam(name)
    except KeyError:
        return False
    return True


def home(box: Box, _subject: str) -> Verdict:
    """Look at who owns the home and what others may do there."""
    path = box.settings.home
    if not path.is_dir():
        return fault(f"{path} is not there", "mount its disk, or run: appliance init")
    if box.is_packaged:
        return together(
            [one for wanted in PACKAGED for one in _as_wanted(box, wanted)], ok("as the package set them up")
        )
    found = path.stat()
    troubles = list(_not_for_others(path)) + [one for name in _data(box) for one in _not_for_others(name)]
    if not box.is_root and found.st_uid != box.user:
        whose = _user_name(found.st_uid)
        troubles.append(fault(f"{path} belongs to {whose}, this is another user", f"run the verbs as {whose}: sudo -u"))
    return together(troubles, ok(f"{path} belongs to {_user_name(found.st_uid)}, and is not for others"))


def _data(box: Box) -> list[Path]:
    layout = box.layout
    named = (layout.root, layout.spool, layout.quarantine, layout.database, layout.home / "access.db")
    return [path for path in named if path.exists()]


def _not_for_others(path: Path) -> Iterator[Verdict]:
    """The home itself may be passed through (0751); reading and writing are nobody else's."""
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & (stat.S_IROTH | stat.S_IWOTH):
        yield fault(f"{path} is open to everybody on this machine (mode {mode:04o})", f"run: chmod o-rw {path}")


def _as_wanted(box: Box, wanted: Wanted) -> Iterator[Verdict]:
    path = box.place(wanted.path)
    try:
        found = path.stat()
    except FileNotFoundError:
        mend = f"run: install -d -o {wanted.owner} -g {wanted.group} -m {wanted.mode:04o} {wanted.path}"
        yield fault(f"{wanted.path} is not there", mend)
        return
    mode, owner, group = stat.S_IMODE(found.st_mode), _user_name(found.st_uid), _group_name(found.st_gid)
    if (owner, group) != (wanted.owner, wanted.group):
        mend = f"run: chown {wanted.owner}:{wanted.group} {wanted.path}"
        yield fault(f"{wanted.path} belongs to {owner}:{group}, not to {wanted.owner}:{wanted.group}", mend)
    if mode != wanted.mode:
        mend = f"run: chmod {wanted.mode:04o} {wanted.path}"
        yield fault(f"{wanted.path} has mode {mode:04o}, not {wanted.mode:04o}", mend)


def strangers(box: Box, _subject: str) -> Verdict:
    """Look for files of another owner at the top of the home: what root has left there, a room cannot write."""
    path = box.settings.home
    if not path.is_dir():
        return skipped("there is no home yet")
    owner = path.stat().st_uid
    with os.scandir(path) as entries:
        found = sorted(entry.name for entry in entries if entry.stat(follow_symlinks=False).st_uid != owner)
    if found:
        whose = _user_name(owner)
        named = " ".join(shlex.quote(str(path / name)) for name in found)
        return fault(f"in {path} belong to somebody else: {', '.join(found)}", f"run: chown -R {whose}: {named}")
    return ok("everything in the home has one owner")


def secrets(box: Box) -> Sequence[str]:
    """Name the keys of the configuration that hold secrets, wherever they stand, and the package's own keys."""
    return (*_secrets(box), *_keys(box))


def secret(box: Box, key: str) -> Verdict:
    """See that a secret is there, is read by its owner alone, and holds something."""
    own = _keys(box).get(key)
    path = box.place(own) if own else box.file(_secrets(box)[key], key)
    assert path is not None
    try:
        found = path.stat()
    except OSError as error:
        if isinstance(error, PermissionError):
            raise
        return fault(f"{path} is not there", f"put the file there, or correct {key}")
    mode = stat.S_IMODE(found.st_mode)
    if not stat.S_ISREG(found.st_mode) or not found.st_size:
        return fault(f"{path} is empty, or no file", f"write the secret into it, or correct {key}")
    if mode & OTHERS or mode & (stat.S_IWGRP | stat.S_IXGRP):
        return fault(f"{path} has mode {mode:04o}: others may use it", f"run: chmod {_fit(box, found)} {path}")
    if not own and _secrets(box)[key].is_absolute() and not rooms_may(box, path, READ):
        whose = _user_name(box.settings.home.stat().st_uid)
        return fault(f"{path} cannot be read by {whose}, as whom the rooms run", f"run: chown {whose}: {path}")
    return ok(f"{path} has mode {mode:04o}")


def _keys(box: Box) -> dict[str, Path]:
    """Keys that no room reads: of nginx, which reads them as root, and of the box's own authority."""
    if not box.is_packaged:
        return {}
    named = {path: f"{PROXY} {path}" for path in front(box).keys}
    authority = places.PKI / "ca" / "key.pem"
    if os.path.lexists(box.place(authority)):
        named[authority] = "authority's key"
    return {name: path for path, name in named.items()}


def _fit(box: Box, found: os.stat_result) -> str:
    """The mode of a secret: its owner's alone; its group's, too, where root's file was given to a group."""
    try:
        if found.st_gid == 0:
            return "0600"
        return "0600" if found.st_uid == box.settings.home.stat().st_uid else "0640"
    except OSError:
        return "0600"


def _secrets(box: Box) -> dict[str, Path]:
    return dict(_named(box.settings.model_dump(), ""))


def _named(value: Any, path: str) -> Iterator[tuple[str, Path]]:
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        here = f"{path}.{name}" if path else str(name)
        if name in SECRET_KEYS and isinstance(inner, Path):
            yield here, inner
        else:
            yield from _named(inner, here)


def _user_name(number: int) -> str:
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def _group_name(number: int) -> str:
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)
