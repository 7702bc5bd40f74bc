"""The keys of what is given a turn."""

from curfew.api.access_policy import AccessPolicy
from curfew.api.access_request import AccessRequest
from curfew.core.keys import PolicyKey, RequestKey
from tests.support.builders import a_policy, a_request

META = {"uid": "u", "resourceVersion": "1"}


def test_a_policy_has_the_same_key_however_it_is_met() -> None:
    body, asked = a_policy(), a_request()
    body["metadata"] |= META
    asked["metadata"] |= META
    policy, request = AccessPolicy.model_validate(body), AccessRequest.model_validate(asked)

    assert PolicyKey.of(policy) == PolicyKey.of_body(body) == PolicyKey.named_by(request)
    assert str(PolicyKey.of(policy)) == "payments/debug"
    assert str(RequestKey.of(request)) == "u"


def test_a_policy_is_never_taken_for_a_request() -> None:
    keys = {RequestKey("payments/debug"), PolicyKey("payments", "debug")}

    assert len(keys) == 2
