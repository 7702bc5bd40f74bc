"""What is quoted in Go's way is read back as it was, whatever is in the names."""

import unicodedata

from hypothesis import given
from hypothesis import strategies as st

from curfew.core.activity.reason import RbacReason, parse

SHORT = {"\a": "a", "\b": "b", "\f": "f", "\n": "n", "\r": "r", "\t": "t", "\v": "v"}


def quoted(name: str) -> str:
    """Return a name as Go's `%q` writes it (strconv.Quote; The Go Programming Language Specification, string literals)."""
    return f'"{"".join(map(_written, name))}"'


def _written(char: str) -> str:
    if char in '"\\':
        return f"\\{char}"
    # IsPrint: letters, marks, numbers, punctuation, symbols and the ASCII space.
    if char == " " or unicodedata.category(char)[0] in "LMNPS":
        return char
    if char in SHORT:
        return f"\\{SHORT[char]}"
    code = ord(char)
    if code < 0x20 or code == 0x7F:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


NAMES = st.text(st.characters(exclude_categories=["Cs"])) | st.text('"\\/ ofRolet xu\n\a0')
OF_OBJECTS = NAMES.map(lambda name: name.replace("/", ""))


@given(st.sampled_from(["Role", "ClusterRole"]), OF_OBJECTS, OF_OBJECTS, NAMES, NAMES)
def test_a_role_binding_comes_back(role_kind: str, binding: str, namespace: str, role: str, user: str) -> None:
    text = (
        f"RBAC: allowed by RoleBinding {quoted(f'{binding}/{namespace}')}"
        f" of {role_kind} {quoted(role)} to User {quoted(user)}"
    )

    assert parse(text) == RbacReason("RoleBinding", binding, namespace, role_kind, role, "User", user)


@given(NAMES, NAMES, st.sampled_from(["User", "Group"]), NAMES)
def test_a_cluster_role_binding_comes_back(binding: str, role: str, kind: str, subject: str) -> None:
    text = f"RBAC: allowed by ClusterRoleBinding {quoted(binding)} of ClusterRole {quoted(role)} to {kind} {quoted(subject)}"

    assert parse(text) == RbacReason("ClusterRoleBinding", binding, "", "ClusterRole", role, kind, subject)


@given(st.text() | st.text('"\\/ofRolet xuU89aRBAC:').map(lambda text: f'RBAC: allowed by RoleBinding "{text}"'))
def test_any_text_is_read_or_is_none(text: str) -> None:
    found = parse(text)

    assert found is None or found.binding_kind in text
