"""What a transaction says when it fails: whether the same work may succeed later, or never will."""

import pytest

from hub.core.db import STORE_TROUBLE, DriverMisused
from tests.support import HubUnderTest


async def test_a_statement_with_the_wrong_arguments_is_a_defect_and_no_trouble_of_the_store(hub: HubUnderTest) -> None:
    """What fails again however often it is tried must not be tried again; the connection stays good."""
    with pytest.raises(DriverMisused, match="expects 1 argument") as caught:
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            await unit.sql.fetchval("SELECT $1::int")
    assert not isinstance(caught.value, STORE_TROUBLE)
    assert await hub.value("SELECT 1") == 1


async def test_a_connection_that_has_gone_is_trouble_of_the_store(hub: HubUnderTest) -> None:
    with pytest.raises(STORE_TROUBLE):
        async with hub.runtime.database.unit_of_work(hub.organisation_id) as unit:
            unit.sql.terminate()
            await unit.sql.fetchval("SELECT 1")
    assert await hub.value("SELECT 1") == 1
