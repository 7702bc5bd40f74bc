"""Each code of the doctor's has a section, which begins with what the code means; the codes never change their meaning."""

import re
from pathlib import Path
from typing import Final

from curfew.core.doctor.diagnosis import CODES, PAGE

TOP: Final = Path(__file__).parents[2]
TEXT: Final = (TOP / PAGE).read_text()


def test_each_code_has_a_section_and_each_section_a_code() -> None:
    sections = re.findall(r"^### (D\d{3})\n\n\*\*(.+?)\.\*\*", TEXT, re.MULTILINE)
    assert sections == [(code, meaning.title) for code, meaning in CODES.items()]
    assert re.findall(r"^### (.+)$", TEXT, re.MULTILINE) == list(CODES)
