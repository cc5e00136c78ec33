"""The gate: who sends a request, and whether the route in hand is for them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from urllib.parse import urlencode

from flask import Request, Response, g, redirect
from werkzeug.http import parse_cookie

from appliance.access.identity import NOBODY, Identity
from appliance.access.roles import Permission
from appliance.archive.settings import ArchiveSettings
from appliance.dicomweb.problems import Problem
from appliance.errors import ArchiveError
from appliance.http.proxies import Said, said
from appliance.web.answers import problem_answer
from appliance.web.authenticators import Authenticator, BadProof, Proof
from appliance.web.cookies import NAMES, session_of
from appliance.web.page import page
from appliance.web.permissions import RULES, Rule
from appliance.web.principal import Principal

LOGIN = "/login"
ONCE = "once"
FROM_OUTSIDE = frozenset({"cross-site", "same-site"})
CHALLENGE = 'Bearer realm="dicom-edge-appliance"'
INVALID_TOKEN = ', error="invalid_token"'


class Gate:
    """Judges requests by a table of authenticators and the table of routes."""

    def __init__(
        self, settings: ArchiveSettings, authenticators: Sequence[Authenticator], forget: Callable[[str], None]
    ) -> None:
        """The authenticators are asked in order; the first that knows the sender counts.

        `forget` takes a secret that has just ceased to prove anything.
        """
        self._settings = settings
        self._authenticators = tuple(authenticators)
        self.forget = forget

    def admit(self, request: Request) -> Principal | Response:
        """Return who may go on, or the answer that ends the request: 303, 401, 403."""
        g.principal = self._principal(NOBODY)
        rule = RULES.get(request.endpoint or "")
        try:
            identity = self._identify(request)
        except BadProof:
            return unauthorised(CHALLENGE + INVALID_TOKEN)
        if rule is not None and rule.permission is None:
            return self._principal(identity or NOBODY)
        if identity is None:
            return _stranger(request, rule)
        if rule is None and request.endpoint is not None:
            return problem_answer(Problem(403, "this route is not for anybody", "see web/permissions.py"))
        principal = self._principal(identity)
        if rule is not None and rule.permission is not None and not principal.may(rule.permission):
            return _forbidden(rule, rule.permission)
        return principal

    def knows(self, headers: Mapping[str, str], *, on_socket: bool = False) -> bool:
        """Say whether headers, by names in capitals, prove somebody who may store: before there is a request.

        Of certificates they say the truth on the socket of nginx alone.
        """
        given, authorization = parse_cookie(headers.get("COOKIE", "")), headers.get("AUTHORIZATION", "")
        shown = Said.read(lambda name: headers.get(name, "")) if on_socket else Said()
        proofs = [Proof(authorization, given.get(name, ""), True, shown.verify, shown.certificate) for name in NAMES]
        try:
            found = [identity for proof in proofs if (identity := self._known(proof)) is not None]
        except (BadProof, ArchiveError):
            return False
        return any(Permission.ANNOTATE in identity.permissions for identity in found)

    def _known(self, proof: Proof) -> Identity | None:
        found = (authenticator.identify(proof) for authenticator in self._authenticators)
        return next((identity for identity in found if identity is not None), None)

    def _identify(self, request: Request) -> Identity | None:
        shown, authorization = said(request.environ), request.headers.get("Authorization", "")
        return self._known(Proof(authorization, session_of(request), is_idle(request), shown.verify, shown.certificate))

    def _principal(self, identity: Identity) -> Principal:
        settings = self._settings
        return Principal(settings.site, settings.tenant, identity.name, identity.subject, identity.permissions)


def is_idle(request: Request) -> bool:
    """Say whether an open page asks by itself, which must not keep a session alive.

    Only pages do: a program that says so of data is on record for each of its requests all the same.
    """
    rule = RULES.get(request.endpoint or "")
    return request.endpoint == "api.changes" or (rule is not None and rule.page and "live" in request.args)


def unauthorised(challenge: str = CHALLENGE) -> Response:
    """Return the answer to a program that has not said who it is."""
    answer = problem_answer(Problem(401, "log in first, or send an API token", "see docs/access.md"))
    answer.headers["WWW-Authenticate"] = challenge
    return answer


def _forbidden(rule: Rule, permission: Permission) -> Response:
    if not rule.page:
        return problem_answer(Problem(403, f"this needs the permission to {permission}", "ask an administrator"))
    answer = page("forbidden.html")
    answer.status_code = 403
    return answer


def _stranger(request: Request, rule: Rule | None) -> Response:
    """Lead a person to the login page; answer anything else with 401, a path that does not exist too."""
    if rule is None or not rule.page or request.method != "GET":
        return unauthorised()
    outside = request.headers.get("Sec-Fetch-Site") in FROM_OUTSIDE
    if outside and not session_of(request) and ONCE not in request.args:
        # A link in another system led here, and then the browser leaves the cookie at home. It brings it
        # along when the page asks for itself once more.
        return page("once_more.html", here=f"{request.path}?{urlencode([*request.args.items(multi=True), (ONCE, 1)])}")
    wanted = request.full_path if request.query_string else request.path
    return redirect(f"{LOGIN}?{urlencode({'next': wanted})}", 303)  # type: ignore[return-value]
