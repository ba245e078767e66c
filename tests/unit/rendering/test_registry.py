"""Templates on disk: read strictly, refused with the file and the cure, and never worse than what serves."""

import asyncio
from pathlib import Path

import pytest

from gateway.domain.recipients import Channel
from gateway.errors import NotFound, TemplateBroken
from gateway.rendering.manifest import read_manifest
from gateway.rendering.renderer import RenderInput
from tests.unit.rendering.workbench import LINK, NOW, Workbench, manifest

BASE = 'description = "d"\ncategory = "transactional"\nchannels = ["sms"]\n'


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("", "description: is missing"),
        ("x = [", "template.toml: "),
        ("\xff", "is not UTF-8"),
        (BASE + "colour = 1", "colour: is unknown; known here are: "),
        (BASE.replace("transactional", "urgent"), "category: is 'urgent'; it must be one of 'critical'"),
        (BASE.replace("transactional", "marketing"), "topic: is missing"),
        (BASE + 'topic = "A B"', "topic: must have lower-case"),
        (BASE.replace('["sms"]', "[]"), "channels: must name"),
        (BASE.replace('["sms"]', '["fax"]'), "channels: must name"),
        (BASE.replace('["sms"]', '["sms", "sms"]'), "channels: must name"),
        (BASE + 'strategy = "any"', "strategy: is 'any'"),
        (BASE + "strategy = 1", "strategy: must be one of"),
        (BASE + 'fallback_after = "5 minutes"', "fallback_after: is '5 minutes'"),
        (BASE + "expires_after = 5", "expires_after: must be a length of time"),
        (BASE + "variables = 1", "variables: must be a table"),
        (BASE + "[variables]\nx = 1", "variables.x: must be a table"),
        (BASE + "[variables]\nX = {type = 'string'}", "variables.X: a variable's name"),
        (BASE + "[variables]\nrecipient = {type = 'string'}", "variables.recipient: this name means something"),
        (BASE + "[variables]\nx = {}", "variables.x.type: is missing"),
        (BASE + "[variables]\nx = {type = 'text'}", "variables.x.type: is 'text'"),
        (BASE + "[variables]\nx = {type = 'string', size = 1}", "variables.x.size: is unknown"),
        (BASE + "[variables]\nx = {type = 'string', max_length = 0}", "variables.x.max_length: is 0"),
        (BASE + "[variables]\nx = {type = 'string', max_length = true}", "variables.x.max_length: must be an integer"),
        (BASE + "[variables]\nx = {type = 'money', max_length = 1}", "variables.x.max_length: only strings"),
        (BASE + "[variables]\nx = {type = 'integer', secret = true}", "variables.x.secret: only a string"),
        (BASE + "[variables]\nx = {type = 'string', of = 'string'}", "variables.x.of: only lists"),
        (BASE + "[variables]\nx = {type = 'list', of = {Y = 'string'}}", "variables.x.of.Y: a field's name"),
        (BASE + "[variables]\nx = {type = 'list', of = 7}", "must be a table"),
        (BASE + "[variables]\nx = {type = 'string'}", "samples: at least one"),
        (BASE + "[samples]\nusual = 1", "samples.usual: must be a table"),
        (BASE + "[samples]\n'No Name' = {}", "a sample's name"),
        (BASE + "[sms]\nmax_segments = 0", "sms.max_segments: is 0"),
        (BASE + "[sms]\nsegments = 1", "sms.segments: is unknown"),
        (BASE + "[push]\nbadge = -1", "push.badge: is -1"),
        (BASE + "[push]\nsound = 'x'", "push.sound: is unknown"),
        (BASE + "a" + ".a" * 20_000 + " = 1", "a key nests too deeply (at line"),
        (BASE + "a" + ' . "a"' * 20 + " = 1", "a key nests too deeply (at line"),
        (BASE + "[push]\nbadge = " + "9" * 5_000, "4300 digits"),
        (BASE + "#" * 100_000, "is larger than"),
    ],
)
def test_a_mistake_in_the_manifest_is_named_with_its_key(source: str, said: str) -> None:
    with pytest.raises(TemplateBroken) as refused:
        read_manifest(source.encode("latin-1"))

    assert said in refused.value.message
    assert refused.value.part == "template.toml"


