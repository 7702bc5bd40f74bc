"""Sessions while the API server cannot deliver its events."""

from typing import Final

from tests.integration.monitor.script import Answer, Script
from tests.integration.monitor.scripted_setting import CREATES, SETTINGS
from tests.integration.monitor.steps import types

NOT_WHOLE: Final = "the feed of audit events is not known to be whole"

LATE: Final = (
    Script(
        "only reads, and the feed is late",
        before=(SETTINGS,),
        steps=(types("get pods"),),
        unheard=(types("get configmap settings"),),
        answer=Answer("No", "read one object and one list", reads=2),
        log={"call.read": 2},
    ),
    Script(
        "a change, and the feed is late",
        steps=(),
        unheard=(types(CREATES),),
        answer=Answer("Yes", "changed one object", writes=1, changed=("configmaps/made",)),
        log={"call.created": 1},
    ),
)
"""Sessions during which, and at whose end, the API server cannot deliver its events. It can afterwards."""

DOWN: Final = (
    Script(
        "a change that nobody hears of, because the feed is down",
        steps=(types("get pods"),),
        unheard=(types(CREATES),),
        answer=Answer("Unknown", "read one list", reads=1, reasons=(NOT_WHOLE,)),
        log={"call.read": 1},
    ),
    Script(
        "a change before the feed is down",
        steps=(types(CREATES),),
        unheard=(types("get configmap made"),),
        answer=Answer("Yes", "changed one object", writes=1, changed=("configmaps/made",)),
        log={"call.created": 1},
    ),
    Script(
        "no use at all, and the feed is down",
        steps=(),
        unheard=(),
        answer=Answer("Unknown", "no use of the access was seen", reasons=(NOT_WHOLE,), sources=()),
        log={},
    ),
)
"""Sessions in the middle of which the API server cannot deliver its events, and drops them."""
