"""PCI DSS v4.0.1."""

from curfew.evidence.frameworks.controls import Control, Framework
from curfew.evidence.topics import (
    APPROVAL,
    ASKING,
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

PCI = Framework(
    key="pci-dss",
    name="PCI DSS",
    edition="v4.0.1",
    controls=(
        Control(
            "7.2.1",
            "Model for access",
            "Access follows a model of needs and roles.",
            (LEAST,),
            ("The model: it is in your policies and roles.",),
        ),
        Control(
            "7.2.2",
            "Least privilege",
            "Access fits the job and gives no more than needed.",
            (LEAST, ENDING),
        ),
        Control(
            "7.2.3",
            "Approval",
            "Privileges are approved by people who are authorized to.",
            (APPROVAL, SEPARATION, EMERGENCY),
        ),
        Control(
            "7.2.4",
            "Review of access every six months",
            "All access is reviewed, and inappropriate access is removed.",
            (ENDING,),
            ("The review of standing access. Access under Curfew ends by itself and needs a new approval each time.",),
        ),
        Control(
            "7.3.1, 7.3.2, 7.3.3",
            "System that controls access",
            "A system restricts access by need to know, enforces it, and denies by default.",
            (APPROVAL, LEAST),
            ("That nothing except Curfew grants access: list the standing role bindings.",),
        ),
        Control(
            "8.2.1, 8.2.2",
            "One identity for each person",
            "Every user has an identity of their own; shared ones are the exception.",
            (ASKING,),
            ("That nobody shares a user name. Groups and system accounts are never granted access by Curfew.",),
        ),
        Control(
            "8.2.4",
            "Changes of identities and their rights",
            "Adding, changing and removing rights is authorized and done as approved.",
            (APPROVAL, ENDING),
            ("The accounts themselves.",),
        ),
        Control(
            "10.2.1.2",
            "Administrative actions are logged",
            "What is done with administrative access is logged.",
            (RECORDING,),
        ),
        Control(
            "10.2.1.5",
            "Changes of privileges are logged",
            "Elevation and changes of access are logged.",
            (RECORDING, APPROVAL),
        ),
        Control(
            "10.2.1.6",
            "Start and stop of logs are logged",
            "Starting, stopping and pausing of logs is logged.",
            (CONTINUITY,),
        ),
        Control(
            "10.2.2",
            "What an entry contains",
            "Who, what kind of event, when, the outcome, the origin, and what was affected.",
            (RECORDING,),
            ("The address that a request came from, unless the API server's audit log is joined with this one.",),
        ),
        Control(
            "10.3.2, 10.3.3, 10.3.4",
            "Logs are protected",
            "Logs cannot be changed, are stored apart, and changes are noticed.",
            (INTEGRITY, CONTINUITY),
        ),
        Control(
            "10.4.1",
            "Logs are reviewed daily",
            "Security events are looked at every day.",
            (WATCHING,),
            ("That somebody looked. This report is made once for a period; daily review is yours.",),
        ),
        Control(
            "10.5.1",
            "Twelve months of logs",
            "Logs are kept for twelve months, the last three at hand.",
            (RETENTION,),
        ),
        Control(
            "10.7.2",
            "Failures are noticed",
            "Failures of security controls, logging among them, are noticed and answered.",
            (CONTINUITY, WATCHING),
        ),
    ),
    silent=(
        ("8.3, 8.4", "How people authenticate."),
        ("8.2.5, 8.2.6", "Accounts of those who left, or do not use them."),
        ("10.2.1.1, 10.2.1.3", "Access to cardholder data, and to logs, by each person."),
        ("10.6", "Synchronized clocks."),
    ),
)