def test_a_manifest_says_all_that_is_in_it() -> None:
    found = read_manifest(
        (
            BASE + 'topic = "orders"\nstrategy = "all"\nfallback_after = "5m"\nexpires_after = "2d"\n'
            "[variables]\nitems = {type = 'list', of = {name = 'string', tags = {type = 'list', of = 'string'}}}\n"
            "o = {type = 'object', of = {a = 'money'}}\n[samples.usual]\nitems = []\no = {a = {}}\n"
            "[sms]\nmax_segments = 2\nsubstitute = true\n[push]\naction = 'x'\nbadge = 0\nttl = '45s'"
        ).encode()
    )

    assert found.strategy == "all"
    assert (found.fallback_after.total_seconds(), found.expires_after.days) == (300, 2)  # type: ignore[union-attr]
    items = found.variables["items"].items
    assert items is not None
    assert items.fields is not None
    assert items.fields["tags"].items.type == "string"  # type: ignore[union-attr]
    assert (found.sms_max_segments, found.sms_substitute) == (2, True)
    assert (found.push.action, found.push.badge, found.push.ttl.seconds) == ("x", 0, 45)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("path", "text", "said"),
    [
        ("sms/other.txt", "x", "is no part of sms; there are: body.txt"),
        ("email/body.txt", "x", "does not list the channel email"),
        ("telegram/body.txt", "x", "'telegram' is neither a channel"),
        ("de/body.txt", "x", "parts stand in one folder"),
        ("de/sms/deep/body.txt", "x", "parts stand in one folder"),
        ("sms/body.txt", "{{ nmae }}", "sms/body.txt:1: 'nmae' is not declared"),
        ("sms/body.txt", "\n{% if %}", "sms/body.txt:2:"),
        ("sms/body.txt", "{{ o.b }}", "o.b is not declared; there are: a"),
        ("sms/body.txt", "{% trans count=o.a %}a{% pluralize %}b{% endtrans %}", "a plural is chosen by an integer"),
        ("sms/body.txt", "  ", "comes out empty"),
        ("sms/body.txt", "{{ name }}", "with sample 'usual'"),
        ("sms/body.txt", '{{ _("Hi %(name)s") }}', "names name, which is not bound"),
        ("de/sms/body.txt", "{{ nmae }}", "de/sms/body.txt:1"),
    ],
)
def test_a_broken_part_is_refused_with_its_place(bench: Workbench, path: str, text: str, said: str) -> None:
    variables = 'o = {type = "object", of = {a = "string"}}\nname = {type = "string", optional = true}'
    bench.sms("Text", variables, 'o = {a = "x"}')
    bench.write(f"note/{path}", text)

    assert said in bench.problem()


def test_a_sample_that_does_not_fit_is_refused(bench: Workbench) -> None:
    bench.sms("Text", 'n = {type = "integer"}', 'n = "1"')

    assert "samples.usual.n: must be an integer" in bench.problem()


def test_missing_parts_are_named(bench: Workbench) -> None:
    bench.write("note/template.toml", manifest(channels='"email", "push"'))
    assert "email/subject.txt: is missing" in bench.problem()

    bench.write("note/email/subject.txt", "S")
    assert "email/body.html: is missing" in bench.problem()

    bench.write("note/email/body.txt", "T")
    assert "push/body.txt: is missing" in bench.problem()


