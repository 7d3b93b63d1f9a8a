"""What happened in the sample organisation before one starts to play: people, and what they and the agents did, in order.

Data only, made of `acts.py`; `demo/playing.py` plays it. A step that leaves a line in the thread is counted by that line, so an
interrupted start knows where to go on: steps that leave none (`Block`) or maybe more (`Album`, `Press`) come last in a story.
"""

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import Any, Final

from hub.sandbox.acts import Album, Answer, Assign, At, Block, Colleague, Done, Note, Press, Send, Start, Step, Story, Write

ORGANISATION: Final = "Radwerk Lindau"
SLUG: Final = "radwerk"
PASSWORD: Final = "kettenblatt-42-zaehne"
"""Of everybody in the sample organisation; printed at each start."""

OWNER: Final = Colleague("marlene@radwerk.example", "Marlene Fröhlich", "owner")
JONAS: Final = Colleague("jonas@radwerk.example", "Jonas Keller", "agent")
SARA: Final = Colleague("sara@radwerk.example", "Sara Lang", "agent")
EMILY: Final = Colleague("emily@radwerk.example", "Emily Carter", "agent", "en")
COLLEAGUES: Final = (OWNER, JONAS, SARA, EMILY)


def ago(minutes: float) -> At:
    return At(minutes=minutes)


def day(days: int, clock: str) -> At:
    return At(days=days, clock=clock)


FORBIDDEN: Final[dict[str, Any]] = {"kind": "blocked", "times": 1}
NO_ANSWER: Final[dict[str, Any]] = {"kind": "lost_answer", "times": 1, "values": {"delay": 0.01, "methods": ["sendMessage"]}}

