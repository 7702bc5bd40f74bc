"""The meaning of a bucket's refusal: one table from the server's code to a sentence for people.

Answers are never quoted whole, because servers put keys and signatures into them; only the code and the message are.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from obstore.exceptions import AlreadyExistsError

from curfew.adapters.objectstore.aws import NoAwsCredentials
from curfew.core.masking import mask
from curfew.ports import ObjectExists, ObjectMissing, StoreError, StoreUnavailable

# The addresses from which a machine in a cloud would get credentials: a client that is sent there has none of its own.
METADATA_HOSTS = ("169.254.169.254", "metadata.google.internal", "169.254.170.2")
NOT_TO_BE_HAD = "The credentials for {where} cannot be obtained: {said}."
NO_CREDENTIALS = (
    "There are no credentials for {where}: set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY (or "
    "GOOGLE_SERVICE_ACCOUNT, or AZURE_STORAGE_ACCOUNT_NAME and "
    "AZURE_STORAGE_ACCOUNT_KEY), or give this machine or its service account a role."
)

WRONG_CREDENTIALS = "{host} does not accept the credentials ({said}). Set the credentials for {where}."
WRONG_REGION = "{where} is in another region ({said}). Set AWS_REGION to the region of the bucket."
NO_BUCKET = "{where} does not exist ({said}). Create it with versioning and Object Lock, or correct the address."

BY_CODE: Mapping[str, str] = {
    "NoSuchBucket": NO_BUCKET,
    "InvalidBucketName": NO_BUCKET,
    "ContainerNotFound": NO_BUCKET,
    "SignatureDoesNotMatch": WRONG_CREDENTIALS,
    "InvalidAccessKeyId": WRONG_CREDENTIALS,
    "XAdminUserNotFound": WRONG_CREDENTIALS,  # versitygw's word for an unknown access key, sent as 404
    "AuthenticationFailed": WRONG_CREDENTIALS,
    "ExpiredToken": WRONG_CREDENTIALS,
    "InvalidToken": WRONG_CREDENTIALS,
    "RequestTimeTooSkewed": "The clock of this machine and that of {host} differ too much ({said}). Set the clock.",
    "AuthorizationHeaderMalformed": WRONG_REGION,
    "PermanentRedirect": WRONG_REGION,
    "IllegalLocationConstraintException": WRONG_REGION,
}

# The meaning of an HTTP status, if the code has no entry above.
BY_STATUS: Mapping[int, str] = {
    401: WRONG_CREDENTIALS,
    403: (
        "Access to {where} is denied ({said}). Curfew needs to create, read and list objects there (s3:PutObject, "
        "s3:GetObject and s3:ListBucket), and no right to delete."
    ),
    404: "{host} did not find what Curfew asked for in {where} ({said}). Check the address and the bucket.",
    409: "{where} was busy with the same object ({said}). Curfew tries again.",
    429: "{host} asks to slow down ({said}).",
    501: "{host} cannot do what Curfew needs ({said}): it must create an object only if there is none of that name.",
}

EXISTS = "BlobAlreadyExists"
REFUSALS = (400, 403, 405, 409, 412, 501)

OTHER_ANSWER = "{host} answered for {where} with {said}."


@dataclass(frozen=True, slots=True)
class Answer:
    """What a server said when it refused: its code and message, and the HTTP status."""

    status: int
    code: str = ""
    message: str = ""

    def __str__(self) -> str:
        """Return the refusal in the words of the server."""
        named = f"{self.status} {self.code}".strip()
        return f"{named}: {self.message.rstrip('.')}" if self.message else named


def sentence(answer: Answer, host: str, where: str) -> str:
    """Return the meaning of a refusal, for people."""
    template = BY_CODE.get(answer.code) or BY_STATUS.get(answer.status, OTHER_ANSWER)
    return capitalised(template.format(host=host, where=where, said=answer))


def capitalised(text: str) -> str:
    """Return a sentence with a capital first letter; the name of a host keeps its small one."""
    return f"The {text.removeprefix('the ')}" if text.startswith("the ") else text


def translate(error: Exception, name: str, where: str) -> StoreError:
    """Return the error of `ports` for an error of obstore; `name` is the requested object.

    obstore has only a few error classes and puts the rest into their text, so the text is parsed. An error that cannot
    be parsed becomes `StoreUnavailable`, which promises nothing. Text that looks like a secret is masked.
    """
    meant = _meaning(error, name, where)
    return type(meant)(mask(str(meant)))


def _meaning(error: Exception, name: str, where: str) -> StoreError:
    text = str(error)
    answer = _answer(text)
    host = _host(text) or where
    if isinstance(error, AlreadyExistsError) and (answer is None or answer.status == 412 or answer.code == EXISTS):
        # 412 is the answer to If-None-Match, except Azure's. Another 409 is a collision with another call whose result
        # is unknown.
        return ObjectExists(f"{name} exists in {where}.")
    if isinstance(error, FileNotFoundError) and (answer is None or answer.code not in BY_CODE):
        return ObjectMissing(f"{name} does not exist in {where}.")
    if provider := re.search(r"credential provider: (\w+): ([^\n]+)", text):
        if provider[1] == NoAwsCredentials.__name__:
            return StoreUnavailable(NO_CREDENTIALS.format(where=where))
        return StoreUnavailable(NOT_TO_BE_HAD.format(where=where, said=provider[2].strip().rstrip(".")))
    if any(host.startswith(metadata) for metadata in METADATA_HOSTS):
        return StoreUnavailable(NO_CREDENTIALS.format(where=where))
    if answer is not None:
        return StoreUnavailable(sentence(answer, host, where))
    return StoreUnavailable(capitalised(_no_answer(text, host, where)))


def is_refusal(error: Exception) -> bool:
    """Whether the store answered that this is not allowed; False if it does not know the caller, or the bucket."""
    answer = _answer(str(error))
    return answer is not None and answer.status in REFUSALS and answer.code not in BY_CODE


def is_unreadable_name(error: Exception) -> bool:
    """Whether a listing failed at the name of an object, which anybody who may write to the bucket can choose."""
    return any(words in str(error) for words in ("object with invalid path", "invalid list response"))


def _answer(text: str) -> Answer | None:
    found = re.search(r"non-2xx status code: (\d{3})", text)
    if found is None:
        # This is how obstore reports deletes, which it sends in batches if it can.
        batch = re.search(r"delete request failed for key .*?: (.{0,300}?) \(code: (\d{3})\)", text, re.DOTALL)
        return Answer(int(batch[2]), message=" ".join(batch[1].split())) if batch else None
    body = text[found.end() :].split("Debug source:", 1)[0]
    code = re.search(r"<Code>([^<]{1,100})</Code>", body) or re.search(r'"code": ?"?([\w.]{1,100})', body)
    message = re.search(r"<Message>([^<]{1,300})</Message>", body) or re.search(r'"message": ?"([^"]{1,300})', body)
    return Answer(int(found[1]), code[1] if code else "", " ".join(message[1].split()) if message else "")


def _host(text: str) -> str:
    found = re.search(r"Error performing [A-Z]+ https?://([^/\s?]+)", text)
    return found[1] if found else ""


def _no_answer(text: str, host: str, where: str) -> str:
    """Return the reason why there was no answer. It searches for the words that reqwest and hyper use."""
    there = f"{host}, where {where} is,"
    if "BadScheme" in text:
        return (
            f"The endpoint http://{host} is plain HTTP, which is refused unless AWS_ALLOW_HTTP (or GOOGLE_ALLOW_HTTP, "
            "AZURE_ALLOW_HTTP) is set to true."
        )
    if "redirect without LOCATION" in text:
        return WRONG_REGION.format(where=where, said="a redirect to nowhere")
    if "kind: Timeout" in text or "TimedOut" in text:
        return f"{there} has not answered in time. Check the endpoint and the network."
    if "dns error" in text:
        return f"The name of {there} cannot be resolved. Check the endpoint and DNS."
    if certificate := re.search(r"InvalidCertificate\(\s*(\w+)", text):
        return f"The certificate of {there} is not trusted ({certificate[1]})."
    if "InvalidMessage" in text:
        return (
            f"{there} does not speak TLS. If it is meant to be plain HTTP, write http:// and set AWS_ALLOW_HTTP=true."
        )
    if reason := re.search(r'kind: Connect,.*?message: "([^"]+)"', text, re.DOTALL):
        return f"{there} cannot be reached ({reason[1].lower()}). Check the endpoint and the network."
    if "kind: Connect" in text:
        return f"{there} cannot be reached. Check the endpoint and the network."
    if "kind: Request" in text:
        return f"{there} closed the connection without an answer."
    return f"{where} cannot be used: {text.split(chr(10), 1)[0][:300] or 'no reason was given'}"
