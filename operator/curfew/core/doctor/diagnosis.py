"""A finding of the doctor: a stable code, how grave it is, what was found where, and what to do next."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, NamedTuple

PAGE: Final = "docs/doctor.md"
"""Where each code has a section, whose anchor is the code in small letters."""


class Gravity(StrEnum):
    """How grave a finding is."""

    CRITICAL = "critical"  # a promise of Curfew's is broken, or nothing is granted
    WARNING = "warning"  # somebody should look at it
    NOTE = "note"  # worth knowing; a healthy cluster can have it
    UNCHECKED = "unchecked"  # it could not be checked


class Code(NamedTuple):
    """What a code means, and how grave it usually is."""

    gravity: Gravity
    title: str


CODES: Final[Mapping[str, Code]] = {
    # --- Curfew itself ----------------------------------------------------------------------------------------------
    "D001": Code(Gravity.CRITICAL, "Curfew is not installed here"),
    "D002": Code(Gravity.UNCHECKED, "Something could not be checked"),
    "D003": Code(Gravity.CRITICAL, "Curfew is installed more than once"),
    "D004": Code(Gravity.NOTE, "Your own clock is off"),
    # --- what the API server enforces -------------------------------------------------------------------------------
    "D101": Code(Gravity.CRITICAL, "An admission policy is missing"),
    "D102": Code(Gravity.CRITICAL, "An admission policy refuses nothing"),
    "D103": Code(Gravity.CRITICAL, "An admission policy does not apply everywhere"),
    "D104": Code(Gravity.WARNING, "A rule of Curfew's was changed by hand"),
    "D105": Code(Gravity.CRITICAL, "The operator found an admission policy out of force"),
    "D106": Code(Gravity.CRITICAL, "A definition is missing"),
    # --- Curfew's own rights ----------------------------------------------------------------------------------------
    "D201": Code(Gravity.WARNING, "An account of Curfew's lacks a right"),
    "D202": Code(Gravity.WARNING, "An account of Curfew's has a right too many"),
    "D203": Code(Gravity.WARNING, "A policy offers a role that Curfew may not grant"),
    "D204": Code(Gravity.WARNING, "A token of an account of Curfew's never ends"),
    # --- who can go around Curfew -----------------------------------------------------------------------------------
    "D300": Code(Gravity.WARNING, "Somebody can do everything"),
    "D301": Code(Gravity.WARNING, "Somebody can change what the API server enforces"),
    "D302": Code(Gravity.WARNING, "Somebody can bind a role, or write rules, beyond their own rights"),
    "D303": Code(Gravity.WARNING, "Somebody can act as somebody else"),
    "D304": Code(Gravity.WARNING, "Somebody can issue certificates for people"),
    "D305": Code(Gravity.WARNING, "Somebody can get a token of Curfew's"),
    "D306": Code(Gravity.WARNING, "Somebody can run something in Curfew's namespace"),
    "D307": Code(Gravity.WARNING, "Somebody can read Curfew's secrets"),
    "D308": Code(Gravity.WARNING, "Somebody can change Curfew's settings"),
    "D309": Code(Gravity.WARNING, "Somebody can write policies"),
    "D310": Code(Gravity.WARNING, "Somebody holds a governed role without Curfew"),
    # --- whether it runs --------------------------------------------------------------------------------------------
    "D401": Code(Gravity.CRITICAL, "The operator is not ready"),
    "D402": Code(Gravity.CRITICAL, "No operator leads"),
    "D403": Code(Gravity.WARNING, "Curfew's clock is off"),
    "D404": Code(Gravity.WARNING, "There is no sweeper"),
    "D405": Code(Gravity.WARNING, "The sweeper does not run"),
    "D406": Code(Gravity.CRITICAL, "Access outlives its end"),
    "D407": Code(Gravity.WARNING, "A policy cannot be used"),
    "D408": Code(Gravity.CRITICAL, "Curfew does not know which locks there are"),
    "D409": Code(Gravity.CRITICAL, "Two operators lead"),
    # --- the record -------------------------------------------------------------------------------------------------
    "D501": Code(Gravity.CRITICAL, "The bucket is not proved to be write-once"),
    "D502": Code(Gravity.WARNING, "The bucket need not be write-once"),
    "D503": Code(Gravity.CRITICAL, "The log takes no records"),
    "D504": Code(Gravity.CRITICAL, "A segment did not read back as it was stored"),
    "D505": Code(Gravity.CRITICAL, "The log does not fit its newest checkpoint"),
    "D506": Code(Gravity.CRITICAL, "Two logs have one name"),
    "D507": Code(Gravity.NOTE, "There is no monitor"),
    "D508": Code(Gravity.WARNING, "The feed of audit events is not whole"),
    "D509": Code(Gravity.WARNING, "The monitor does not do all its work"),
    # --- certificates and tokens ------------------------------------------------------------------------------------
    "D601": Code(Gravity.WARNING, "A certificate ends soon"),
    "D602": Code(Gravity.WARNING, "A token ends soon"),
}


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """A finding. `about` is what it is about, and stays the same as long as the finding does; `what` may have figures."""

    code: str
    about: str
    what: str  # a sentence
    next: str  # what to do, as a sentence
    path: str = ""  # by which binding, role and rule somebody has a right
    grave: Gravity | None = None  # if it is not as grave as the code usually is

    @property
    def gravity(self) -> Gravity:
        """How grave it is."""
        return self.grave or CODES[self.code].gravity

    @property
    def key(self) -> str:
        """What makes it the same finding as one of an earlier look."""
        return f"{self.code} {self.about}"

    @property
    def page(self) -> str:
        """Where the code is explained."""
        return f"{PAGE}#{self.code.lower()}"

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON."""
        path = {"path": self.path} if self.path else {}
        said = {"about": self.about, "what": self.what, **path, "next": self.next, "page": self.page}
        return {"code": self.code, "gravity": str(self.gravity), "title": CODES[self.code].title, **said}
