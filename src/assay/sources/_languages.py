"""Languages by the codes that files and columns carry."""

from __future__ import annotations

import re

from assay.errors import SettingError

#: ISO 639-1.
_TWO_LETTERS = frozenset(
    re.findall(
        r"\w+",
        """
aa ab ae af ak am an ar as av ay az ba be bg bh bi bm bn bo br bs ca ce ch co cr cs cu cv cy da de dv dz ee el en eo es
et eu fa ff fi fj fo fr fy ga gd gl gn gu gv ha he hi ho hr ht hu hy hz ia id ie ig ii ik io is it iu ja jv ka kg ki kj
kk kl km kn ko kr ks ku kv kw ky la lb lg li ln lo lt lu lv mg mh mi mk ml mn mr ms mt my na nb nd ne ng nl nn no nr nv
ny oc oj om or os pa pi pl ps pt qu rm rn ro ru rw sa sc sd se sg si sk sl sm sn so sq sr ss st su sv sw ta te tg th ti
tk tl tn to tr ts tt tw ty ug uk ur uz ve vi vo wa wo xh yi yo za zh zu
""",
    )
)

#: Of ISO 639-2 and -3, those that corpora use; not every three letters are a language.
_THREE_LETTERS = frozenset(
    re.findall(
        r"\w+",
        """
afr amh ara arb asm ast aze azj bel ben bos bul cat ceb ces cze ckb cmn cym dan deu ger ell gre eng epo est eus fas per
fin fra fre ful gle glg guj hat hau heb hin hrv hsb hun hye ibo ind isl ice ita jav jpn kab kam kan kat kaz kea khm kir
kor kur lao lat lav lin lit ltz lug luo lvs mal mar mkd mlt mon mri mya nds nld dut nob nno npi nso nya oci orm ory pan
pes pol por pus roh ron rum rus sin slk slv smo sna snd som spa sqi srp swa swe swh tam tat tel tgk tgl tha tsn tuk tur
uig ukr umb urd uzb vie wol xho yid yor yue zho chi zsm zul
""",
    )
)

_NAMES = frozenset(
    re.findall(
        r"\w+",
        """
arabic bengali bulgarian catalan chinese croatian czech danish dutch english estonian finnish french german greek hebrew
hindi hungarian icelandic indonesian irish italian japanese korean latin latvian lithuanian norwegian persian polish
portuguese romanian russian serbian slovak slovenian spanish swahili swedish thai turkish ukrainian urdu vietnamese
welsh
""",
    )
)

#: Names of the two sides where languages are not told.
ROLES = {"src": 0, "source": 0, "tgt": 1, "trg": 1, "target": 1}


def is_language(word: str) -> bool:
    """Whether a word is a language's code, with a script or region behind it or not, or its English name."""
    if word.lower() in _NAMES:
        return True
    found = re.fullmatch(r"([A-Za-z]{2,3})([-_][A-Za-z]{4})?([-_]([A-Za-z]{2}|\d{3}))?", word)
    return found is not None and (found[1].lower() in _TWO_LETTERS or found[1].lower() in _THREE_LETTERS)


def asked_languages(asked: str) -> tuple[str, str]:
    """`en-de` as source and target; regions are written with an underscore (`pt_BR-en`). Raises `SettingError`."""
    parts = re.split(r"-|>|→|,|\s+to\s+", asked.strip())
    if len(parts) != 2 or not all(part.strip() for part in parts):
        raise SettingError(f"--languages {asked!r} are not two languages.", "Write them as en-de: source, then target.")
    return parts[0].strip(), parts[1].strip()


def find_language(wanted: str, known: list[str]) -> str | None:
    """Which of the known languages is meant: the very code, or the only one that is it in another region."""
    tidy = wanted.lower().replace("_", "-")
    same = [name for name in known if name.lower().replace("_", "-") == tidy]
    near = [name for name in known if name.lower().replace("_", "-").split("-")[0] == tidy]
    found = same or (near if len(near) == 1 else [])
    return found[0] if found else None


def choose_languages(
    known: list[str], asked: str | None, where: str, first: str | None = None, facts: str = ""
) -> tuple[str, str, str]:
    """Source and target out of the languages that are there, and how they were chosen.

    Args:
        known: the languages, or names of sides such as `src` and `tgt`.
        asked: the user's `--languages`.
        where: for messages.
        first: the language that the data itself says is the source.
        facts: what else the message about too many languages tells.

    Raises:
        SettingError: a language that is not there, or more than two and none asked for.
    """
    told = ", ".join(sorted(known))
    if asked is not None:
        wanted = asked_languages(asked)
        found = [find_language(name, known) for name in wanted]
        for name, language in zip(wanted, found, strict=True):
            if language is None:
                raise SettingError(f"{where} has no language {name!r}; there is {told}.", "Write them as en-de.")
        if found[0] == found[1]:
            raise SettingError(f"--languages {asked!r} names one language twice.", f"There is {told}.")
        return str(found[0]), str(found[1]), "as asked"
    if len(known) != 2:
        ordered = sorted(known)
        hint = f"Say which, source first: --languages {ordered[0]}-{ordered[1]}." if len(known) > 1 else ""
        raise SettingError(f"{where} has {len(known)} languages ({told}); two are needed.{facts}", hint)
    source, target = sorted(known, key=lambda name: (name != first, ROLES.get(name.lower(), 0), name))
    roles = set(map(str.lower, known)) <= set(ROLES)
    return source, target, "as the data says" if first in known or roles else "by the alphabet"
