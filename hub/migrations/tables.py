"""All tables of all rooms, so that alembic and the tests see one metadata."""

from hub.campaigns import models as campaigns
from hub.channels import models as channels
from hub.consent import case_models as cases
from hub.consent import models as consent
from hub.core import feed, lanes
from hub.inbox import models as inbox
from hub.organisations import models as organisations
from hub.webchat import models as webchat

ALL_ROOMS = (feed, lanes, organisations, consent, cases, channels, inbox, webchat, campaigns)
