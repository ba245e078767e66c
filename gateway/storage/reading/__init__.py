"""The delivery log, the mailbox and the gauges: reading what others wrote."""
