"""Creating an AlertResponse with the caller's own kubectl."""

from collections.abc import Mapping
from typing import Any

import click

from curfew.api.names import API_VERSION
from curfew.audit.wording import printable
from curfew.cli.kubectl import Kubectl, KubectlFailed


def create_response(kubectl: Kubectl, prefix: str, spec: Mapping[str, Any]) -> str:
    """Create an AlertResponse in the caller's name, and return its name. Raise `click.ClickException` if that fails."""
    try:
        manifest = {
            "apiVersion": API_VERSION,
            "kind": "AlertResponse",
            "metadata": {"generateName": f"{prefix}-"},
            "spec": {**spec, "submittedBy": kubectl.who_am_i()},
        }
        created = kubectl.create(manifest)
    except KubectlFailed as error:
        raise click.ClickException(str(error)) from error
    return printable(str(created["metadata"]["name"]))
