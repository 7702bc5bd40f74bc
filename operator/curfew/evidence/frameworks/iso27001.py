"""ISO/IEC 27001:2022, Annex A."""

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
    PERSONAL_DATA,
    RECORDING,
    RETENTION,
    SEPARATION,
    WATCHING,
)

ISO27001 = Framework(
    key="iso27001",
    name="ISO/IEC 27001",
    edition="2022 edition, Annex A",
    controls=(
        Control(
            "A.5.3",
            "Segregation of duties",
            "Conflicting duties belong to different people.",
            (SEPARATION, APPROVAL),
        ),
        Control(
            "A.5.15",
            "Access control",
            "Rules for access exist and are enforced.",
            (LEAST, APPROVAL),
            ("That the policies follow from the business's rules.",),
        ),
        Control(
            "A.5.16",
            "Identity management",
            "Identities are managed over their whole life.",
            (ASKING,),
            ("The life of accounts, which the identity provider keeps; Curfew takes the name that was authenticated.",),
        ),
        Control(
            "A.5.18",
            "Access rights",
            "Rights are given, reviewed, changed and removed by the rules.",
            (ASKING, APPROVAL, ENDING),
            ("Periodic reviews of standing rights; access under Curfew ends by itself.",),
        ),
        Control(
            "A.5.28",
            "Collection of evidence",
            "Evidence of events is found, collected and preserved.",
            (INTEGRITY, RECORDING),
        ),
        Control(
            "A.5.33",
            "Protection of records",
            "Records are protected from loss, destruction and falsification.",
            (INTEGRITY, RETENTION, CONTINUITY),
        ),
        Control(
            "A.5.34",
            "Privacy",
            "Personal data is protected as the law demands.",
            (PERSONAL_DATA,),
        ),
        Control(
            "A.8.2",
            "Privileged access rights",
            "Privileged access is restricted and managed.",
            (LEAST, APPROVAL, EMERGENCY, ENDING),
        ),
        Control(
            "A.8.3",
            "Restriction of access to information",
            "Access to information follows the policy.",
            (LEAST,),
            ("Which information a role reaches: compare the rules of the roles.",),
        ),
        Control(
            "A.8.15",
            "Logging",
            "Events are recorded, kept, protected and analysed.",
            (RECORDING, INTEGRITY, CONTINUITY),
        ),
        Control(
            "A.8.16",
            "Monitoring",
            "Systems are watched for unusual behaviour, and it is evaluated.",
            (WATCHING, EMERGENCY, SEPARATION),
        ),
        Control(
            "A.8.32",
            "Change management",
            "Changes go through a procedure.",
            (CHANGE,),
        ),
    ),
    silent=(
        ("A.5.17, A.8.5", "Secrets for authentication, and how people authenticate."),
        ("A.8.17", "That clocks are synchronized: records carry the operator's clock, seals never go back."),
        ("A.8.18", "Utility programs that get past controls."),
    ),
)