STORIES: Final = (
    Story(
        "5100000101",
        "Markus",
        "Schädler",
        "de",
        "m_schaedler",
        (
            (day(6, "09:12"), Start()),
            (day(6, "09:13"), Write("Guten Morgen, was kostet bei Ihnen die große Inspektion für ein Trekkingrad?")),
            (day(6, "09:21"), Assign(JONAS, JONAS)),
            (
                day(6, "09:24"),
                Answer(JONAS, "Guten Morgen Herr Schädler, die große Inspektion kostet 89 Euro, Verschleißteile kommen dazu."),
            ),
            (day(6, "09:31"), Write("Gut. Geht das noch diese Woche?")),
            (day(6, "09:40"), Answer(JONAS, "Donnerstag ab 8 Uhr ist frei. Soll ich Sie eintragen?")),
            (day(6, "09:42"), Write("Ja bitte, Donnerstag passt.")),
            (day(6, "09:44"), Answer(JONAS, "Eingetragen. Bitte Licht und Schloss abnehmen, dann geht es schneller.")),
            (day(2, "16:05"), Write("Das Rad läuft wieder wie neu. Nur die Klingel klemmt.")),
            (
                day(2, "16:12"),
                Note(JONAS, "Klingel beim Zusammenbau verdreht, kostenlos richten. Sara macht es, wenn er vorbeikommt."),
            ),
            (day(2, "16:13"), Assign(JONAS, SARA)),
            (
                day(2, "16:20"),
                Answer(SARA, "Das tut mir leid, Herr Schädler. Kommen Sie einfach vorbei, das richten wir in zwei Minuten."),
            ),
            (day(1, "11:02"), Write("Erledigt, danke an Frau Lang!")),
            (day(1, "11:10"), Done(SARA)),
        ),
    ),
    Story(
        "5100000102",
        "Emma",
        "Whitfield",
        "en",
        "emmawhitfield",
        (
            (day(4, "14:30"), Start("sommer-verleih")),
            (day(4, "14:31"), Write("Hi! Do you rent out bikes for the weekend? We would need two, for the lake loop.")),
            (day(4, "14:39"), Assign(EMILY, EMILY)),
            (day(4, "14:41"), Answer(EMILY, "Hi Emma, yes: 24 euros per bike and day, helmets included. Which sizes do you need?")),
            (day(4, "14:50"), Write("170 and 185 cm. Can we pick them up on Friday evening?")),
            (day(4, "14:55"), Answer(EMILY, "Both are reserved for you. We are open until 6.30 pm on Friday. See you then!")),
            (day(4, "14:57"), Write("Perfect, thank you!")),
            (day(4, "15:01"), Done(EMILY)),
        ),
    ),
    Story(
        "5100000103",
        "Gerda",
        "Ammann",
        "de",
        None,
        (
            (day(5, "10:02"), Start("newsletter")),
            (day(5, "10:04"), Write("Ich wollte nur wissen, wann Sie Betriebsferien haben.")),
            (day(5, "10:15"), Answer(SARA, "Guten Tag Frau Ammann, dieses Jahr keine. Wir sind durchgehend für Sie da.")),
            (day(3, "18:40"), Write("STOP")),
        ),
    ),
    Story(
        "5100000104",
        "Florian",
        "Rist",
        "de",
        "flo_rist",
        (
            (day(3, "12:20"), Start()),
            (day(3, "12:21"), Write("Verkauft ihr auch gebrauchte Rennräder?")),
            (day(3, "12:35"), Answer(JONAS, "Hallo Florian, zurzeit stehen zwei hier. Schau gern am Nachmittag vorbei.")),
            (day(3, "12:36"), Write("Hab schon eins gefunden, danke")),
            (day(3, "12:50"), Block()),
        ),
    ),
    Story(
        "5100000105",
        "Lukas",
        "Moosbrugger",
        "de",
        "lmoosbrugger",
        (
            (day(2, "08:45"), Write("Guten Tag, können Sie mir die Rechnung vom 12. noch einmal schicken? Die Firma braucht sie.")),
            (
                day(2, "09:02"),
                Answer(SARA, "Guten Tag Herr Moosbrugger, sie liegt in Ihrem Postfach, gerade noch einmal verschickt."),
            ),
            (day(2, "09:03"), Done(SARA)),
            (day(1, "08:10"), Write("Angekommen, danke. Eine Frage noch: Steht die Rahmennummer irgendwo darauf?")),
            (day(1, "08:25"), Assign(SARA, SARA)),
            (day(1, "08:31"), Answer(SARA, "Ja, ganz unten links, sie beginnt mit WTU.")),
        ),
    ),
    Story(
        "5100000106",
        "James",
        "O'Connor",
        "en",
        None,
        (
            (day(1, "13:15"), Start()),
            (day(1, "13:16"), Write("My back tyre keeps losing air. Could you have a look tomorrow?")),
            (day(1, "13:30"), Answer(EMILY, "Hi James, sure. Tomorrow at 9 am?", FORBIDDEN)),
        ),
    ),
    Story(
        "5100000107",
        "Nina",
        "Feuerstein",
        "de",
        "nina_f",
        (
            (day(1, "15:02"), Write("Ist mein Lastenrad schon fertig? Ich müsste morgen früh Kinder damit fahren.")),
            (day(1, "15:09"), Assign(JONAS, JONAS)),
            (
                day(1, "15:11"),
                Answer(JONAS, "Fast: Die Bremse ist drin, die Probefahrt fehlt noch. Ab 17 Uhr steht es bereit.", NO_ANSWER),
            ),
        ),
    ),
    Story(
        "5100000108",
        "Tobias",
        "Brandl",
        "de",
        "tobi_brandl",
        (
            (ago(190), Start("pfaender-prospekt")),
            (ago(189), Write("Hallo, ich habe den Prospekt vom Pfänder-Tag. Kann man das graue E-Bike Probe fahren?")),
            (
                ago(176),
                Answer(SARA, "Hallo Herr Brandl, gern. Mittwoch oder Freitag Nachmittag, jeweils eine Stunde. Was passt besser?"),
            ),
        ),
    ),
    Story(
        "5100000109",
        "Mehmet",
        "Kaya",
        "tr",
        "mehmetkaya",
        (
            (ago(150), Start()),
            (ago(149), Write("Merhaba, cumartesi günü saat kaça kadar açıksınız?")),
            (ago(141), Answer(EMILY, "Merhaba Mehmet Bey, cumartesi 9'dan 14'e kadar açığız.")),
            (ago(139), Write("Teşekkürler! Çocuk bisikleti de tamir ediyor musunuz?")),
        ),
    ),
    Story(
        "5100000110",
        "Sabine",
        "Huber",
        "de",
        None,
        (
            (ago(96), Write("Grüß Gott, die Kette springt seit gestern. Muss die neu?")),
            (ago(95), Send("photo", "So sieht die Kette aus")),
            (ago(94), Write("Man sieht es auf dem Bild ganz gut, denke ich.")),
        ),
    ),
    Story(
        "5100000111",
        "Aylin",
        "Yıldırım",
        "de",
        "aylin.yildirim",
        (
            (ago(64), Start()),
            (ago(63), Write("Mein E-Bike zeigt Fehler 503 und fährt nicht mehr 😕")),
            (ago(58), Assign(JONAS, JONAS)),
            (ago(57), Answer(JONAS, "Das ist der Geschwindigkeitssensor. Sitzt der Magnet an der Speiche noch fest?")),
            (ago(51), Write("Welcher Magnet? An der Speiche ist nichts.")),
            (
                ago(48),
                Note(JONAS, "Magnet verloren, Ersatz liegt in Schublade 4. Wenn sie heute kommt: fünf Minuten, keine Berechnung."),
            ),
            (ago(46), Answer(JONAS, "Dann fehlt er. Wir haben einen da, das dauert fünf Minuten. Können Sie heute kommen?")),
            (ago(38), Write("Ja, ich schiebe es her. Bis wann sind Sie da?")),
        ),
    ),
    Story(
        "5100000114",
        "Lena",
        "Vogt",
        "de",
        "lena.vogt",
        (
            (day(1, "17:20"), Start()),
            (day(1, "17:21"), Write("Ich erkläre es lieber, da ist so ein Geräusch beim Treten:")),
            (day(1, "17:22"), Send("voice")),
            (day(1, "17:23"), Send("video_note")),
            (day(1, "17:40"), Assign(JONAS, JONAS)),
            (day(1, "17:41"), Answer(JONAS, "Das ist das Tretlager. Bringen Sie es morgen vorbei, wir hören es uns an.")),
            (day(1, "17:44"), Send("sticker")),
        ),
    ),
    Story(
        "5100000115",
        "Yusuf",
        "Demir",
        "de",
        "yusuf_demir",
        (
            (ago(84), Write("Guten Tag, hier die Rechnung vom März, auf der steht noch die alte Adresse.")),
            (ago(83), Send("document", "Bitte neu ausstellen")),
            (ago(82), Send("large", "Und das ganze Werkstatthandbuch, falls es hilft")),
            (ago(80), Send("contact")),
        ),
    ),
    Story(
        "5100000116",
        "Greta",
        "Nigg",
        "de",
        None,
        (
            (ago(34), Write("Platten kurz vor dem Hafen, holt mich jemand ab?")),
            (ago(33), Send("location")),
            (ago(31), Answer(SARA, "Wir schicken den Lieferwagen. Woran erkennen wir Sie?")),
            (ago(30), Send("photo-2", "An diesem Rad")),
            (ago(29), Send("live_location")),
        ),
    ),
    Story(
        "5100000117",
        "Paul",
        "Rhomberg",
        "de",
        "paul_rho",
        (
            (ago(18), Write("Nehmen Sie gebrauchte Räder in Zahlung? Dieses wäre es, Video ist dabei.")),
            (ago(17), Album(("photo-2", "photo-3", "video"), "Zwei Ansichten und eine Probefahrt")),
        ),
    ),
    Story(
        "5100000118",
        "Mia",
        "Lorenz",
        "de",
        "mia.lorenz",
        (
            (ago(14), Start()),
            (ago(13), Send("animation", "So dreht es sich wieder, danke!")),
            (
                ago(12),
                Press("Erinnerung: Abholung morgen um 10 Uhr. Passt das?", ("Ja, ich komme", "Anderer Tag"), "Ja, ich komme"),
            ),
        ),
    ),
    Story(
        "5100000112",
        "Karin",
        "Bilgeri",
        "de",
        "karin_bilgeri",
        (
            (ago(26), Start()),
            (ago(25), Write("Guten Tag, haben Sie den Kindersitz von Thule noch auf Lager? Im Netz steht nichts dazu.")),
        ),
    ),
    Story(
        "5100000113",
        "Deniz",
        "Arslan",
        "de",
        None,
        (
            (ago(8), Write("Hallo, mir ist die Kette gerissen, ich stehe am Bahnhof")),
            (ago(7), Write("Habt ihr heute noch offen?")),
        ),
    ),
    Story(
        "",
        "Anna",
        "Sutterlüty",
        "de",
        steps=(
            (day(1, "10:05"), Write("Hallo, mein Rad steht bei Ihnen zur Inspektion. Ist es schon fertig?")),
            (day(1, "10:16"), Assign(SARA, SARA)),
            (
                day(1, "10:18"),
                Answer(SARA, "Guten Tag Frau Sutterlüty, fast: Die Bremsbeläge kommen heute Mittag."),
            ),
            (day(1, "10:20"), Write("Super, ich komme um fünf.")),
            (ago(72), Write("Noch eine Frage: Haben Sie das Rücklicht auch getauscht? Es flackert wieder.")),
            (ago(71), Send("image", "So sieht es aus")),
        ),
        connector="whatsapp",
    ),
    Story(
        "",
        "Bernd",
        "Hagspiel",
        "de",
        steps=(
            (ago(55), Write("Servus, was kostet bei euch ein neuer Reifensatz für 28 Zoll mit Montage?")),
            (
                ago(43),
                Answer(JONAS, "Servus Herr Hagspiel, 79 bis 119 Euro, Montage ist dabei. Welche Breite fahren Sie?"),
            ),
            (ago(41), Write("37 mm, viel Schotter")),
        ),
        connector="whatsapp",
    ),
    Story(
        "RUTHAM7N",
        "Ruth",
        "Amann",
        "de",
        steps=(
            (ago(118), Write("Guten Tag, ich hätte gern einen Termin für die Frühjahrsinspektion, am liebsten vormittags.")),
            (ago(105), Assign(SARA, SARA)),
            (ago(104), Answer(SARA, "Guten Tag Frau Amann, Dienstag um 9 Uhr ist frei. Passt das?")),
            (ago(92), Write("Ja, Dienstag um 9. Danke!")),
        ),
        connector="threema",
    ),
    Story(
        "",
        "Goran",
        "Petrović",
        "de",
        steps=(
            (ago(66), Write("Hallo, repariert ihr auch E-Scooter?")),
            (ago(60), Answer(EMILY, "Hallo Herr Petrović, leider nur Fahrräder und E-Bikes.")),
            (ago(59), Write("Schade, danke trotzdem")),
        ),
        connector="viber",
    ),
    Story(
        "7318840026614301",
        "Nadine",
        "Kohler",
        "de",
        steps=(
            (ago(47), Write("Hallo, ich habe eure Anzeige gesehen. Gibt es das Kinderrad noch in Rot?")),
            (ago(36), Answer(EMILY, "Hallo Nadine, ja, zwei Stück stehen hier. Soll ich eines zurücklegen?")),
        ),
        connector="messenger",
    ),
    Story(
        "",
        "Leonie",
        "Wachter",
        "de",
        steps=(
            (ago(22), Write("Hey, welches Rad ist das in eurer letzten Story?")),
            (ago(21), Write("Und kann man es Probe fahren?")),
        ),
        connector="instagram",
    ),
    Story(
        "+4915110000777",
        "Josef",
        "Nußbaumer",
        "de",
        steps=((ago(16), Write("Bitte um Rückruf wegen Abholung, Nußbaumer")),),
        connector="sms",
    ),
    Story(
        "",
        "Magdalena",
        "Böhler",
        "de",
        steps=(
            (ago(88), Write("Hallo, ich habe bei euch ein Gravelbike bestellt. Ist schon ein Liefertermin bekannt?")),
            (ago(79), Assign(JONAS, JONAS)),
            (ago(77), Answer(JONAS, "Hallo Frau Böhler, es ist heute gekommen. Am Freitag ist es aufgebaut.")),
            (ago(75), Write("So früh, das ist ja großartig!")),
        ),
        connector="signal",
    ),
    Story(
        "",
        "Clemens",
        "Rauch",
        "de",
        steps=(
            (ago(52), Write("Guten Tag, kann ich am Wochenende zwei E-Bikes ausleihen?")),
            (ago(45), Answer(SARA, "Guten Tag Herr Rauch, ja: 38 Euro je Rad und Tag, Helm inklusive. Für welche Tage?")),
            (ago(44), Write("Samstag und Sonntag, einmal 172 und einmal 186 cm.")),
        ),
        connector="webchat",
    ),
    Story(
        "+4915110000778",
        "Verena",
        "Metzler",
        "de",
        steps=(
            (ago(61), Write("Grüß Gott, haben Sie morgen einen Termin für einen Bremsencheck?")),
            (ago(56), Answer(EMILY, "Grüß Gott Frau Metzler, um 11 Uhr ist noch Platz.")),
            (ago(54), Write("Perfekt, bis morgen")),
        ),
        connector="google",
    ),
    Story(
        "",
        "Simon",
        "Fessler",
        "de",
        steps=(
            (ago(39), Write("Hallo, passt der Fahrradanhänger von euch auch an eine Steckachse?")),
            (ago(33), Answer(SARA, "Hallo Herr Fessler, mit Adapter ja. Er liegt hier bereit, 39 Euro.")),
        ),
        connector="apple",
    ),
    Story(
        "@ines_thurnher",
        "Ines",
        "Thurnher",
        "de",
        steps=((ago(27), Write("Macht ihr beim Radtag am Hafen wieder mit? Würde gern mein altes Rad mitbringen.")),),
        connector="x",
    ),
)


def in_order(now: datetime, played: Collection[Story]) -> Iterator[tuple[datetime, Story, int, Step]]:
    """All steps of these stories by time: (when, story, number of the step in it, step)."""
    steps = [(at.before(now), story, number, step) for story in played for number, (at, step) in enumerate(story.steps)]
    return iter(sorted(steps, key=lambda one: one[0]))
