"""What a store needs besides messages: condition, retention, partitions, copies, services and the audit trail."""
