"""Certificates say who a person is, and private files are private."""

from pathlib import Path

import yaml
from cryptography import x509
from cryptography.x509.oid import NameOID

from tools.servers import kubeconfig
from tools.servers.pki import PEOPLE, Authority, key_pair, write_private


def test_a_person_is_the_common_name_of_their_certificate() -> None:
    identity = Authority("test").client(PEOPLE["alice"], ["developers"])

    subject = x509.load_pem_x509_certificate(identity.certificate).subject
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.COMMON_NAME)] == ["alice@example.com"]
    assert [name.value for name in subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME)] == ["developers"]


def test_a_certificate_is_from_its_authority() -> None:
    authority = Authority("test")
    certificate = x509.load_pem_x509_certificate(authority.server("api", ["127.0.0.1", "localhost"]).certificate)

    certificate.verify_directly_issued_by(x509.load_pem_x509_certificate(authority.certificate))
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert [str(address) for address in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_service_account_keys_are_a_pair_of_pem_files() -> None:
    private, public = key_pair()

    assert b"PRIVATE KEY" in private
    assert b"PUBLIC KEY" in public


def test_a_private_file_replaces_one_that_was_open_to_all(tmp_path: Path) -> None:
    path = tmp_path / "key"
    path.write_text("old")
    path.chmod(0o644)

    write_private(path, b"new")

    assert path.read_bytes() == b"new"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_kubeconfig_has_a_context_per_person(tmp_path: Path) -> None:
    authority = Authority("test")
    people = {name: authority.client(user) for name, user in PEOPLE.items()}
    path = kubeconfig.write_for_people(
        tmp_path / "kubeconfig", server="https://127.0.0.1:1", ca=authority.certificate, people=people, current="bob"
    )

    config = yaml.safe_load(path.read_bytes())
    assert [context["name"] for context in config["contexts"]] == list(PEOPLE)
    assert config["current-context"] == "bob"


def test_a_kubeconfig_can_name_a_token_or_a_file_that_holds_one(tmp_path: Path) -> None:
    def user_of(token: str | Path) -> object:
        path = kubeconfig.write_for_token(tmp_path / "k", server="https://127.0.0.1:1", ca=b"ca", token=token)
        return yaml.safe_load(path.read_bytes())["users"][0]["user"]

    assert user_of("abc") == {"token": "abc"}
    assert user_of(tmp_path / "token") == {"tokenFile": str(tmp_path / "token")}
