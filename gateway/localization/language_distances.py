"""How well a reader of one language reads another: CLDR 47 `languageMatching`, type `written-new`.

Source: Unicode CLDR 47, common/supplemental/languageInfo.xml (Unicode License v3), the release that Babel 2.18 carries.
The words are distances: 0 is the same, 4 a regional difference, from 50 on people do not read it.
"""

LANGUAGE_DISTANCES: dict[int, dict[str, str]] = {
    1: {
        "nb": "no",
        "no": "nb",
    },
    4: {
        "aa": "ssy",
        "bs": "hr sh",
        "de": "gsw lb",
        "hr": "bs sh",
        "sh": "bs hr sr",
        "sr": "sh",
        "ssy": "aa",
    },
    8: {
        "da": "nb no",
        "nb": "da",
        "no": "da",
    },
    10: {
        "ar": (
            "aao abh abv acm acq acw acx acy adf aeb aec afb apc apd arq ars ary arz auz avl ayh ayl ayn ayp bbz "
            "pga shu ssh"
        ),
        "az": "azb",
        "et": "vro",
        "ff": "ffm fub fue fuf fuh fui fuq fuv",
        "gn": "gnw gui gun nhd",
        "iu": "ikt",
        "kln": "enb eyo niq oki pko sgc tec tuy",
        "kok": "knn",
        "kpe": "gkp",
        "luy": "ida lkb lko lks lri lrm lsm lto lts lwg nle nyd rag",
        "lv": "ltg",
        "mg": "bhr bjq bmm bzc msh skg tdx tkg txy xmv xmw",
        "mn": "mvf",
        "ms": (
            "bjn btj bve bvu coa dup hji id jak jax kvb kvr kxd lce lcf liw max meo mfa mfb min mqg msi mui orn "
            "ors pel pse tmw urk vkk vkt xmm zlm zmi"
        ),
        "ne": "dty",
        "om": "gax hae orc",
        "or": "spv",
        "ps": "pbt pst",
        "qu": (
            "qub qud quf qug quh quk qul qup qur qus quw qux quy qva qvc qve qvh qvi qvj qvl qvm qvn qvo qvp qvs "
            "qvw qvz qwa qwc qwh qws qxa qxc qxh qxl qxn qxo qxp qxr qxt qxu qxw"
        ),
        "sc": "sdc sdn sro",
        "sq": "aae aat aln",
        "syr": "aii",
        "uz": "uzs",
        "yi": "yih",
        "zh": "cdo cjy cpx czh czo gan hak hsn lzh mnp nan wuu yue",
    },
    20: {
        "cs": "sk",
        "da": "fo",
        "de": "rm",
        "en": "af chr cy ga gd haw is mi pcm",
        "es": "ay ca eu gl gn",
        "fr": "br co crs ht oc",
        "hi": "mai",
        "id": "jv su",
        "it": "la scn",
        "nb": "nn",
        "nl": "fy",
        "nn": "nb no",
        "no": "nn",
        "ru": "be",
        "sk": "cs",
        "ur": "bal",
        "zh": "bo ug za",
    },
    30: {
        "ar": "ckb",
        "en": (
            "ach ak am bem bn ee eo gaa ha ia ig ka km kn kri lg lo loz mfe ml mt my ne nso ny nyn om or pa ps rn "
            "sd si sn so sq st sw ta te ti tlh tn to tum ur xh yi yo zu"
        ),
        "es": "qu",
        "fil": "ceb",
        "fr": "kg ln lua mg rw wo",
        "hi": "bh gu mr sa",
        "id": "ms",
        "ru": "ab az hy kk ky mn tg tk tt uz",
        "tr": "ku",
    },
}
"""distance → language offered → the languages whose readers read it at that distance."""

SCRIPT_DISTANCES: dict[int, dict[str, str]] = {
    4: {
        "zh_Hant_$!cnsar": "zh_Hant_$!cnsar",
        "zh_Hant_$cnsar": "zh_Hant_$cnsar",
    },
    5: {
        "ja_Hrkt": "ja_Hira ja_Kana",
        "ja_Jpan": "ja_Hani ja_Hira ja_Hrkt ja_Kana ja_Latn",
        "ko_Hang": "ko_Jamo",
        "ko_Kore": "ko_Hang ko_Hani ko_Jamo",
        "sr_Cyrl": "sr_Latn",
        "sr_Latn": "sr_Cyrl",
    },
    10: {
        "en_Latn": (
            "am_Ethi bn_Beng ka_Geor km_Khmr kn_Knda lo_Laoo ml_Mlym my_Mymr ne_Deva or_Orya pa_Guru ps_Arab "
            "sd_Arab si_Sinh ta_Taml te_Telu ti_Ethi ur_Arab yi_Hebr"
        ),
        "ru_Cyrl": "az_Latn hy_Armn tk_Latn uz_Latn",
        "zh_Hans": "bo_Tibt za_Latn",
    },
    20: {
        "ar_Arab": "ar_Latn",
        "bn_Beng": "bn_Latn",
        "gu_Gujr": "gu_Latn",
        "hi_Deva": "hi_Latn",
        "kn_Knda": "kn_Latn",
        "ml_Mlym": "ml_Latn",
        "mr_Deva": "mr_Latn",
        "ta_Taml": "ta_Latn",
        "te_Telu": "te_Latn",
        "zh_Hans": "zh_Hani zh_Latn",
        "zh_Hant": "zh_Hani",
    },
}
"""distance → language and script offered → the ones whose readers read it at that distance."""

_AMERICAS = (
    "003 005 013 019 021 029 419 AG AI AR AW BB BL BM BO BQ BR BS BV BZ CA CL CO CR CU CW DM DO EC FK GD "
    "GF GL GP GS GT GY HN HT JM KN KY LC MF MQ MS MX NI PA PE PM PR PY SR SV SX TC TT US UY VC VE VG VI"
)

REGION_CLUSTERS: dict[str, frozenset[str]] = {
    "ar": frozenset({"MA", "DZ", "TN", "LY", "MR", "EH"}),
    "en": frozenset({"AS", "CA", "GU", "MH", "MP", "PH", "PR", "UM", "US", "VI"}),
    "es": frozenset(_AMERICAS.split()),
    "pt": frozenset(_AMERICAS.split()),
    "zh_Hant": frozenset({"HK", "MO"}),
}
"""Language → regions that write it alike; a pair with one inside and one outside is one step further apart."""

PARADIGM_TAGS = frozenset({"en", "en_GB", "es", "es_419", "pt_BR", "pt_PT"})
"""Where two offers are equally near, the one that stands for many regions is preferred."""
