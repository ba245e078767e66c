"""Settings say where each value came from, and a wrong one names its key, its place and its fix."""

from datetime import date, timedelta
from pathlib import Path

import pytest

from gateway.bootstrap import SystemClock, copy_store
from gateway.configuration import load_settings
from gateway.domain.preferences import Category
from gateway.errors import ConfigurationError
from gateway.settings.providers import SesProviderSettings, SmtpProviderSettings


def write(directory: Path, text: str) -> None:
    (directory / "heliograph.toml").write_text(text, encoding="utf-8")


def test_without_a_file_everything_has_a_default(tmp_path: Path) -> None:
    loaded = load_settings({}, tmp_path)

    assert loaded.settings.server.port == 8080
    assert loaded.settings.public_url == "http://127.0.0.1:8080"
    assert loaded.sources == {}


def test_the_environment_stands_above_the_file_and_each_value_names_its_place(tmp_path: Path) -> None:
    write(tmp_path, '[server]\nhost = "0.0.0.0"\nport = 9000\n')

    loaded = load_settings({"HELIOGRAPH_SERVER_PORT": "9001"}, tmp_path)

    assert (loaded.settings.server.host, loaded.settings.server.port) == ("0.0.0.0", 9001)
    assert loaded.sources["server.host"] == f"{tmp_path}/heliograph.toml:2"
    assert loaded.sources["server.port"] == "HELIOGRAPH_SERVER_PORT"


def test_a_secret_file_that_is_no_text_is_named_without_its_content(tmp_path: Path) -> None:
    (tmp_path / "password").write_bytes(b"hunter2\xff")
    write(tmp_path, f"[security]\nsecret = {{file = '{tmp_path}/password'}}\n")

    with pytest.raises(ConfigurationError, match=r"security\.secret.*not UTF-8") as refused:
        load_settings({}, tmp_path)

    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("secret", ["", "short"])
def test_a_secret_that_anybody_could_guess_stops_the_start(secret: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=r"HELIOGRAPH_SECURITY_SECRET.*at least 16 characters") as refused:
        load_settings({"HELIOGRAPH_SECURITY_SECRET": secret}, tmp_path)

    assert not secret or secret not in str(refused.value)


def test_secrets_come_from_the_environment_or_a_file_and_never_show(tmp_path: Path) -> None:
    (tmp_path / "password").write_text("from-file\n", encoding="utf-8")
    write(
        tmp_path,
        "[providers.main]\nkind = 'smtp'\nhost = 'relay.example'\n"
        f"password = {{file = '{tmp_path}/password'}}\n[security]\nsecret = {{env = 'SIGNING'}}\n",
    )

    settings = load_settings({"SIGNING": "from-the-environment"}, tmp_path).settings

    provider = settings.providers["main"]
    assert isinstance(provider, SmtpProviderSettings)
    assert provider.password is not None
    assert provider.password.get_secret_value() == "from-file"
    assert settings.security.secret is not None
    assert settings.security.secret.get_secret_value() == "from-the-environment"
    assert "from-" not in repr(settings)


def test_a_provider_setting_can_be_a_variable(tmp_path: Path) -> None:
    write(tmp_path, "[providers.smtp-main]\nkind = 'smtp'\nhost = 'relay.example'\n")

    settings = load_settings({"HELIOGRAPH_PROVIDERS_SMTP_MAIN_PORT": "2525"}, tmp_path).settings

    provider = settings.providers["smtp-main"]
    assert isinstance(provider, SmtpProviderSettings)
    assert provider.port == 2525


def test_a_variable_holds_a_list_with_commas_between(tmp_path: Path) -> None:
    topics = ("arn:aws:sns:eu-west-1:123456789012:one", "arn:aws:sns:eu-west-1:123456789012:two")
    account = "region = 'eu-west-1'\naccess_key_id = 'AKIA'\nsecret_access_key = 'secret'\n"
    write(tmp_path, f"[providers.ses]\nkind = 'ses'\n{account}")
    named = {
        "HELIOGRAPH_PROVIDERS_SES_TOPIC_ARNS": ",".join(topics),
        "HELIOGRAPH_POLICY_CRITICAL_OVERRIDES": "bounce, complaint",
        "HELIOGRAPH_SECURITY_ALLOW_PRIVATE_ENDPOINTS": "127.0.0.1, 10.0.0.0/8",
        "HELIOGRAPH_SPENDING_COUNTRIES": "FR, DE",
    }

    settings = load_settings(named, tmp_path).settings

    provider = settings.providers["ses"]
    assert isinstance(provider, SesProviderSettings)
    assert provider.topic_arns == topics
    assert settings.policy.critical_overrides == ("bounce", "complaint")
    assert settings.security.allow_private_endpoints == ("127.0.0.1", "10.0.0.0/8")
    assert settings.spending.countries == ("FR", "DE")


