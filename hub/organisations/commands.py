"""What `hub found` does: a small runtime for one command."""

from hub.core.hooks import Hooks
from hub.core.settings import Settings
from hub.organisations.service import found_organisation
from hub.runtime import open_runtime


async def found_from_command_line(
    settings: Settings, slug: str, name: str, owner_name: str, owner_email: str, password: str
) -> None:
    """Create an organisation with its owner. Raises what `found_organisation` raises."""
    async with open_runtime(settings, Hooks(), pool=1) as runtime:
        await found_organisation(
            runtime, name=name, slug=slug, owner_email=owner_email, owner_name=owner_name, owner_password=password
        )
