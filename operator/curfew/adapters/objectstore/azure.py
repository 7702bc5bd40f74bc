"""How a blob is locked, by its properties in Azure (Get Blob Properties), requested with a signed address.

obstore can sign an address but cannot return the headers of the answer. The policy of a container as a whole cannot be
read in this way, so only the locks of single blobs (version-level immutability) can be seen.
"""

import asyncio
import urllib.error
import urllib.request
from collections.abc import Mapping
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

import obstore
from obstore.exceptions import BaseError

from curfew.adapters.objectstore.errors import translate
from curfew.adapters.objectstore.write_once import COMPLIANCE, UNREAD, Lock, LockSettings
from curfew.ports import StoreUnavailable

if TYPE_CHECKING:  # obstore has these names for type checkers only
    from obstore.store import AzureStore

SIGNED_FOR = timedelta(minutes=1)
TIMEOUT_SECONDS = 5

UNTIL = "x-ms-immutability-policy-until-date"
MODE = "x-ms-immutability-policy-mode"


async def look(client: "AzureStore", name: str, where: str) -> LockSettings:
    """Return how a blob is locked, or raise `StoreUnavailable`."""
    try:
        # Azure's permission to read covers the properties too.
        address = await obstore.sign_async(client, "GET", name, SIGNED_FOR)
    except (BaseError, OSError) as error:
        raise translate(error, name, where) from error
    return seen(await asyncio.to_thread(_headers, address, where), where)


def seen(headers: Mapping[str, str], where: str) -> LockSettings:
    """Return the lock that the properties of a blob show. A policy that is not locked protects nothing."""
    if UNTIL not in headers or MODE not in headers:
        why = (
            f"The blobs in {where} show no immutability policy. Set one at the level of versions, with a default "
            "retention; Curfew cannot see a policy that holds only for a container as a whole."
        )
    elif headers[MODE].lower() != "locked":
        why = f"The immutability policy of the blobs in {where} is {headers[MODE].lower()}, so it can be removed. Lock it."
    else:
        holds = parsedate_to_datetime(headers[UNTIL]) - parsedate_to_datetime(headers["last-modified"])
        return LockSettings(versioning=UNREAD, locking=UNREAD, stamped=Lock(COMPLIANCE, holds))
    return LockSettings(versioning=UNREAD, locking=UNREAD, unread=(why,))


def _headers(address: str, where: str) -> dict[str, str]:
    request = urllib.request.Request(address, method="HEAD")  # noqa: S310  obstore made it, for http or https
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310  the same
            return {name.lower(): value for name, value in answer.headers.items()}
    except urllib.error.HTTPError as error:
        # Without the address, which holds a signature.
        raise StoreUnavailable(f"How {where} locks its blobs cannot be read: it answered {error.code}.") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise StoreUnavailable(f"How {where} locks its blobs cannot be read: {reason}.") from None
