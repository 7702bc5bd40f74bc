"""What botocore reads of its descriptions of AWS: less than it would by itself, and with the same result."""

from typing import Any, Final

import botocore.session
import pytest

from curfew.adapters.objectstore.aws import Aws

REGIONS: Final = ("eu-west-1", "us-gov-west-1", "cn-north-1")
"""One of each partition that is open to the public, or nearly."""


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have keys, so that none are looked for."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("service", ["s3", "sts", "sso", "sso-oidc", "signin"])
def test_each_service_that_is_asked_is_found_where_botocore_finds_it(service: str) -> None:
    """The store, and what gives credentials."""
    ours, plain = Aws().session(), botocore.session.Session()

    assert [_address(ours, service, region) for region in REGIONS] == [
        _address(plain, service, region) for region in REGIONS
    ]


def test_what_nobody_asks_for_is_not_kept() -> None:
    """The addresses of all services take 9 MB."""
    partitions = Aws().session().get_data("endpoints")["partitions"]

    assert len(partitions) > 2
    assert all(len(partition["services"]) <= 6 for partition in partitions)


def test_a_description_that_is_not_there_is_an_error_as_before() -> None:
    with pytest.raises(botocore.session.UnknownServiceError):
        Aws().session().create_client("no-such-service", region_name="eu-west-1")


def _address(session: Any, service: str, region: str) -> str:
    address: str = session.create_client(service, region_name=region).meta.endpoint_url
    return address