@pytest.mark.parametrize(
    ("text", "environ", "expected"),
    [
        pytest.param(
            "[server]\nhots = 'x'\n", {}, ["heliograph.toml:2", "server.hots", "no such setting"], id="unknown key"
        ),
        pytest.param("\n[serber]\nhost = 'x'\n", {}, ["heliograph.toml:2", "serber"], id="unknown section"),
        pytest.param("[server]\n\nport = 'many'\n", {}, ["heliograph.toml:3", "server.port", "integer"], id="bad type"),
        pytest.param("[server]\nport = \n", {}, ["heliograph.toml", "line 2"], id="no TOML"),
        pytest.param("[delivery]\nretry_first = '5 s'\n", {}, ["delivery.retry_first", "5s, 15m"], id="bad duration"),
        pytest.param("[policy]\ndefault_timezone = 'Mars'\n", {}, ["default_timezone", "Europe/Paris"], id="bad zone"),
        pytest.param(
            "[providers.a]\nkind = 'pigeon'\n", {}, ["providers.a", "no kind 'pigeon'", "'smtp'"], id="unknown kind"
        ),
        pytest.param("[providers.a]\nport = 25\n", {}, ["providers.a", "which kind", "'smtp'"], id="no kind"),
        pytest.param("[providers.a]\nkind = 'smtp'\n", {}, ["providers.a.host", "required"], id="missing key"),
        pytest.param("[[routes]]\nchannel = 'sms'\nproviders = ['x']\n", {}, ["routes[0]", "'x'"], id="dangling route"),
        pytest.param(
            "[[routes]]\nchannel = 'sms'\nproviders = ['x']\nweights = {x = 1}\n",
            {},
            ["heliograph.toml:1", "routes", "one of them, and not both"],
            id="in order and by weight",
        ),
        pytest.param("[[routes]]\nchannel = 'sms'\n", {}, ["routes", "one of them, and not both"], id="empty route"),
        pytest.param(
            "[[routes]]\nchannel = 'sms'\nweights = {x = 0}\n", {}, ["routes", "more than 0"], id="no weight at all"
        ),
        pytest.param(
            "[[routes]]\nchannel = 'sms'\nweights = {x = 1}\n", {}, ["routes[0].weights", "'x'"], id="dangling weight"
        ),
        pytest.param(
            "[providers.a]\nkind = 'smtp'\nhost = 'relay'\nrate = '10 a second'\n",
            {},
            ["heliograph.toml:4", "providers.a.rate", "10/s, 600/m"],
            id="no rate",
        ),
        pytest.param(
            "[[quiet_hours]]\nname = 'a'\nforbid = [{from = '22:00', to = '8:00'}]\n"
            "[[quiet_hours]]\nname = 'b'\ncountries = ['UK']\nallow = [\n  {from = '09:00', to = '09:00'},\n]\n",
            {},
            [
                "heliograph.toml:3: quiet_hours.0.forbid.0.to: Give a local time as HH:MM",
                "heliograph.toml:6: quiet_hours.1.countries.0: 'UK' is no ISO 3166-1",
                "heliograph.toml:7: quiet_hours.1.allow.0.to: It begins and ends at one time",
            ],
            id="quiet hours",
        ),
        pytest.param(
            "[[frequency_caps]]\nname = 'offers'\nlimit = 3\nper = 'fortnight'\n",
            {},
            ["heliograph.toml:4: frequency_caps.0.per: Give day, week or month"],
            id="frequency caps",
        ),
        pytest.param(
            "[policy]\ncritical_overrides = ['bounce', 'stop']\n",
            {},
            ["heliograph.toml:2", "policy.critical_overrides", "a STOP holds for every message"],
            id="a STOP that critical would override",
        ),
        pytest.param(
            "[policy]\nrelease_over = '2h'\n", {}, ["policy.release_over", "seconds=3600"], id="a slow release"
        ),
        pytest.param(
            "[engagement]\nopens = ['marketing', 'critical']\n",
            {},
            ["heliograph.toml:2", "engagement.opens", "nothing is told of critical messages"],
            id="opens of critical messages",
        ),
        pytest.param(
            "", {"HELIOGRAPH_ENGAGEMENT_HOSTS": "https://shop.example"}, ["engagement.hosts"], id="a host that is none"
        ),
        pytest.param(
            "",
            {"HELIOGRAPH_SPENDING_COUNTRIES": ""},
            ["spending.countries", "country codes"],
            id="countries left empty",
        ),
        pytest.param("[security]\nsecret = {env = 'GONE'}\n", {}, ["heliograph.toml:2", "'GONE'"], id="missing secret"),
        pytest.param(
            "[security]\nsecret = {env = 'GONE'}\n[providers.a]\nkind = 'smtp'\npassword = {file = 'gone'}\n",
            {},
            ["heliograph.toml:2", "the variable 'GONE'", "heliograph.toml:5", "the file 'gone'"],
            id="every missing secret",
        ),
        pytest.param(
            "", {"HELIOGRAPH_SERVER_PROT": "1"}, ["HELIOGRAPH_SERVER_PROT", "HELIOGRAPH_SERVER_PORT"], id="variable"
        ),
    ],
)
def test_a_wrong_setting_stops_the_start_with_key_place_and_fix(
    tmp_path: Path, text: str, environ: dict[str, str], expected: list[str]
) -> None:
    write(tmp_path, text)

    with pytest.raises(ConfigurationError) as raised:
        load_settings(environ, tmp_path)

    for part in expected:
        assert part in raised.value.message


