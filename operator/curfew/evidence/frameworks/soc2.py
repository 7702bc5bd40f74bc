"""SOC 2: the Trust Services Criteria for security."""

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
    SEPARATION,
    WATCHING,
)

SOC2 = Framework(
    key="soc2",
    name="SOC 2",
    edition="Trust Services Criteria 2017, points of focus revised 2022: common criteria",
    controls=(
        Control(
            "CC6.1",
            "Logical access",
            "Only authorized people reach protected systems, and controls enforce that.",
            (ASKING, LEAST, ENDING),
            ("How people authenticate, and other ways to the same systems.",),
        ),
        Control(
            "CC6.2",
            "Granting and removing access",
            "Access is authorized before it is given, and taken away when it is no longer needed.",
            (ASKING, APPROVAL, ENDING),
            ("Joiners and leavers: accounts themselves are made and removed by the identity provider.",),
        ),
        Control(
            "CC6.3",
            "Roles, least privilege, separation of duties",
            "Access follows roles, gives no more than needed, and is not decided by the person who wants it.",
            (APPROVAL, SEPARATION, LEAST, ENDING),
        ),
        Control(
            "CC7.2",
            "Monitoring for anomalies",
            "The system is watched for signs of misuse and failure.",
            (WATCHING, CONTINUITY, INTEGRITY),
        ),
        Control(
            "CC7.3",
            "Evaluating security events",
            "Events that may be incidents are looked at and judged.",
            (EMERGENCY, SEPARATION, WATCHING),
            ("That the exceptions of this report were followed up: that evidence is in your incident records.",),
        ),
        Control(
            "CC7.4",
            "Responding to incidents",
            "Incidents are answered in a defined way, with what happened on record.",
            (EMERGENCY, RECORDING),
            ("The response itself, beside the access that was used for it.",),
        ),
        Control(
            "CC8.1",
            "Changes",
            "Changes are authorized, recorded and made as approved.",
            (CHANGE, APPROVAL),
            ("What was changed under the access, and whether it was tested.",),
        ),
    ),
    silent=(
        ("CC6.4, CC6.5", "Physical access and disposal of media."),
        ("CC6.6, CC6.7", "Boundaries of the network and data in transit."),
        ("CC6.8", "Malicious software."),
        ("CC7.1", "Vulnerabilities and configuration, but for changes of access policies and roles."),
    ),
)
