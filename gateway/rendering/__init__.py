"""From a template, a person's language and plain JSON values to what is sent: e-mail, SMS, push.

registry loads templates into immutable snapshots; renderer pins one snapshot of templates and catalogs per message,
resolves one language for the whole message and renders; email, sms and push give each channel its form.
"""
