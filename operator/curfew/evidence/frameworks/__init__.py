"""The controls of each framework that access records bear on, in our own words.

Numbers are those of the frameworks; the short description of a control does not replace its text.
"""

from collections.abc import Mapping
from types import MappingProxyType

from curfew.evidence.frameworks.controls import Control, Framework
from curfew.evidence.frameworks.gdpr import GDPR
from curfew.evidence.frameworks.iso27001 import ISO27001
from curfew.evidence.frameworks.nist import NIST
from curfew.evidence.frameworks.pci import PCI
from curfew.evidence.frameworks.soc2 import SOC2

__all__ = ["FRAMEWORKS", "Control", "Framework"]

FRAMEWORKS: Mapping[str, Framework] = MappingProxyType(
    {framework.key: framework for framework in (SOC2, ISO27001, GDPR, PCI, NIST)}
)
"""All frameworks, by the name they have on the command line."""
