"""One module per revision, in the order of `down_revision`; a released one never changes."""
