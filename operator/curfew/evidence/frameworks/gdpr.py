"""GDPR, Regulation (EU) 2016/679: the articles that access to personal data bears on."""

from curfew.evidence.frameworks.controls import Control, Framework
from curfew.evidence.topics import (
    APPROVAL,
    ASKING,
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

WHICH_DATA = "Which roles reach personal data, and whose data: the record of processing has to state that."

GDPR = Framework(
    key="gdpr",
    name="GDPR",
    edition="Regulation (EU) 2016/679",
    controls=(
        Control(
            "Art. 5(1)(c), (e)",
            "As little data, and for as short a time, as needed",
            "Personal data is limited to what is needed, and not kept for longer.",
            (PERSONAL_DATA, RETENTION),
        ),
        Control(
            "Art. 5(1)(f)",
            "Integrity and confidentiality",
            "Personal data is protected from unauthorized access.",
            (LEAST, APPROVAL, ENDING),
            (WHICH_DATA,),
        ),
        Control(
            "Art. 5(2)",
            "Accountability",
            "The controller can show that the rules are kept.",
            (RECORDING, INTEGRITY, CONTINUITY),
        ),
        Control(
            "Art. 25",
            "Data protection by design and by default",
            "By default, personal data is open to no more people than necessary.",
            (LEAST, ENDING),
            (WHICH_DATA,),
        ),
        Control(
            "Art. 30",
            "Records of processing",
            "Processing and its safeguards are on record.",
            (RECORDING,),
            ("The record of processing itself; this log is one of the safeguards that it describes.",),
        ),
        Control(
            "Art. 32(1)(b), (d)",
            "Security of processing",
            "Confidentiality and integrity are ensured, and tested regularly.",
            (APPROVAL, SEPARATION, WATCHING, INTEGRITY),
        ),
        Control(
            "Art. 32(4)",
            "People act on instructions",
            "People with access process data only as instructed.",
            (ASKING, APPROVAL),
        ),
        Control(
            "Art. 33",
            "Notification of breaches",
            "A breach is notified within 72 hours, with its facts on record.",
            (EMERGENCY, WATCHING, RECORDING),
            ("Whether there was a breach: the log shows who could have reached data and when, not what was read.",),
        ),
    ),
    silent=(
        ("Art. 6, 9", "The legal basis of processing."),
        ("Art. 12 to 22", "The rights of the people concerned, except those about their names in this log."),
        ("Art. 28", "Contracts with processors."),
        ("Art. 44 to 49", "Transfers to third countries: the contract for the log's store has to state where it is."),
    ),
)
