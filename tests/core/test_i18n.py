"""Words and formats for people: the two catalogues belong together, nothing falls back in silence."""

import json
import re
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from jinja2 import Environment

from hub.core import errors, http, i18n, vault
from hub.core.i18n import (
    LOCALES_FOLDER,
    CatalogueBroken,
    TextMissing,
    Translator,
    catalogue,
    format_date,
    format_day,
    format_day_line,
    format_number,
    format_time,
    negotiate_locale,
    placeholders,
    read_catalogue,
)

BERLIN = ZoneInfo("Europe/Berlin")
TEXTS = {"greet": "Hallo {name}", "unread.one": "{count} Nachricht", "unread.other": "{count} Nachrichten", "plain": "100 %"}


def test_german_and_english_have_the_same_keys_and_placeholders() -> None:
    """Every text a person can meet exists in both languages with the same values."""
    german, english = catalogue("de"), catalogue("en")
    assert german.keys() == english.keys()
    assert [key for key in german if placeholders(german[key]) != placeholders(english[key])] == []


def test_every_locale_file_has_its_twin() -> None:
    """A room's `x.de.json` without `x.en.json` (or a file of an unknown language) would be read by nobody."""
    names = {path.name for path in i18n.LOCALES_FOLDER.glob("*.json")}
    assert names >= {"de.json", "en.json"}
    stems = {end: {name.removesuffix(f"{end}.json") for name in names if name.endswith(f"{end}.json")} for end in i18n.LOCALES}
    assert stems["de"] == stems["en"]
    assert len(names) == 2 * len(stems["de"])


def test_every_messenger_brings_its_words_in_both_languages() -> None:
    """They stand in its connector's own folder."""
    folder = Path(i18n.__file__).parents[1] / "connectors"
    found = {locale: {path.parent.name for path in folder.glob(f"*/words.{locale}.json")} for locale in i18n.LOCALES}
    assert found["de"] == found["en"] >= {"telegram"}


@pytest.mark.parametrize("locale", i18n.LOCALES)
def test_every_error_of_the_core_has_words_for_people(locale: str) -> None:
    """hub/core/errors.py: the words a person reads are the catalogue's `error.<code>`."""
    t = Translator(locale)
    for module in (errors, i18n, vault, http):
        for thing in vars(module).values():
            if isinstance(thing, type) and issubclass(thing, errors.HubError):
                assert t(f"error.{thing.code}")


def test_values_are_put_in_as_they_are_and_escaped_by_the_template() -> None:
    """A customer's name with HTML stays text: `t` returns plain text, Jinja escapes it."""
    t = Translator("de", TEXTS)
    assert t("greet", name="<b>{name}</b>", unused=1) == "Hallo <b>{name}</b>"
    page = Environment(autoescape=True).from_string("{{ t('greet', name=name) }}")
    assert page.render(t=t, name="<script>") == "Hallo &lt;script&gt;"


@pytest.mark.parametrize(("count", "text"), [(0, "0 Nachrichten"), (1, "1 Nachricht"), (2, "2 Nachrichten")])
def test_plural_follows_the_count(count: int, text: str) -> None:
    assert Translator("de", TEXTS)("unread", count=count) == text


def test_a_missing_text_or_value_is_an_error_that_names_it() -> None:
    """No environment shows a key or an empty string to a person without anybody noticing."""
    t = Translator("de", TEXTS)
    with pytest.raises(TextMissing, match=r"no text 'nope' in de"):
        t("nope")
    with pytest.raises(TextMissing, match=r"no text 'nope' in de"):
        t("nope", count=1)
    with pytest.raises(TextMissing, match=r"no text 'unread' in de"):
        t("unread")
    with pytest.raises(TextMissing, match=r"'greet' in de got no value for 'name'"):
        t("greet")
    with pytest.raises(ValueError, match="no such locale: 'fr'"):
        Translator("fr")


@pytest.mark.parametrize(
    ("files", "complaint"),
    [
        (['{"a": "x", "a": "y"}'], "'a' stands in the catalogue twice"),
        (['{"a": "x"}', '{"a": "y"}'], "'a' stands in the catalogue twice"),
        (['{"a": {"b": "x"}}'], "'a' is not a text"),
        (["[]x"], "is not JSON"),
        (['{"a": "{b.c}"}'], "not a plain placeholder"),
        (['{"a": "{b!r}"}'], "not a plain placeholder"),
        (['{"a": "{b:>9}"}'], "not a plain placeholder"),
        (['{"a": "{}"}'], "not a plain placeholder"),
        (['{"a": "{b"}'], "'a': "),
        (['{"a.one": "x"}'], "'a.one' needs 'a.other'"),
        (['{"a.one": "x", "a.other": "y", "a": "z"}'], "no plain 'a'"),
    ],
)
def test_a_broken_locale_file_is_refused(tmp_path: Path, files: list[str], complaint: str) -> None:
    for number, text in enumerate(files):
        (tmp_path / f"{number}.de.json").write_text(text)
    with pytest.raises(CatalogueBroken, match=complaint):
        read_catalogue(tmp_path.glob("*.json"))


