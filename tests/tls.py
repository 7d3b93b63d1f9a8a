"""Certificates for servers of a test's own, by an authority that only the test trusts."""

import ssl
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


class Authority:
    """Signs for any name. `asked` notes the name each client named (SNI); `client` is what trusts it."""

    def __init__(self) -> None:
        self.asked: list[str | None] = []
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Test authority")])
        own = self._certificate(self._name, self._key, x509.BasicConstraints(ca=True, path_length=0))
        self._pem = own.public_bytes(serialization.Encoding.PEM).decode()
        self._contexts: dict[str, ssl.SSLContext] = {}

    @property
    def client(self) -> ssl.SSLContext:
        return ssl.create_default_context(cadata=self._pem)

    def server(self, name: str | None = None) -> ssl.SSLContext:
        """For a server that is `name`, or else whatever name the client asks for."""
        context = self._context(name or "localhost")

        def choose(connection: ssl.SSLObject, asked: str | None, _: ssl.SSLContext) -> None:
            self.asked.append(asked)
            if name is None and asked is not None:
                connection.context = self._context(asked)

        context.sni_callback = choose
        return context

    def _context(self, name: str) -> ssl.SSLContext:
        if name not in self._contexts:
            key = ec.generate_private_key(ec.SECP256R1())
            subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
            certificate = self._certificate(subject, key, x509.SubjectAlternativeName([x509.DNSName(name)]))
            with tempfile.TemporaryDirectory() as folder:  # ssl reads files only
                chain = Path(folder) / "chain.pem"
                secret = key.private_bytes(
                    serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
                )
                chain.write_bytes(secret + certificate.public_bytes(serialization.Encoding.PEM))
                self._contexts[name] = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
                self._contexts[name].load_cert_chain(chain)
        return self._contexts[name]

    def _certificate(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, extension: x509.ExtensionType) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=1))
            .not_valid_after(now + timedelta(days=1))
            .add_extension(extension, critical=False)
            .sign(self._key, hashes.SHA256())
        )
