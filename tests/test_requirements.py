"""`docs/requirements.csv` names, for each requirement, the test that proves it; this keeps the list honest.

That each named test also *ran and passed* is checked at the end of a whole run, in `tests/conftest.py`.
"""

import pytest

from tests.requirements import LIST, named_tests

RESOLVED = {
    "R-001", "R-002", "R-003", "R-004", "R-005", "R-006", "R-007", "R-008", "R-011",
    "R-040", "R-047", "R-048", "R-192", "R-231", "R-263", "R-266", "R-300", "R-302", "R-303",
}  # fmt: skip
"""The [M] requirements of the issues that are resolved."""


def test_each_named_test_exists(request: pytest.FixtureRequest) -> None:
    files = {node.partition("::")[0] for node in named_tests().values()}
    collected = {item.nodeid.partition("[")[0] for item in request.session.items}
    whole_files = {item.nodeid.partition("::")[0] for item in request.session.items}
    missing = {
        requirement: node
        for requirement, node in named_tests().items()
        if node.partition("::")[0] in whole_files and node not in collected
    }
    assert not missing
    assert all((LIST.parent.parent / file).is_file() for file in files)


def test_resolved_requirements_have_a_test() -> None:
    assert RESOLVED - set(named_tests()) == set()
