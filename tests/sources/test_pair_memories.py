"""Pairs of sentences in translation memories (TMX) and catalogues of gettext (PO)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pair_reading import pairs, read, write
from text_examples import kinds, places, rows, scores

from assay.errors import DataError, SettingError
from assay.sources._gettext import entries_of
from assay.sources.source import open_source

TMX = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE tmx SYSTEM "tmx14.dtd">
<tmx version="1.4"><header srclang="en-US" datatype="plaintext"/><body>
<tu><tuv xml:lang="en-US"><seg>A <bpt i="1">&lt;b&gt;</bpt>dog<ept i="1">&lt;/b&gt;</ept> runs &amp; eats.</seg></tuv
><tuv xml:lang="de"><seg>Ein <hi>Hund</hi> rennt<ph>{1}</ph> &#228;.</seg></tuv></tu>
<tu><tuv xml:lang="en-US"><seg>Only English</seg></tuv></tu>
<tu><note>skip</note><tuv lang="en-US"><seg>Two&nbsp;words</seg></tuv><tuv lang="de"><seg></seg></tuv></tu>
<tu><tuv xml:lang="de"><seg>Heim</seg></tuv><tuv xml:lang="en-US"><seg>Home</seg></tuv></tu>
</body></tmx>
"""


def test_translation_memories(tmp_path: Path) -> None:
    for name, encoding in (("m.tmx", "utf-8"), ("m.tmx.gz", "utf-8")):
        file = write(tmp_path, TMX, name, encoding)
        assert scores(file) == {"pairs": 0.95}
        records = read(file)
        assert pairs(records) == [("A dog runs & eats.", "Ein Hund rennt ä."), ("Home", "Heim")]
        assert [row["id"] for row in rows(records)] == [f"{name}:1", f"{name}:4"]
        assert (records.facts["languages"], records.facts["languages_chosen"]) == ("en_US-de", "as the data says")
        assert kinds(records) == {"missing-language": (1, "skipped"), "empty-text": (1, "skipped")}
        assert places(records, "missing-language") == [6]
    assert pairs(read(file, languages="de-en"))[1] == ("Heim", "Home")
    wide = write(tmp_path, TMX.replace("UTF-8", "UTF-16"), "wide.tmx", "utf-16")
    assert pairs(read(wide)) == pairs(records)
    three = TMX.replace("</tu>", '<tuv xml:lang="fr"><seg>Un</seg></tuv></tu>', 1)
    with pytest.raises(SettingError, match=r"3 languages \(de, en-US, fr\)"):
        read(write(tmp_path, three, "three.tmx"))
    assert pairs(read(tmp_path / "three.tmx", languages="fr-de")) == [("Un", "Ein Hund rennt ä.")]


BOMB = '<!DOCTYPE tmx [<!ENTITY a "aaaaaaaaaa">' + "".join(
    f'<!ENTITY {new} "{f"&{old};" * 10}">' for old, new in zip("abcdefgh", "bcdefghi", strict=True)
) + "]><tmx><body><tu><tuv xml:lang='en'><seg>&i;</seg></tuv></tu></body></tmx>"  # fmt: skip


@pytest.mark.parametrize(("text", "message"), [
    (BOMB, r"x\.tmx, row 1: the document declares an entity, 'a', which is refused"),
    ('<!DOCTYPE tmx [<!ENTITY x SYSTEM "file:///etc/passwd">]><tmx><body>&x;</body></tmx>', "declares an entity, 'x'"),
    ('<!DOCTYPE tmx [<!ENTITY % x SYSTEM "http://example.org/x.dtd"> %x;]><tmx/>', "declares an entity, 'x'"),
    ("<tmx><body>\n<tu></body></tmx>", r"x\.tmx, row 2: this is no well-formed XML \(mismatched tag"),
    ("<html><body/></html>", "this is no TMX: its root is <html>"), ("", "no element found"),
    ("<tmx><body/></tmx>", "there is no translation unit"),
])  # fmt: skip
def test_xml_that_is_refused(tmp_path: Path, text: str, message: str) -> None:
    begun = time.process_time()
    with pytest.raises(DataError, match=message):
        read(write(tmp_path, text, "x.tmx"))
    assert time.process_time() - begun < 2


def test_xml_in_another_encoding(tmp_path: Path) -> None:
    text = TMX.replace(' encoding="UTF-8"', "").replace("&#228;", "ä")
    file = write(tmp_path, text, "x.tmx", "latin-1")
    with pytest.raises(DataError, match=r"row 5: .*at byte \d+"):
        read(file)
    assert pairs(read(file, encoding="latin-1"))[0][1] == "Ein Hund rennt ä."
    assert pairs(read(write(tmp_path, TMX.replace("UTF-8", "ISO-8859-1"), "y.tmx", "latin-1")))[1] == ("Home", "Heim")
    damaged = write(tmp_path, TMX, "z.tmx.gz")
    damaged.write_bytes(damaged.read_bytes()[:-12])
    with pytest.raises(DataError, match="damaged"):
        read(damaged)


