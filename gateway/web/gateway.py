"""The running gateway, as far as the HTTP layer needs it; `gateway.bootstrap` builds the value that fits."""

from typing import Protocol

from gateway.ports import Clock, ConsentStore, LogStore, RecipientStore, ServiceStore, SuppressionStore
from gateway.settings import Settings


class Gateway(Protocol):
    """Everything that handlers reach; one value for each app."""

    @property
    def settings(self) -> Settings:
        """The settings that it was started with."""

    @property
    def clock(self) -> Clock:
        """Its clock."""

    @property
    def services(self) -> ServiceStore:
        """Services and their keys."""

    @property
    def recipients(self) -> RecipientStore:
        """People."""

    @property
    def consents(self) -> ConsentStore:
        """What people said."""

    @property
    def suppressions(self) -> SuppressionStore:
        """Addresses never to be written to."""

    @property
    def log(self) -> LogStore:
        """The delivery log."""
