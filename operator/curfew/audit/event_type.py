"""What one kind of recorded event is: its name, its code, and its place in OCSF."""

from dataclasses import dataclass
from enum import IntEnum


class OcsfClass(IntEnum):
    """The OCSF 1.8 classes that our records belong to."""

    DETECTION_FINDING = 2004
    ENTITY_MANAGEMENT = 3004
    USER_ACCESS_MANAGEMENT = 3005
    API_ACTIVITY = 6003


CREATE, UPDATE, DELETE = 1, 3, 4  # activities of Entity Management
ASSIGN, REVOKE = 1, 2  # activities of User Access Management
RAISE, RESOLVE = 1, 3  # activities of Detection Finding
OTHER = 99


@dataclass(frozen=True, slots=True)
class EventType:
    """One kind of record."""

    name: str
    code: str
    ocsf_class: OcsfClass
    activity_id: int
    meaning: str
    detail: tuple[str, ...] = ()  # the names of all fields that its `detail` may hold; unknown values are left out

    @property
    def activity_name(self) -> str:
        """OCSF's name of the activity; if OCSF has none, ours."""
        return _ACTIVITIES.get((self.ocsf_class, self.activity_id), self.name)

    @property
    def severity_id(self) -> int:
        """OCSF severity: 1 informational, 3 medium, 4 high."""
        return {"I": 1, "W": 3, "E": 4}[self.code[-1]]


_ACTIVITIES = {
    (OcsfClass.ENTITY_MANAGEMENT, CREATE): "Create",
    (OcsfClass.ENTITY_MANAGEMENT, UPDATE): "Update",
    (OcsfClass.ENTITY_MANAGEMENT, DELETE): "Delete",
    (OcsfClass.USER_ACCESS_MANAGEMENT, ASSIGN): "Assign Privileges",
    (OcsfClass.USER_ACCESS_MANAGEMENT, REVOKE): "Revoke Privileges",
    (OcsfClass.DETECTION_FINDING, RAISE): "Create",
    (OcsfClass.DETECTION_FINDING, RESOLVE): "Close",
    (OcsfClass.API_ACTIVITY, CREATE): "Create",
    (OcsfClass.API_ACTIVITY, 2): "Read",
    (OcsfClass.API_ACTIVITY, UPDATE): "Update",
    (OcsfClass.API_ACTIVITY, DELETE): "Delete",
}
