"""Object storage: buckets through obstore, folders by our own code, and the proof that a store keeps what is written.

`open_store` is the only function used from outside. No type of obstore or botocore leaves this package; all errors are
those of `ports`.
"""

from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

from curfew.adapters.objectstore.folder import FolderStore
from curfew.ports import ErasableStore, StoreUnavailable

BUCKET_SCHEMES = ("s3", "gs", "az")
LEAST_RETENTION = timedelta(days=1)
"""The shortest default retention a bucket can have."""


def open_store(url: str, *, retention: timedelta = LEAST_RETENTION) -> ErasableStore:
    """Return the store at `url`; no request is sent yet.

    `s3://bucket/prefix`, `gs://bucket/prefix` and `az://container/prefix` take their settings from the environment, as
    the tools of these clouds do: AWS_ENDPOINT_URL, AWS_REGION, AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or
    AWS_PROFILE; AWS_ALLOW_HTTP; GOOGLE_SERVICE_ACCOUNT, GOOGLE_BASE_URL and GOOGLE_ALLOW_HTTP;
    AZURE_STORAGE_ACCOUNT_NAME, AZURE_STORAGE_ACCOUNT_KEY, AZURE_STORAGE_ENDPOINT and AZURE_ALLOW_HTTP; a web identity,
    the role of the machine. `file:///folder` is a folder on this machine. The store counts as write-once only if
    objects are locked for at least `retention`.

    Raise `StoreUnavailable` with a sentence for people if the address cannot be one of a store.
    """
    parts = urlsplit(url)
    if "@" in parts.netloc:
        # Not quoted here: the part before the @ may be a secret.
        raise StoreUnavailable("The address of a store holds no credentials; those come from the environment.")
    if parts.scheme == "file":
        return FolderStore(_folder(url))
    if parts.scheme in BUCKET_SCHEMES:
        if not parts.netloc:
            raise StoreUnavailable(f"{url} names no bucket; write {parts.scheme}://BUCKET/PREFIX.")
        from curfew.adapters.objectstore.bucket import (
            open_bucket,  # the import takes a tenth of a second, and folders do not need it
        )

        return open_bucket(url, retention=retention)
    raise StoreUnavailable(
        f"{url} is not the address of a store; write s3://BUCKET/PREFIX, gs://BUCKET/PREFIX, az://CONTAINER/PREFIX or "
        "file:///FOLDER."
    )


def _folder(url: str) -> Path:
    parts = urlsplit(url)
    if parts.netloc not in ("", "localhost") or not parts.path.startswith("/"):
        raise StoreUnavailable(f"{url} is not the address of a folder; write three slashes: file:///FOLDER.")
    # A path is taken literally: percent signs, question marks and the like are characters of its name.
    return Path(url.split("://", 1)[1].removeprefix("localhost"))
