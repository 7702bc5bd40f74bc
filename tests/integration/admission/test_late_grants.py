"""A grant that an operator sent in time, and that arrives when it is over: nothing comes of it."""

import json
import time
from contextlib import closing
from datetime import UTC, datetime, timedelta
from http import HTTPStatus

import pytest

from curfew.api.times import format_time
from tests.integration.admission.asking import RBAC, World
from tests.integration.installed import OPERATOR
from tools.servers.pki import ADMIN


@pytest.mark.parametrize(
    ("ends_in", "status", "says"),
    [
        pytest.param(timedelta(hours=1), HTTPStatus.CREATED, "", id="in time"),
        pytest.param(timedelta(seconds=2), HTTPStatus.FORBIDDEN, "a grant is not over before it begins", id="late"),
    ],
)
def test_a_call_that_was_on_its_way_at_the_end(world: World, ends_in: timedelta, status: HTTPStatus, says: str) -> None:
    """The API server sets the time of creation when it has the whole call, and admission reads that."""
    now = datetime.now(UTC)
    end = now + ends_in
    starts = format_time(now - timedelta(minutes=1))
    grant = json.dumps(world.binding(starts_at=starts, expires_at=format_time(end))).encode()
    path = f"/apis/{RBAC}/v1/namespaces/{world.namespace}/rolebindings"
    with closing(world.cluster.api.connect(ADMIN)) as connection:
        connection.putrequest("POST", path)
        for name, value in {"Content-Type": "application/json", "Impersonate-User": OPERATOR}.items():
            connection.putheader(name, value)
        connection.putheader("Content-Length", str(len(grant)))
        connection.endheaders(grant[:-1])
        # The time itself is what is waited for: the end of the grant that is over by then.
        time.sleep(max(0.0, 2.1 - (datetime.now(UTC) - now).total_seconds()))

        connection.send(grant[-1:])
        answer = connection.getresponse()
        said = answer.read().decode()

    assert answer.status == status
    assert says in said