def test_a_broken_edit_leaves_the_last_good_version_serving(bench: Workbench) -> None:
    bench.sms("Good")
    bench.load()
    good = bench.templates.snapshot.template("note")

    bench.write("note/sms/body.txt", "{{ broken")
    bench.load()

    assert bench.templates.snapshot.template("note") is good
    assert "sms/body.txt:1" in bench.templates.snapshot.broken["note"]


def test_a_mended_edit_serves_and_is_no_longer_broken(bench: Workbench) -> None:
    bench.sms("{{ broken")
    bench.load()
    assert bench.templates.snapshot.names == ()

    bench.write("note/sms/body.txt", "Mended")

    assert bench.text({}) == "Mended"
    assert not bench.templates.snapshot.broken


async def test_refresh_tells_whether_anything_changed(bench: Workbench) -> None:
    bench.sms("Good")

    changes = [await bench.templates.refresh(), await bench.templates.refresh()]
    bench.write("note/sms/body.txt", "Well")  # as long as before, within one tick of the clock
    changes.append(await bench.templates.refresh())
    bench.write("note/sms/body.txt", "{{ x")
    changes += [await bench.templates.refresh(), await bench.templates.refresh()]

    assert changes == [True, False, True, True, False]


def test_a_layouts_change_is_a_new_version_of_those_that_use_it(bench: Workbench) -> None:
    bench.write("_layouts/brand.txt", "A")
    bench.sms("{% include '_layouts/brand.txt' %}")
    bench.sms("other", name="other")
    bench.load()
    before = {name: bench.templates.snapshot.template(name).version for name in ("note", "other")}

    bench.write("_layouts/brand.txt", "B")
    bench.load()

    after = {name: bench.templates.snapshot.template(name).version for name in ("note", "other")}
    assert before["note"] != after["note"]
    assert before["other"] == after["other"]


def test_a_removed_template_is_gone(bench: Workbench) -> None:
    bench.sms("x")
    bench.load()

    (bench.root / "templates/note/template.toml").unlink()
    bench.load()

    with pytest.raises(NotFound):
        bench.templates.snapshot.template("note")


def test_links_out_of_the_folder_and_oversized_files_are_refused(bench: Workbench, tmp_path: Path) -> None:
    bench.sms("x")
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    body = bench.root / "templates/note/sms/body.txt"
    body.unlink()
    body.symlink_to(secret)
    assert "leads out of the templates' folder" in bench.problem()

    body.unlink()
    body.write_text("x" * 600_000)
    assert "is larger than" in bench.problem()


def test_what_is_not_a_text_is_refused(bench: Workbench) -> None:
    bench.sms("x")
    (bench.root / "templates/note/sms/body.txt").write_bytes(b"\xff\xfe")

    assert "is not UTF-8" in bench.problem()


def test_broken_layouts_break_whoever_is_loaded_and_good_ones_serve_on(bench: Workbench, tmp_path: Path) -> None:
    bench.sms("x")
    bench.load()
    bench.write("_layouts/large.txt", "x" * 600_000)

    assert "_layouts/large.txt: is larger" in bench.problem()
    assert bench.templates.snapshot.names == ("note",)


@pytest.mark.parametrize("name", ["Note", "a_b", "x" * 80])
def test_a_folder_with_another_name_is_refused(bench: Workbench, name: str) -> None:
    bench.sms("x", name=name)

    assert "a template's name has" in bench.problem(name)


def test_editors_droppings_and_hidden_folders_are_not_looked_at(bench: Workbench) -> None:
    bench.sms("x")
    bench.write("note/sms/body.txt~", "{{")
    bench.write("note/.git/config", "x")
    bench.write("note/README.md", "x")
    bench.write(".hidden/template.toml", "x")
    bench.write("_layouts/template.toml", "x")

    assert bench.text({}) == "x"


def test_without_a_folder_there_are_no_templates(tmp_path: Path) -> None:
    bench = Workbench(tmp_path)
    (tmp_path / "templates").rmdir()
    bench.load()

    assert bench.templates.snapshot.names == ()


