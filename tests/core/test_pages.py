"""What every page stands on: vendored files are what they say, and every answer carries its headers."""

import hashlib
import re

from hub.core.pages import CONTENT_POLICY, FRONTEND
from tests.support import HubUnderTest


def test_vendored_files_are_what_the_list_says() -> None:
    listed = re.findall(r"^\| (\S+) \|.*\| ([0-9a-f]{64}) \|$", (FRONTEND / "vendor" / "VENDORED.md").read_text(), re.M)
    files = {path.name: path for path in (FRONTEND / "vendor").iterdir() if path.suffix != ".md"}
    assert {name: hashlib.sha256(files[name].read_bytes()).hexdigest() for name in files} == dict(listed)


async def test_every_answer_carries_the_security_headers(hub: HubUnderTest) -> None:
    for path in ("/login", "/static/base.css", "/healthz", "/nowhere"):
        response = await hub.browser().get(path, headers={"accept": "text/html"})
        assert response.headers["content-security-policy"] == CONTENT_POLICY, path
        assert response.headers["x-content-type-options"] == "nosniff", path
        assert "unsafe" not in CONTENT_POLICY
