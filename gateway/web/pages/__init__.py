"""What every page shares: the reader's language, the templates' environment, layout and security headers.

`console/` and `public/` hold one module per page; their templates lie in `templates/` here, so that layout and
words are one. Pages need no script. Their strings are the gettext domain `console`.
"""
