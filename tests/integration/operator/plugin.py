"""`kubectl curfew` as a person types it: with their own kubeconfig, in a namespace, and what it printed."""

import asyncio
from dataclasses import dataclass

from click.testing import CliRunner

from curfew.cli.plugin import plugin
from tests.integration.operator.place import Place


@dataclass(frozen=True, slots=True)
class Typed:
    """What a command printed, and its exit code."""

    code: int
    output: str
    errors: str

    def done(self) -> str:
        """Return the output, or fail with what went wrong."""
        assert self.code == 0, f"{self.code}: {self.output}{self.errors}"
        return self.output

    def refused(self, code: int = 1) -> str:
        """Return the error, or fail if there is none."""
        assert self.code == code, f"{self.code}: {self.output}{self.errors}"
        return self.errors


@dataclass(frozen=True, slots=True)
class Plugin:
    """The plugin in a namespace."""

    place: Place

    async def __call__(self, user: str, *args: str) -> Typed:
        """Type a command as alice, bob, carol, dave or the admin. Nobody can be asked anything: it is no terminal."""
        environment = self.place.cluster.environment.cluster
        result = await asyncio.to_thread(
            CliRunner().invoke,
            plugin,
            [*args, f"--namespace={self.place.namespace}", f"--user={user}"],
            env={**environment.environ(), "KUBECTL_PATH": str(environment.kubectl_path)},
        )
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        return Typed(result.exit_code, result.stdout, result.stderr)