PO = r"""# German
msgid ""
msgstr ""
"Language: de\n"
"Content-Type: text/plain; charset=UTF-8\n"

#: main.c:1
msgid "Open \"file\"\n"
msgstr "Datei \"öffnen\"\n"

msgctxt "menu"
msgid ""
"Long "
"text"
msgstr "Langer Text"
#, fuzzy, c-format
#| msgid "Old"
msgid "New %d"
msgstr "Neu %d"
msgid "Not yet"
msgstr ""

msgid "%d file"
msgid_plural "%d files"
msgstr[0] "%d Datei"
msgstr[1] "%d Dateien"

#~ msgid "Gone"
#~ msgstr "Weg"
"""


def test_gettext_catalogues(tmp_path: Path) -> None:
    file = write(tmp_path, PO, "x.po")
    assert scores(file) == {"pairs": 0.95}
    records = read(file)
    assert pairs(records) == [('Open "file"\n', 'Datei "öffnen"\n'), ("Long text", "Langer Text"),
                              ("%d file", "%d Datei"), ("%d files", "%d Dateien")]  # fmt: skip
    assert [row["id"] for row in rows(records)] == ["x.po:8", "x.po:12", "x.po:23", "x.po:24"]
    assert records.facts["languages"] == "en-de"
    assert kinds(records) == {"fuzzy-translation": (1, "skipped"), "untranslated": (1, "skipped"),
                              "obsolete-translation": (1, "skipped")}  # fmt: skip
    assert places(records, "fuzzy-translation") == [18]
    assert pairs(read(file, languages="de-en"))[1] == ("Langer Text", "Long text")
    latin = write(tmp_path, PO.replace("UTF-8", "ISO-8859-1"), "latin.po", "latin-1")
    assert pairs(read(latin)) == pairs(records)


def test_catalogues_of_several_languages(tmp_path: Path) -> None:
    for language in ("de", "ja"):
        text = PO.replace("Language: de", f"Language: {language}")
        if language == "ja":
            text = text.replace('msgstr[1] "%d Dateien"\n', "")
        write(tmp_path, text, f"locale/{language}/LC_MESSAGES/app.po")
    with pytest.raises(SettingError, match=r"3 languages \(de, en, ja\)"):
        read(tmp_path / "locale")
    assert ("%d files", "%d Datei") in pairs(read(tmp_path / "locale", languages="en-ja"))
    assert ("%d file", "%d Datei") not in pairs(read(tmp_path / "locale", languages="en-ja"))
    with pytest.raises(SettingError, match="no catalogue translates between de and ja"):
        read(tmp_path / "locale", languages="de-ja")
    bare = write(tmp_path, 'msgid "One two"\nmsgstr "Eins zwei"\n', "fr/LC_MESSAGES/app.po")
    assert read(bare.parents[1]).facts["languages"] in ("en-target", "en-fr")


def test_broken_catalogues(tmp_path: Path) -> None:
    for text, message in [
        ('msgid "a"\nmsgstr "b"\nsome words\n', r"x\.po, row 3: this is no line of a catalogue: 'some words'"),
        ('msgid "a\nmsgstr "b"\n', r"x\.po, row 1: this is no line"), ("", "no message in this catalogue"),
        ('"lonely"\n', r"row 1: this is no line"), ('msgid "a"\nmsgstr ""\n', r"no sentence pairs.*1 untranslated"),
    ]:  # fmt: skip
        with pytest.raises(DataError, match=message):
            read(write(tmp_path, text, "x.po"))


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(*[st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), min_size=1,
                                    max_size=15)] * 2), min_size=1, max_size=8))  # fmt: skip
def test_what_is_written_as_po_comes_back(
    tmp_path_factory: pytest.TempPathFactory, messages: list[tuple[str, str]]
) -> None:
    def quoted(text: str) -> str:
        for plain, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\t", "\\t"), ("\r", "\\r")):
            text = text.replace(plain, escaped)
        return f'"{text}"'

    text = "\n".join(f"msgid {quoted(left)}\nmsgstr {quoted(right)}\n" for left, right in messages)
    store = open_source(write(tmp_path_factory.mktemp("po"), text, "x.po")).store
    assert [(entry.message, entry.translations[0]) for entry in entries_of(store, "x.po", None)] == messages


def test_what_an_obsolete_message_was_before_is_a_comment(tmp_path: Path) -> None:
    catalogue = """msgid ""
msgstr "Language: de\\n"

msgid "house"
msgstr "Haus"

#~| msgid "old"
#~ msgid "older"
#~ msgstr "\u00e4lter"
"""
    file = write(tmp_path, catalogue, "de.po")
    assert [entry.message for entry in entries_of(open_source(file).store, file.name, None)][1] == "house"
