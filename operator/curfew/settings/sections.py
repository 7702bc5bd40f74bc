"""Sections that the settings of several processes have: limits, where health is served, and what is logged."""

from datetime import timedelta
from typing import Annotated, Final, Literal

from pydantic import Field

from curfew.api.times import Duration
from curfew.settings.values import Section, between

_MAX_GRANT: Final = timedelta(days=31)  # the longest grant that the CustomResourceDefinitions let anybody ask for


class LimitSettings(Section):
    """Limits that no policy can exceed."""

    max_grant: Annotated[Duration, between(timedelta(minutes=1), _MAX_GRANT)] = Field(
        default=timedelta(hours=24), examples=["24h"]
    )


class ServerSettings(Section):
    """Where health and metrics are served. Port 0: any that is free."""

    host: str = Field(default="0.0.0.0", min_length=1, examples=["0.0.0.0"])  # noqa: S104  probes come from outside
    port: int = Field(default=8080, strict=True, ge=0, le=65535, examples=[8080])


class LogSettings(Section):
    """What is logged, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = Field(default="info", examples=["info"])
    format: Literal["json", "console"] = Field(default="json", examples=["json"])
