"""NIST SP 800-53, revision 5."""

from curfew.evidence.frameworks.controls import Control, Framework
from curfew.evidence.topics import (
    APPROVAL,
    ASKING,
    CHANGE,
    CONTINUITY,
    EMERGENCY,
    ENDING,
    INTEGRITY,
    LEAST,
    RECORDING,
    RETENTION,
    SEPARATION,
    WATCHING,
)

NIST = Framework(
    key="nist-800-53",
    name="NIST SP 800-53",
    edition="revision 5",
    controls=(
        Control(
            "AC-2",
            "Account management",
            "Access to accounts and roles is requested, approved, watched and removed.",
            (ASKING, APPROVAL, ENDING),
            ("The accounts themselves.",),
        ),
        Control(
            "AC-2(2)",
            "Temporary and emergency access is removed by itself",
            "Access that was given for a time or an emergency is removed automatically.",
            (ENDING, EMERGENCY),
        ),
        Control(
            "AC-2(4)",
            "Account actions are audited",
            "Making, changing and removing access is recorded automatically.",
            (RECORDING, WATCHING),
        ),
        Control(
            "AC-3",
            "Enforcement",
            "Approved authorizations are enforced.",
            (APPROVAL, WATCHING),
            ("That each API call was checked: Kubernetes RBAC does that.",),
        ),
        Control(
            "AC-5",
            "Separation of duties",
            "Conflicting duties are separated, and access supports that.",
            (SEPARATION, APPROVAL),
        ),
        Control(
            "AC-6",
            "Least privilege",
            "People get only the access that their task needs.",
            (LEAST, ENDING),
        ),
        Control(
            "AC-6(9)",
            "Use of privileged functions is logged",
            "What is done with privileges is recorded.",
            (RECORDING,),
        ),
        Control(
            "AU-2, AU-12",
            "Events to log, and their generation",
            "The events that matter are named, and records of them are made.",
            (RECORDING, CONTINUITY),
        ),
        Control(
            "AU-3",
            "Content of records",
            "A record shows what happened, when, where, from where, with what outcome, and who did it.",
            (RECORDING,),
            ("The address that a request came from, unless the API server's audit log is joined with this one.",),
        ),
        Control(
            "AU-5",
            "Failures of logging",
            "A failure of logging is noticed and answered.",
            (CONTINUITY,),
        ),
        Control(
            "AU-6",
            "Review and analysis",
            "Records are reviewed for unusual activity, and it is reported.",
            (WATCHING, SEPARATION),
        ),
        Control(
            "AU-9, AU-9(3)",
            "Protection of audit information",
            "Records are protected from change and deletion, by cryptography among others.",
            (INTEGRITY,),
        ),
        Control(
            "AU-10",
            "Non-repudiation",
            "It can be proved that somebody did something.",
            (INTEGRITY, APPROVAL),
            (
                "A signature by the person: records name the user whom the API server authenticated, and Curfew signs them.",
            ),
        ),
        Control(
            "AU-11",
            "Retention",
            "Records are kept for as long as is required.",
            (RETENTION,),
        ),
        Control(
            "CM-3, CM-5",
            "Changes, and who may make them",
            "Changes are controlled, and access to make them is restricted.",
            (CHANGE, APPROVAL),
            ("What was changed under the access.",),
        ),
    ),
    silent=(
        ("AC-7, AC-11, AC-12", "Failed logons, locked devices, ended sessions."),
        ("AU-8", "Synchronized clocks: records carry the operator's clock, in UTC, to the millisecond."),
        ("IA family", "How people are identified and authenticated."),
    ),
)
