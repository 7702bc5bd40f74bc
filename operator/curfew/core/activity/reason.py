"""What RBAC gives as the reason why it allowed a call: which binding, of which role, to whom.

Kubernetes writes the reason with Go's `%q` (plugin/pkg/auth/authorizer/rbac and pkg/registry/rbac/validation), so each name
is a Go string literal, and a name that holds quotes cannot pretend to be more than a name. Other authorizers write other
reasons; they name no RoleBinding.
"""

import re
from dataclasses import dataclass
from typing import Final

_NAME: Final = r'"((?:[^"\\\x00-\x1f\x7f]|\\[^\n])*+)"'
_REASON: Final = re.compile(
    rf"RBAC: allowed by (RoleBinding|ClusterRoleBinding) {_NAME} of (Role|ClusterRole) {_NAME}"
    rf" to (User|Group|ServiceAccount) {_NAME}"
)
_ESCAPE: Final = re.compile(
    r"((?:\\x[89a-f][0-9a-f])++)|\\(?:([abfnrtv\\\"])|x([01][0-9a-f]|7f)|u([0-9a-f]{4})|U([0-9a-f]{8})|.)"
)
_LETTERS: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", '"': '"'}


@dataclass(frozen=True, slots=True)
class RbacReason:
    """The binding that allowed a call, as RBAC names it."""

    binding_kind: str  # RoleBinding or ClusterRoleBinding
    binding: str
    namespace: str  # of the binding; empty for a ClusterRoleBinding
    role_kind: str  # Role or ClusterRole
    role: str
    subject_kind: str  # User, Group or ServiceAccount
    subject: str  # for a service account, its namespace and name with a slash between


def parse(text: str) -> RbacReason | None:
    """Return what a reason names, or None if RBAC did not write it."""
    found = _REASON.fullmatch(text)
    if found is None:
        return None
    binding_kind, quoted_binding, role_kind, quoted_role, subject_kind, quoted_subject = found.groups()
    try:
        binding, role, subject = map(_unquoted, (quoted_binding, quoted_role, quoted_subject))
        namespace = ""
        # RBAC writes the name first, and no name of Kubernetes' holds a slash.
        if binding_kind == "RoleBinding":
            binding, namespace = binding.split("/")
        if subject_kind == "ServiceAccount":
            name, of_account = subject.split("/")
            subject = f"{of_account}/{name}"
    except ValueError:
        return None
    return RbacReason(binding_kind, binding, namespace, role_kind, role, subject_kind, subject)


def _unquoted(literal: str) -> str:
    """Return the value of a Go string literal without its quotes, or raise ValueError if Go would not write it so.

    Bytes that are not UTF-8 become U+FFFD each, as in Go's JSON. So the name is the same here as in the rest of the event.
    """
    return _ESCAPE.sub(_meant, literal) if "\\" in literal else literal


def _meant(escape: "re.Match[str]") -> str:
    raw_bytes, letter, control, short, long = escape.groups()
    if letter is not None:
        return _LETTERS[letter]
    if raw_bytes is not None:
        return "\ufffd" * (len(raw_bytes) // len(r"\xff"))
    digits = control or short or long
    if digits is None:
        raise ValueError(f"Go has no such escape: {escape[0]}")
    code = int(digits, 16)
    if 0xD800 <= code <= 0xDFFF:
        raise ValueError("half of a character")
    return chr(code)
