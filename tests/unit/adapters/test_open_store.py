"""Addresses of stores: which are good, and what is said of those that are not."""

import pytest

from curfew.adapters.objectstore import open_store
from curfew.ports import StoreUnavailable


@pytest.mark.parametrize(
    "url",
    ["s3://bucket", "s3://bucket/a/prefix", "gs://bucket/prefix", "file:///var/lib/curfew", "file:///with%20percent"],
)
def test_a_store_knows_where_it_is(url: str) -> None:
    assert open_store(url).url == url


def test_a_slash_at_the_end_changes_nothing() -> None:
    assert open_store("s3://bucket/prefix/").url == "s3://bucket/prefix"
    assert open_store("file:///folder/").url == "file:///folder"


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        pytest.param("", " is not the address of a store; write s3://BUCKET/PREFIX", id="empty"),
        pytest.param(
            "/var/lib/curfew", "/var/lib/curfew is not the address of a store; write s3://BUCKET/PREFIX", id="path"
        ),
        pytest.param("http://host/bucket", "http://host/bucket is not the address of a store", id="another scheme"),
        pytest.param("s3://", "s3:// names no bucket; write s3://BUCKET/PREFIX.", id="no bucket"),
        pytest.param("s3:///prefix", "s3:///prefix names no bucket", id="no bucket, but a prefix"),
        pytest.param(
            "file://folder", "file://folder is not the address of a folder; write three slashes", id="slashes"
        ),
        pytest.param("file:", "file: is not the address of a folder", id="no folder"),
        pytest.param(
            "az://container/prefix", "az://container/prefix cannot be used with these settings: ", id="account"
        ),
    ],
)
def test_an_address_that_cannot_be_one_is_refused_in_words(url: str, sentence: str) -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_store(url)
    assert str(refused.value).startswith(sentence)


def test_credentials_in_an_address_are_not_repeated() -> None:
    with pytest.raises(StoreUnavailable) as refused:
        open_store("s3://key:secret@bucket/prefix")
    assert "secret" not in str(refused.value)