@pytest.mark.parametrize("name", ["../../etc/passwd", "", "note/../note", "x" * 5000])
def test_no_name_reaches_a_file(bench: Workbench, name: str) -> None:
    bench.sms("x")
    bench.load()

    with pytest.raises(NotFound):
        bench.templates.snapshot.template(name)


def test_a_byte_order_mark_is_no_text(bench: Workbench) -> None:
    bench.sms("\ufeffHello")

    assert bench.text({}) == "Hello"


@pytest.mark.parametrize(
    ("body", "needed"),
    [
        ("Hello {{ name }}", False),
        ("{{ name }}", True),
        ("{{ n }}", False),
        ("{{ n|number }}", False),
        ("{{ names|list }}", True),
        ("{% trans %}Hello{% endtrans %}", False),
        ("{% trans %}{{ name }}{% endtrans %}", True),
        ("{% trans count=n %}one{% pluralize %}many{% endtrans %}", False),
        ("{% if name %}a{% else %}b{% endif %}", False),
        ("{% if name %}a{% elif n %}{% else %}b{% endif %}", True),
        ("{% if name %}a{% endif %}", True),
        ("{% for x in names %}a{% endfor %}", True),
        ("a {{ opt }}", True),
        ("a {% if opt|default('') %}{{ opt }}{% endif %}", False),
        ("a {% if n == 2 %}{{ recipient.name }}{% endif %}", True),
        ("a {{ recipient.name|default('') }}", False),
        ("a {{ free.field|default('') }}", True),
        ("a {% for x in items %}{{ x.note|default('') }}{% endfor %}", True),
        ("a {% for x in names if x %}{{ x }}{% endfor %}", False),
    ],
)
def test_only_texts_that_could_fail_need_a_trial(bench: Workbench, body: str, needed: bool) -> None:
    variables = (
        'name = {type = "string"}\nn = {type = "integer"}\nnames = {type = "list", of = "string"}\n'
        'opt = {type = "string", optional = true}\nfree = {type = "object"}\n'
        'items = {type = "list", of = {note = {type = "string", optional = true}}}'
    )
    sample = 'name = "N"\nn = 1\nnames = ["a"]\nopt = "o"\nfree = {field = "x"}\nitems = [{note = "x"}]'
    bench.sms(body, variables, sample)
    bench.load()
    template = bench.templates.snapshot.template("note")

    assert template.may_be_empty(Channel.SMS) is needed


async def test_renders_during_reloads_each_show_one_version(bench: Workbench) -> None:
    bench.write("note/template.toml", manifest(channels='"push"'))
    bench.write("note/push/title.txt", "{% trans %}Title{% endtrans %}")
    bench.write("note/push/body.txt", "{% trans %}Body{% endtrans %}")
    await bench.templates.refresh()

    async def reload() -> None:
        for version in range(20):
            bench.translate("de", {"Title": f"T{version}", "Body": f"B{version}"})
            await bench.catalogs.refresh()

    async def send() -> list[tuple[str, str]]:
        shown = []
        for _ in range(200):
            pin = bench.renderer.pin()
            template = pin.templates.template("note")
            resolution = bench.renderer.resolve(pin, template, template.channels, "de")
            await asyncio.sleep(0)
            given = RenderInput(
                data={}, recipient={}, timezone="UTC", now=NOW, unsubscribe_url=LINK, preferences_url=LINK
            )
            content = bench.renderer.render(pin, template, Channel.PUSH, resolution, given)
            shown.append((content.title, content.body))  # type: ignore[union-attr]
            await asyncio.sleep(0.002)
        return shown

    _, shown = await asyncio.gather(reload(), send())

    assert len({title for title, _ in shown}) > 2
    assert all(title.replace("T", "") == body.replace("B", "") or title == "Title" for title, body in shown)
    assert ("Title", "Body") in shown or shown[0][0].startswith("T")
