"""Words and formats for people: the catalogue (frontend/locales), the choice of a language, times, dates and numbers.

The catalogue of a language is every `frontend/locales/<anything>.<locale>.json` and `<locale>.json` merged; a key stands
in exactly one of them. Keys are flat (`inbox.list.empty`); texts hold `{name}` placeholders and nothing cleverer. A text
that depends on a number exists as `key.one` and `key.other` and is asked for as `key` with `count=`. There is no fall-back
from one language to another and no default text: a missing one is an error that names it, in tests and in production.

`t` returns plain text with the values as they are; escaping is left to Jinja's autoescape, so no text is markup. A number
in a text is put in as it is: pass `format_number(…)` where thousands can occur.

Formats: German as in Germany, English as in Britain (24 hours, day before month), since the hub's businesses are European.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from string import Formatter
from typing import Final
from zoneinfo import ZoneInfo

import babel
from babel import dates, numbers

from hub.core.errors import HubError

LOCALES: Final = ("de", "en")
DEFAULT_LOCALE: Final = "de"
LOCALES_FOLDER: Final = Path(__file__).parents[2] / "frontend" / "locales"
WORDS: Final = (
    (LOCALES_FOLDER, "{locale}.json"),
    (LOCALES_FOLDER, "*.{locale}.json"),
    (Path(__file__).parents[1], "connectors/*/words.{locale}.json"),
    (Path(__file__).parents[1], "sandbox/*/words.{locale}.json"),
)
"""Where the words of the pages stand: those of a messenger in its connector's own folder, and in its simulator's."""

_BABEL: Final = {"de": babel.Locale("de", "DE"), "en": babel.Locale("en", "GB")}
_DAY_LINE: Final = {"de": "EEEE, d. MMMM", "en": "EEEE, d MMMM"}
_PLACEHOLDER: Final = re.compile(r"[a-z][a-z0-9_]*")


class TextMissing(HubError):
    """The catalogue has no such text, or a placeholder got no value. A mistake of ours; the message names the key."""

    code = "text_missing"
    http_status = 500


class CatalogueBroken(HubError):
    """A locale file cannot be used as it stands. Raised at the first use of the language; names file and key."""

    code = "catalogue_broken"
    http_status = 500


class Translator:
    """`t("inbox.list.empty")`, `t("inbox.unread", count=3)`, `t("message.from", name=…)`."""

    def __init__(self, locale: str, texts: Mapping[str, str] | None = None) -> None:
        """`texts` replaces the catalogue of this language. Raises CatalogueBroken; ValueError for an unknown locale."""
        self.locale = locale
        self._plural = _babel(locale).plural_form
        self._texts = catalogue(locale) if texts is None else texts

    def __call__(self, key: str, /, **values: object) -> str:
        """The text of `key`; values the text does not name are ignored. Raises TextMissing."""
        text = self._texts.get(key)
        if text is None:
            count = values.get("count")
            if isinstance(count, int):
                text = self._texts.get(f"{key}.{self._plural(count)}")
            if text is None:
                raise TextMissing(f"no text {key!r} in {self.locale}")
        try:
            return text.format_map(values)
        except KeyError as error:
            raise TextMissing(f"text {key!r} in {self.locale} got no value for {error.args[0]!r}") from error


@cache
def catalogue(locale: str) -> Mapping[str, str]:
    """All texts of one language, read once per process. Raises CatalogueBroken."""
    paths = [path for folder, pattern in WORDS for path in folder.glob(pattern.format(locale=locale))]
    return read_catalogue(paths)


def read_catalogue(paths: Iterable[Path]) -> dict[str, str]:
    """Merge and check locale files: every key once, only plain placeholders, whole plural pairs. Raises CatalogueBroken."""
    texts: dict[str, str] = {}
    for path in sorted(paths):
        try:
            pairs: list[tuple[str, object]] = json.loads(path.read_text("utf-8"), object_pairs_hook=list)
        except ValueError as error:
            raise CatalogueBroken(f"{path.name} is not JSON: {error}") from error
        for key, text in pairs:
            if not isinstance(text, str):
                raise CatalogueBroken(f"{path.name}: {key!r} is not a text; keys are flat")
            if key in texts:
                raise CatalogueBroken(f"{path.name}: {key!r} stands in the catalogue twice")
            try:
                placeholders(text)
            except ValueError as error:
                raise CatalogueBroken(f"{path.name}: {key!r}: {error}") from error
            texts[key] = text
    for key in texts:
        stem = key.removesuffix(".one")
        if stem != key and (f"{stem}.other" not in texts or stem in texts):
            raise CatalogueBroken(f"{key!r} needs {stem + '.other'!r} beside it and no plain {stem!r}")
    return texts


def placeholders(text: str) -> frozenset[str]:
    """The names a text wants values for. Raises ValueError for anything but `{name}`: no formats, attributes or positions."""
    found = set()
    for _, name, form, conversion in Formatter().parse(text):
        if name is None:
            continue
        if form or conversion or not _PLACEHOLDER.fullmatch(name):
            raise ValueError(f"{{{name}}} is not a plain placeholder")
        found.add(name)
    return frozenset(found)


def negotiate_locale(setting: str | None, accept_language: str | None) -> str:
    """The language of a page: the member's setting, else the browser's best wish that we have, else German.

    `accept_language` is the header as it came (RFC 9110, 12.5.4); what cannot be read in it is passed over. `en-US` is
    served by `en`. Raises ValueError for a setting that is no locale of ours: it was checked when it was stored.
    """
    if setting is not None:
        _babel(setting)
        return setting
    best, best_quality = DEFAULT_LOCALE, 0.0
    for wish in (accept_language or "").split(","):
        tag, _, parameter = wish.partition(";")
        language = tag.strip().lower().partition("-")[0]
        quality = _quality(parameter)
        if language in LOCALES and quality > best_quality:
            best, best_quality = language, quality
    return best


def _quality(parameter: str) -> float:
    """`q=0.8` -> 0.8; nothing -> 1; unreadable -> 0, which is "not wanted"."""
    if not parameter.strip():
        return 1.0
    found = re.fullmatch(r"\s*q\s*=\s*([01](?:\.[0-9]{1,3})?)\s*", parameter, re.IGNORECASE | re.ASCII)
    return float(found[1]) if found else 0.0


def format_time(at: datetime, locale: str, zone: ZoneInfo) -> str:
    """`13:04`."""
    return dates.format_time(_local(at, zone), "HH:mm", locale=_babel(locale))


def format_date(day: date, locale: str, zone: ZoneInfo) -> str:
    """`03.04.2026`, `3 Apr 2026`. `day` is a calendar day, or an aware instant: then its day in `zone` is shown."""
    return dates.format_date(_day(day, zone), "medium", locale=_babel(locale))


def format_month(day: date, locale: str) -> str:
    """`November 2026`."""
    return dates.format_skeleton("yMMMM", day, locale=_babel(locale))


def format_day(at: datetime, t: Translator, zone: ZoneInfo, *, now: datetime) -> str:
    """How people name the day of `at` in a list: `Heute`, `Gestern`, `Montag` (up to six days ago), else the date."""
    day = _day(at, zone)
    age = (_day(now, zone) - day).days
    if age in (0, 1):
        return _near_day(age, t)
    if 1 < age < 7:
        return dates.format_date(day, "EEEE", locale=_babel(t.locale))
    return format_date(day, t.locale, zone)


def format_day_line(at: datetime, t: Translator, zone: ZoneInfo, *, now: datetime) -> str:
    """The line between the days of a thread: `Heute, Dienstag, 17. November`, `Montag, 16. November`; other years named."""
    day, today = _day(at, zone), _day(now, zone)
    pattern = _DAY_LINE[t.locale] if day.year == today.year else f"{_DAY_LINE[t.locale]} y"
    line = dates.format_date(day, pattern, locale=_babel(t.locale))
    age = (today - day).days
    return f"{_near_day(age, t)}, {line}" if age in (0, 1) else line


def format_near(at: datetime, t: Translator, zone: ZoneInfo, *, now: datetime) -> str:
    """A point in time around now, in few words: `15:00` today, `morgen 09:00`, `gestern 15:00`, `Do 09:00` less than a week away,
    else the date alone."""
    day, time = _day(at, zone), format_time(at, t.locale, zone)
    away = (day - _day(now, zone)).days
    if away == 0:
        return time
    if abs(away) == 1:
        return t("day.tomorrow_at" if away == 1 else "day.yesterday_at", time=time)
    if abs(away) < 7:
        return f"{dates.format_date(day, 'EEE', locale=_babel(t.locale)).rstrip('.')} {time}"
    return format_date(day, t.locale, zone)


def format_number(value: int | float | Decimal, locale: str) -> str:
    """`1.234,5` or `1,234.5`, with at most three decimal places."""
    return numbers.format_decimal(value, locale=_babel(locale))


def _near_day(age: int, t: Translator) -> str:
    return t("day.today") if age == 0 else t("day.yesterday")


def _day(day: date, zone: ZoneInfo) -> date:
    return _local(day, zone).date() if isinstance(day, datetime) else day


def _local(at: datetime, zone: ZoneInfo) -> datetime:
    if at.tzinfo is None:
        raise ValueError("an instant needs its zone; stored times are aware UTC")
    return at.astimezone(zone)


def _babel(locale: str) -> babel.Locale:
    found = _BABEL.get(locale)
    if found is None:
        raise ValueError(f"no such locale: {locale!r}; there are {', '.join(LOCALES)}")
    return found
