"""Languages: which one a reader gets, where its texts come from, and how it writes numbers and dates.

locales and matching choose; po, plurals, catalogs read gettext files; formats writes values;
extraction, editing, checks, pseudo and workbench are the translators' side.
Locales are `babel.Locale` in here and BCP 47 tags outside.
"""
