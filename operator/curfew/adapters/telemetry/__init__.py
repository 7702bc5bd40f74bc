"""Numbers for Prometheus: a method for each thing that is measured, one class for each process."""

from curfew.adapters.telemetry.monitor import MonitorTelemetry
from curfew.adapters.telemetry.operator import Telemetry

__all__ = ["MonitorTelemetry", "Telemetry"]
