"""What can go wrong with the development servers, in sentences for the person at the keyboard."""


class ServersError(Exception):
    """Something could not be built, started or reached; the message says what and what to do."""


class CommandFailed(ServersError):
    """A command against the cluster ended with an error."""

    def __init__(self, command: str, returncode: int, stdout: str, stderr: str) -> None:
        """Keep all that the command said; a test may want to look into it."""
        super().__init__(f"`{command}` ended with {returncode}:\n{(stderr or stdout).strip()}")
        self.returncode = returncode
        self.stdout = stdout
        self.stderr = stderr


class AddressInUse(ServersError):
    """Another process took a port between our choice and the server's start."""
