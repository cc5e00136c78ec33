"""What every route asks for: the one table from endpoint to permission. A route that is not in it is refused.

To add a route: add its endpoint ("blueprint.endpoint") to the group below whose rule fits. The rule says
which permission it needs, whether it is a page (a person without a login is led to the login page; a
program, by any other route, is answered 401), and whether it shows patient data (the centre is then told
that it was read, and by whom).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

from appliance.access.roles import Permission


@dataclass(frozen=True, slots=True)
class Rule:
    """What a route asks for. `permission` None: nothing, everybody who reaches the port may have it."""

    permission: Permission | None
    page: bool = False
    patient: bool = False


EVERYBODY: Final = Rule(None)
PAGE: Final = Rule(Permission.READ, page=True, patient=True)
DATA: Final = Rule(Permission.READ, patient=True)

_GROUPS: Final[tuple[tuple[Rule, tuple[str, ...]], ...]] = (
    # Nothing in these belongs to this box alone, or to a patient: files of the pages, the way in, health.
    (EVERYBODY, (
        "static", "ohif.configuration", "ohif.file", "health.alive", "health.ready",
        "login.page", "login.enter", "login.leave", "setup.page", "setup.enter",
    )),
    (PAGE, ("pages.studies", "pages.study", "viewer.page")),
    (Rule(Permission.READ, page=True), ("ohif.home", "ohif.viewer")),
    (Rule(Permission.STORE, page=True), ("pages.upload",)),
    (Rule(Permission.OWN, page=True), ("account.page", "account.change")),
    (Rule(Permission.READ), ("api.changes", "api.description")),
    (Rule(Permission.MEASURE), ("health.metrics",)),
    # Who may only annotate is held to that object by object: web/annotations.py.
    (Rule(Permission.ANNOTATE), ("stow.studies", "stow.study")),
    (Rule(Permission.EXPORT, patient=True), ("export.study",)),
    (DATA, (
        "qido.studies", "qido.series", "qido.instances", "qido.studies_study_uid_series",
        "qido.studies_study_uid_instances", "qido.studies_study_uid_series_series_uid_instances",
        "wado.study", "wado.series", "wado.instance", "wado_uri.retrieve", "frames.frames",
        "metadata.study", "metadata.series", "metadata.instance", "metadata.bulkdata", "viewer.stacks",
    )),
    (DATA, tuple(f"rendered.rendered_{level}" for level in ("study", "series", "instance", "frames"))),
    (DATA, tuple(f"rendered.thumbnail_{level}" for level in ("study", "series", "instance", "frames"))),
)  # fmt: skip

RULES: Final[Mapping[str, Rule]] = MappingProxyType(
    {endpoint: rule for rule, endpoints in _GROUPS for endpoint in endpoints}
)