def test_files_of_all_rooms_are_merged_and_other_alone_is_a_plain_key(tmp_path: Path) -> None:
    (tmp_path / "de.json").write_text(json.dumps({"reason.other": "Sonstiges"}))
    (tmp_path / "inbox.de.json").write_text(json.dumps({"inbox.empty": "Nichts zu tun {{}}"}))
    t = Translator("de", read_catalogue(tmp_path.glob("*.json")))
    assert (t("reason.other"), t("inbox.empty")) == ("Sonstiges", "Nichts zu tun {}")


@pytest.mark.parametrize(
    ("setting", "header", "locale"),
    [
        (None, None, "de"),
        (None, "", "de"),
        ("en", "de", "en"),
        ("de", "en", "de"),
        (None, "en-US,en;q=0.9", "en"),
        (None, "fr,en;q=0.5,de;q=0.8", "de"),
        (None, "fr, EN ; q = 0.5", "en"),
        (None, "en,de", "en"),
        (None, "fr-FR", "de"),
        (None, "en;q=0", "de"),
        (None, "en;q=abc,;;,q=1,en;q=9", "de"),
    ],
)
def test_language_is_the_members_then_the_browsers_then_german(setting: str | None, header: str | None, locale: str) -> None:
    assert negotiate_locale(setting, header) == locale


def test_an_unknown_setting_is_refused() -> None:
    with pytest.raises(ValueError, match="no such locale"):
        negotiate_locale("fr", "de")


def test_times_and_dates_are_shown_in_the_zone_of_the_page() -> None:
    """design.md, 4: stored in UTC, shown in the agent's zone; 22:30 UTC in summer is half past midnight in Berlin."""
    late = datetime(2026, 4, 3, 22, 30, tzinfo=UTC)
    assert format_time(late, "de", BERLIN) == "00:30"
    assert format_time(late, "en", ZoneInfo("Europe/London")) == "23:30"
    assert format_date(late, "de", BERLIN) == "04.04.2026"
    assert format_date(late, "en", ZoneInfo("UTC")) == "3 Apr 2026"
    assert format_date(date(2026, 4, 3), "de", BERLIN) == "03.04.2026"
    with pytest.raises(ValueError, match="needs its zone"):
        format_time(datetime(2026, 4, 3), "de", BERLIN)  # noqa: DTZ001  # the naive time is the point


@pytest.mark.parametrize(
    ("at", "german", "english", "line"),
    [
        (datetime(2026, 11, 17, 12, 0, tzinfo=UTC), "Heute", "Today", "Heute, Dienstag, 17. November"),
        (datetime(2026, 11, 16, 23, 0, tzinfo=UTC), "Heute", "Today", "Heute, Dienstag, 17. November"),
        (datetime(2026, 11, 16, 22, 59, tzinfo=UTC), "Gestern", "Yesterday", "Gestern, Montag, 16. November"),
        (datetime(2026, 11, 15, 12, 0, tzinfo=UTC), "Sonntag", "Sunday", "Sonntag, 15. November"),
        (datetime(2026, 11, 11, 12, 0, tzinfo=UTC), "Mittwoch", "Wednesday", "Mittwoch, 11. November"),
        (datetime(2026, 11, 10, 12, 0, tzinfo=UTC), "10.11.2026", "10 Nov 2026", "Dienstag, 10. November"),
        (datetime(2025, 11, 17, 12, 0, tzinfo=UTC), "17.11.2025", "17 Nov 2025", "Montag, 17. November 2025"),
        (datetime(2026, 11, 18, 12, 0, tzinfo=UTC), "18.11.2026", "18 Nov 2026", "Mittwoch, 18. November"),
    ],
)
def test_days_are_named_as_people_name_them(at: datetime, german: str, english: str, line: str) -> None:
    """Tuesday, 17 November 2026, 16:12 in Berlin: the day changes at midnight of the page's zone (23:00 UTC)."""
    now = datetime(2026, 11, 17, 15, 12, tzinfo=UTC)
    assert format_day(at, Translator("de"), BERLIN, now=now) == german
    assert format_day(at, Translator("en"), BERLIN, now=now) == english
    assert format_day_line(at, Translator("de"), BERLIN, now=now) == line


def test_numbers() -> None:
    assert format_number(1234567, "de") == "1.234.567"
    assert format_number(Decimal("1234.5"), "en") == "1,234.5"


def test_every_key_of_a_template_is_in_the_catalogue() -> None:
    """Keys that are put together from values are tried by the tests of their pages; those written out are tried here."""
    known = catalogue("de")
    missing = {
        f"{path.name}: {key}"
        for path in (LOCALES_FOLDER.parent / "templates").rglob("*.html")
        for key in re.findall(r"""\bt\(\s*["']([a-z_.]+)["']\s*[,)]""", path.read_text())
        if key not in known and f"{key}.other" not in known
    }
    assert missing == set()
