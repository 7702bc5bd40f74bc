"""What is kept of the roles that were read is bounded, and never more than what has the digest."""

from curfew.core.terms import Role
from curfew.processes.operator.role_contents import RoleContents


def a_role(name: str, size: int = 100) -> Role:
    """Return a role whose rules have about this many bytes."""
    return Role("Role", name, name, ({"apiGroups": [""], "resources": [name * size], "verbs": ["get"]},))


def test_what_was_used_last_is_kept() -> None:
    contents = RoleContents(most=500)
    first, second, third = map(a_role, "abc")
    contents.keep(first)
    contents.keep(second)
    assert contents.of(first.rules_digest) == first.rules
    contents.keep(first)
    contents.keep(third)
    contents.keep(a_role("d"))

    assert contents.of(second.rules_digest) is None
    assert contents.of(third.rules_digest) == third.rules


def test_a_role_larger_than_everything_is_not_kept() -> None:
    contents = RoleContents(most=500)
    contents.keep(large := a_role("a", 1000))
    contents.keep(small := a_role("b"))

    assert contents.of(large.rules_digest) is None
    assert contents.of(small.rules_digest) == small.rules
