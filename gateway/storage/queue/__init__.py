"""The queue of record: accepting, claiming, reserving and recording, with leases, fair shares and slots under caps."""