def test_nothing_is_told_of_readers_unless_categories_are_named(tmp_path: Path) -> None:
    named = {"HELIOGRAPH_ENGAGEMENT_OPENS": "marketing", "HELIOGRAPH_ENGAGEMENT_CLICKS": "marketing, transactional"}

    off, on = load_settings({}, tmp_path).settings.engagement, load_settings(named, tmp_path).settings.engagement

    assert (off.opens, off.clicks) == ((), ())
    assert (on.opens, on.clicks) == ((Category.MARKETING,), (Category.MARKETING, Category.TRANSACTIONAL))


@pytest.mark.parametrize(
    ("text", "environ", "packs"),
    [
        ("", {}, True),
        ("[policy]\npacks = false\n", {}, False),
        ("[policy]\npacks = ['FR', 'US']\n", {}, ("FR", "US")),
        ("", {"HELIOGRAPH_POLICY_PACKS": "false"}, False),
        ("", {"HELIOGRAPH_POLICY_PACKS": "FR, US"}, ("FR", "US")),
    ],
)
def test_country_packs_are_all_none_or_listed(
    tmp_path: Path, text: str, environ: dict[str, str], packs: bool | tuple[str, ...]
) -> None:
    write(tmp_path, text)

    assert load_settings(environ, tmp_path).settings.policy.packs == packs


def test_the_operators_rules_are_read_with_their_dates(tmp_path: Path) -> None:
    write(
        tmp_path,
        "[[quiet_hours]]\nname = 'night'\nforbid = [{from = '22:00', to = '08:00'}]\nvalid_from = 2026-11-01\n"
        "[[frequency_caps]]\nname = 'offers'\nlimit = 3\nper = '24h'\n",
    )

    rules = load_settings({}, tmp_path).settings.rules()

    assert [(rule.name, rule.valid_from, rule.origin) for rule in rules.quiet_hours] == [
        ("night", date(2026, 11, 1), "settings")
    ]
    assert [(cap.name, cap.limit, cap.per) for cap in rules.frequency_caps] == [("offers", 3, timedelta(days=1))]


def test_a_rule_of_a_pack_is_not_overridden_without_a_reason(tmp_path: Path) -> None:
    write(tmp_path, "[[policy.overrides]]\nrule = 'us-texas'\n")

    with pytest.raises(ConfigurationError, match=r"policy\.overrides\.reason: this is required"):
        load_settings({}, tmp_path)


def test_a_file_that_is_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="cannot be read"):
        load_settings({"HELIOGRAPH_CONFIG": str(tmp_path / "none.toml")}, tmp_path)


def test_what_is_found_wrong_when_a_setting_is_used_is_told_with_its_place(tmp_path: Path) -> None:
    write(tmp_path, "[content]\ntemplates = 'gone'\n")
    loaded = load_settings({}, tmp_path)

    with pytest.raises(ConfigurationError) as raised, loaded.placing():
        raise ConfigurationError("content.templates: there is no folder gone")

    assert raised.value.message.endswith("heliograph.toml:2: content.templates: there is no folder gone")


def test_a_default_that_cannot_be_used_is_told_as_it_is(tmp_path: Path) -> None:
    loaded = load_settings({}, tmp_path)

    with pytest.raises(ConfigurationError, match=r"^store\.url: cannot open x$"), loaded.placing():
        raise ConfigurationError("store.url: cannot open x")


async def test_a_copy_names_the_address_that_is_none_instead_of_the_settings(tmp_path: Path) -> None:
    source = f"sqlite:///{tmp_path}/store.db"

    with pytest.raises(ConfigurationError) as refused:
        await copy_store(source, "nonsense://user:secret@host/x", SystemClock(), lambda *_: None)

    assert refused.value.message == (
        "nonsense://user:••••@host/x: a store is sqlite:///path/to/file.db or postgresql://…"
    )


def test_a_store_that_is_none_is_refused_with_its_key_and_place(tmp_path: Path) -> None:
    write(tmp_path, '[store]\nurl = "nonsense://"\n')

    with pytest.raises(ConfigurationError, match=r":2: store\.url: it must be sqlite:///"):
        load_settings({}, tmp_path)
