"""From the files of one folder to a template, every part of it read and checked."""

import hashlib
from collections.abc import Mapping
from types import MappingProxyType

from babel import Locale

from gateway.domain.recipients import Channel
from gateway.errors import TemplateBroken
from gateway.localization.locales import UnknownLocale, parse_locale
from gateway.rendering.environment import make_environment
from gateway.rendering.layouts import Flattener
from gateway.rendering.manifest import FILE, Manifest, read_manifest
from gateway.rendering.parts import FILES, NEEDED, Part, read_part
from gateway.rendering.templates import PartKey, Template
from gateway.rendering.variables import check_data

Files = Mapping[str, bytes]
"""Paths below the template's folder (layouts: below the root) and what stands there."""


def load_template(name: str, files: Files, layouts: Files) -> Template:
    """The template that these files make. Raises TemplateBroken with file, line and what would be right."""
    manifest = read_manifest(files.get(FILE, b""))
    texts = {path: _decoded(path, data) for path, data in layouts.items()}
    flattener = Flattener(make_environment(escapes=False), texts)
    parts: dict[PartKey, Part] = {}
    variants: dict[Locale, dict[PartKey, Part]] = {}
    for path in sorted(files):
        locale, channel, part_name = _place(path, manifest)
        if channel is None:
            continue
        source = _decoded(path, files[path])
        part = read_part(flattener, source, channel=channel, name=part_name, path=path, variables=manifest.variables)
        (parts if locale is None else variants.setdefault(locale, {}))[channel, part_name] = part
    parts.update(_push_settings(flattener, manifest))
    _check_complete(parts, manifest)
    template = _assembled(name, manifest, parts, variants, _version(files, texts, parts, variants))
    _check_samples(template)
    return template


def _decoded(path: str, data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise TemplateBroken(f"{path}: is not UTF-8", part=path) from error


def _place(path: str, manifest: Manifest) -> tuple[Locale | None, Channel | None, str]:
    """Which part of which locale a file is; no channel for files beside the folders."""
    *folders, file = path.split("/")
    if not folders:
        return None, None, ""
    locale = None
    if folders[0] not in list(Channel):
        try:
            locale = parse_locale(folders[0])
        except UnknownLocale as error:
            known = ", ".join(Channel)
            message = f"{path}: {folders[0]!r} is neither a channel ({known}) nor a locale such as fr-CA"
            raise TemplateBroken(message, part=path) from error
        folders = folders[1:]
    if len(folders) != 1 or folders[0] not in list(Channel):
        raise TemplateBroken(f"{path}: parts stand in one folder for each channel: {', '.join(Channel)}", part=path)
    channel = Channel(folders[0])
    if channel not in manifest.channels:
        raise TemplateBroken(f"{path}: {FILE} does not list the channel {channel} under `channels`", part=path)
    if file not in FILES[channel]:
        raise TemplateBroken(f"{path}: is no part of {channel}; there are: {', '.join(FILES[channel])}", part=path)
    return locale, channel, FILES[channel][file]


def _push_settings(flattener: Flattener, manifest: Manifest) -> dict[PartKey, Part]:
    """The `[push]` keys that are template text, read as parts of their own."""
    parts: dict[PartKey, Part] = {}
    for name in ("action", "image", "collapse_key"):
        source: str | None = getattr(manifest.push, name)
        if source:
            parts[Channel.PUSH, name] = read_part(
                flattener,
                source,
                channel=Channel.PUSH,
                name=name,
                path=f"{FILE} [push] {name}",
                variables=manifest.variables,
                isolates=False,
            )
    return parts


def _check_complete(parts: Mapping[PartKey, Part], manifest: Manifest) -> None:
    for channel in manifest.channels:
        names = {name for of, name in parts if of is channel}
        file_of = {name: file for file, name in FILES[channel].items()}
        for name in sorted(NEEDED[channel] - names):
            raise TemplateBroken(f"{channel}/{file_of[name]}: is missing", part=f"{channel}/{file_of[name]}")
        if channel is Channel.EMAIL and not names & {"html", "text"}:
            raise TemplateBroken("email/body.html: is missing, and so is email/body.txt", part="email/body.html")


def _version(
    files: Files,
    layouts: Mapping[str, str],
    parts: Mapping[PartKey, Part],
    variants: Mapping[Locale, Mapping[PartKey, Part]],
) -> str:
    """Short SHA-256 over the template's own files and the layouts that it is made of."""
    everything = [part for mapping in (parts, *variants.values()) for part in mapping.values()]
    used = sorted({layout for part in everything for layout in part.layouts})
    digest = hashlib.sha256()
    for path, data in [*sorted(files.items()), *((layout, layouts[layout].encode()) for layout in used)]:
        digest.update(f"{path}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()[:16]


def _assembled(
    name: str,
    manifest: Manifest,
    parts: Mapping[PartKey, Part],
    variants: Mapping[Locale, Mapping[PartKey, Part]],
    version: str,
) -> Template:
    everything = [(of, part) for mapping in (parts, *variants.values()) for (of, _), part in mapping.items()]
    return Template(
        name=name,
        version=version,
        description=manifest.description,
        category=manifest.category,
        topic=manifest.topic,
        channels=manifest.channels,
        strategy=manifest.strategy,
        fallback_after=manifest.fallback_after,
        expires_after=manifest.expires_after,
        variables=MappingProxyType(dict(manifest.variables)),
        samples=MappingProxyType(dict(manifest.samples)),
        parts=MappingProxyType(dict(parts)),
        variants=MappingProxyType({locale: MappingProxyType(dict(own)) for locale, own in variants.items()}),
        counts=frozenset(path for _, part in everything for path in part.counts),
        trials=frozenset(channel for channel, part in everything if part.needs_trial),
        sms_max_segments=manifest.sms_max_segments,
        sms_substitute=manifest.sms_substitute,
        push=manifest.push,
    )


def _check_samples(template: Template) -> None:
    for name, sample in template.samples.items():
        for problem in check_data(template, sample):
            where = problem.pointer.removeprefix("/data/").replace("/", ".")
            raise TemplateBroken(f"{FILE}: samples.{name}.{where}: {problem.message}", part=FILE)
