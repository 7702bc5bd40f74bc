"""Where an API server is and how its identity and ours are shown in TLS."""

import ssl
from dataclasses import dataclass, replace
from typing import Self


@dataclass(frozen=True, slots=True)
class Access:
    """The way to one API server. Certificates and keys are files in PEM."""

    host: str  # its URL
    ca_file: str | None = None
    ca_data: str | bytes | None = None  # the same in PEM; without both, the system's authorities are trusted
    cert_file: str | None = None
    key_file: str | None = None
    is_verified: bool = True
    server_name: str | None = None  # the name in its certificate, if that is not the one in the URL
    proxy: str | None = None

    def anonymous(self) -> Self:
        """Return the way to the same API server without our certificate."""
        return replace(self, cert_file=None, key_file=None)

    def tls(self) -> ssl.SSLContext:
        """Read the certificates; raise `OSError` or `ValueError` for one that cannot be used."""
        context = ssl.create_default_context(cafile=self.ca_file, cadata=self.ca_data)
        if self.cert_file:
            context.load_cert_chain(self.cert_file, keyfile=self.key_file)
        if not self.is_verified:
            context.check_hostname = False
            context.verify_mode = ssl.CERT_NONE
        # Python 3.13 refuses certificates without an authority key identifier; some clusters have them. Chain and name are
        # verified all the same.
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        return context
