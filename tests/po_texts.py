"""PO files for tests, short enough to read."""

HEADERS = {
    "en": "nplurals=2; plural=(n != 1);",
    "fr": "nplurals=2; plural=(n > 1);",
    "de": "nplurals=2; plural=(n != 1);",
    "ru": "nplurals=3; plural=(n%10==1 && n%100!=11 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);",
    "pl": "nplurals=3; plural=(n==1 ? 0 : n%10>=2 && n%10<=4 && (n%100<12 || n%100>14) ? 1 : 2);",
    "ja": "nplurals=1; plural=0;",
    "zh": "nplurals=1; plural=0;",
    "ar": "nplurals=6; plural=(n==0 ? 0 : n==1 ? 1 : n==2 ? 2 : n%100>=3 && n%100<=10 ? 3 : n%100>=11 ? 4 : 5);",
    "es": "nplurals=2; plural=(n != 1);",
    "pt": "nplurals=2; plural=(n > 1);",
    "he": "nplurals=3; plural=(n==1 ? 0 : n==2 ? 1 : 2);",
}


def po_text(language: str, body: str = "", plural_forms: str | None = None) -> str:
    """A PO file with the usual header; `body` is the rest, as in a file."""
    plural = HEADERS.get(language.split("_", maxsplit=1)[0], "") if plural_forms is None else plural_forms
    plural_line = f'"Plural-Forms: {plural}\\n"\n' if plural else ""
    return (
        'msgid ""\nmsgstr ""\n'
        f'"Language: {language}\\n"\n"MIME-Version: 1.0\\n"\n"Content-Type: text/plain; charset=UTF-8\\n"\n'
        f'"Content-Transfer-Encoding: 8bit\\n"\n{plural_line}\n{body}'
    )


def po_bytes(language: str, body: str = "", plural_forms: str | None = None) -> bytes:
    """The same, as bytes on disk."""
    return po_text(language, body, plural_forms).encode()


def entry(
    msgid: str, *msgstr: str, plural: str | None = None, flags: str = "", place: str = "", context: str = ""
) -> str:
    """One entry as text; the strings are put between quotes as they are."""
    lines = [f"#: {place}"] if place else []
    lines += [f"#, {flags}"] if flags else []
    lines += [f'msgctxt "{context}"'] if context else []
    lines.append(f'msgid "{msgid}"')
    if plural is None:
        lines.append(f'msgstr "{msgstr[0]}"')
    else:
        lines.append(f'msgid_plural "{plural}"')
        lines += [f'msgstr[{index}] "{text}"' for index, text in enumerate(msgstr)]
    return "\n".join(lines) + "\n\n"
