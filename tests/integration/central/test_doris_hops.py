"""Where a body and a password go: to the frontend that is configured, and to backends that are allowed."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import pytest

from appliance.central.doris_hops import Backends
from appliance.central.targets import Misdirected
from tests.builders.certificates import Authority
from tests.integration.central.doris_batches import DATABASE, batch, ddl, image, target
from tests.partners.doris.double import Doris

PATH = f"/api/{DATABASE}/dicom_image_meta/_stream_load"


@pytest.fixture
def doris(tmp_path: Path) -> Iterator[Doris]:
    """A cluster."""
    with Doris(tmp_path / "doris", ddl()) as double:
        yield double


def test_a_backend_that_is_not_allowed_gets_nothing(doris: Doris, tmp_path: Path) -> None:
    loader = target(doris, tmp_path, backends=("be1.example", "127.0.0.1:1"))
    with pytest.raises(Misdirected, match="not allowed") as told:
        loader.load(batch([image(1)]))
    assert "secret" not in told.value.message and [asked.door for asked in doris.asked] == ["fe"]
    loader.close()


@pytest.mark.parametrize("named", ["127.0.0.1", "127.0.0.1:{port}"])
def test_a_backend_may_be_named_with_or_without_its_port(doris: Doris, tmp_path: Path, named: str) -> None:
    loader = target(doris, tmp_path, backends=(named.format(port=doris.be_port),))
    assert loader.load(batch([image(1)])) == {}
    loader.close()


@pytest.mark.parametrize(
    "place", ["file:///etc/passwd", "ftp://127.0.0.1/x", "//:80/x", "http://", "http://[::1/x", "http://h:99999/x"]
)
def test_a_redirect_to_something_else_is_misdirected(doris: Doris, tmp_path: Path, place: str) -> None:
    doris.order("redirect", url=place)
    loader = target(doris, tmp_path)
    with pytest.raises(Misdirected):
        loader.load(batch([image(1)]))
    loader.close()


def test_what_the_redirect_carries_is_not_used(doris: Doris, tmp_path: Path) -> None:
    doris.order("redirect", url=f"http://evil:user@127.0.0.1:{doris.be_port}{PATH}")
    loader = target(doris, tmp_path)
    assert loader.load(batch([image(1)])) == {}
    assert doris.asked[-1].headers["host"] == f"127.0.0.1:{doris.be_port}"
    loader.close()


def test_a_backend_that_redirects_in_turn_is_not_followed(doris: Doris, tmp_path: Path) -> None:
    doris.order("redirect", url=f"{doris.url}{PATH}")
    loader = target(doris, tmp_path)
    with pytest.raises(Misdirected):
        loader.load(batch([image(1)]))
    loader.close()


def test_a_cluster_that_tells_the_trouble_in_its_answer_needs_no_error_log(doris: Doris, tmp_path: Path) -> None:
    told = "[DATA_QUALITY_ERROR]too many filtered rows. first_error_msg: column_name[columns], null value for not null"
    doris.order("fail", message=f"{told} column. Src line: Anna")
    loader = target(doris, tmp_path)
    assert loader.load(batch([image(1)]))[0].reason == "Doris refuses the row: columns is missing"
    loader.close()


def test_an_error_log_elsewhere_is_not_fetched(doris: Doris, tmp_path: Path) -> None:
    with Doris(tmp_path / "other", ddl()) as other:
        doris.order("fail", 9, message="[DATA_QUALITY_ERROR]too many filtered rows")
        doris.error_root = f"http://127.0.0.1:{other.be_port}"
        loader = target(doris, tmp_path)
        faults = loader.load(batch([image(1, columns=2**40)]))
        assert faults[0].reason == "Doris refuses the row" and other.asked == []
        loader.close()


def test_an_error_log_is_not_fetched_without_tls_where_rows_go_by_tls() -> None:
    url = "http://be.example:8040/api/_load_error_log?file=x"
    assert Backends(["be.example"], secure=True).error_log(url, "be.example:8040") == ""
    assert Backends(["be.example"], secure=False).error_log(url, "be.example:8040") == url


@pytest.fixture
def secured(tmp_path: Path) -> Iterator[tuple[Doris, Authority]]:
    """A cluster that speaks TLS, and the authority of its certificates."""
    authority = Authority(tmp_path)
    pair = authority.issue("doris")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pair.certificate, pair.key)
    with Doris(tmp_path / "secured", ddl(), context=context) as double:
        yield double, authority


def test_rows_go_over_tls_to_both(secured: tuple[Doris, Authority], tmp_path: Path) -> None:
    doris, authority = secured
    loader = target(doris, tmp_path, tls_ca=authority.certificate)
    assert list(loader.load(batch([image(1), image(2, columns=2**40)]))) == [1]
    assert len(doris.rows("dicom_image_meta")) == 1
    loader.close()


def test_a_frontend_of_another_authority_is_misdirected(secured: tuple[Doris, Authority], tmp_path: Path) -> None:
    doris, _ = secured
    loader = target(doris, tmp_path, tls_ca=Authority(tmp_path, "Other").certificate)
    with pytest.raises(Misdirected, match="not trusted"):
        loader.load(batch([image(1)]))
    assert doris.asked == []
    loader.close()


def test_a_secure_frontend_leads_to_a_plain_backend_only_where_that_is_allowed(
    doris: Doris, secured: tuple[Doris, Authority], tmp_path: Path
) -> None:
    frontend, authority = secured
    for allowed in (False, True):
        frontend.order("redirect", url=f"http://u:p@127.0.0.1:{doris.be_port}{PATH}")
        loader = target(frontend, tmp_path, tls_ca=authority.certificate, allow_plain_backends=allowed)
        if allowed:
            assert loader.load(batch([image(1)])) == {}
        else:
            with pytest.raises(Misdirected, match="without TLS"):
                loader.load(batch([image(1)]))
            assert doris.asked == []
        loader.close()
