"""Who listens to whom: the one place where a lower room's event meets a higher room's function (`core/hooks.py`)."""

from hub.campaigns import forgetting as newsletters
from hub.channels.hooks import AccountReplaced, ChannelBlocked, ChannelOpened
from hub.consent.hooks import AnswerDue, BarLifted, ConsentWithdrawn, PeopleAsked, PeopleSought, PersonBlocked, PersonErased
from hub.core.hooks import Hooks
from hub.inbox import service
from hub.inbox.arriving import replaced
from hub.inbox.persons import known, quiet
from hub.inbox.sending import notices, suspects, waiting
from hub.organisations.hooks import TeamRemoved
from hub.webchat import forgetting


def subscribe(hooks: Hooks) -> Hooks:
    """Who listens to whom, in the order of calling."""
    hooks.subscribe(ConsentWithdrawn, waiting.stop_queued)
    hooks.subscribe(ConsentWithdrawn, quiet.bar_conversations)
    hooks.subscribe(ConsentWithdrawn, suspects.compare_withdrawal)
    hooks.subscribe(BarLifted, quiet.lift_bar)
    hooks.subscribe(PersonBlocked, waiting.stop_queued)
    hooks.subscribe(PersonErased, notices.forget)
    hooks.subscribe(PersonErased, forgetting.forget)
    hooks.subscribe(PersonErased, newsletters.forget)
    hooks.subscribe(PeopleAsked, known.name_people)
    hooks.subscribe(PeopleSought, known.seek_people)
    hooks.subscribe(AnswerDue, notices.note_answer)
    hooks.subscribe(ChannelBlocked, waiting.stop_channel)
    hooks.subscribe(ChannelOpened, waiting.wake_channel)
    hooks.subscribe(AccountReplaced, replaced.set_keys_aside)
    hooks.subscribe(TeamRemoved, service.release_team)
    return hooks
