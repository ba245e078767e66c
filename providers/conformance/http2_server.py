"""The far side that misbehaves, in HTTP/2 without TLS."""

import asyncio

from h2.config import H2Configuration
from h2.connection import H2Connection
from h2.events import DataReceived, RequestReceived, StreamEnded
from h2.exceptions import ProtocolError

from providers.conformance.fault_server import FaultServer, Mishap, Request


class Http2FaultServer(FaultServer):
    """As `FaultServer`; `leave` is what only HTTP/2 has."""

    leaving = False
    """It takes leave (GOAWAY) in place of the next answer."""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """A whole connection; it never serves on."""
        connection = H2Connection(H2Configuration(client_side=False, header_encoding="utf-8"))
        connection.initiate_connection()
        heads: dict[int, dict[str, str]] = {}
        bodies: dict[int, bytes] = {}
        try:
            while data := await reader.read(65_536):
                for event in connection.receive_data(data):
                    match event:
                        case RequestReceived(stream_id=int(stream), headers=list(headers)):
                            heads[stream], bodies[stream] = {str(name): str(text) for name, text in headers}, b""
                        case DataReceived(stream_id=int(stream), data=bytes(piece)):
                            bodies[stream] += piece
                            connection.acknowledge_received_data(event.flow_controlled_length or 0, stream)
                        case StreamEnded(stream_id=int(stream)):
                            await self._meet(_Stream(connection, stream, reader, writer), heads[stream], bodies[stream])
                if heads and self.manner is Mishap.RESET_BEFORE_BODY:
                    writer.transport.abort()
                    return False
                writer.write(connection.data_to_send())
                await writer.drain()
        except ProtocolError:
            # The client has left, or is gone from a stream.
            pass
        except asyncio.CancelledError:
            connection.close_connection()
            writer.write(connection.data_to_send())
            raise
        return False

    async def _meet(self, stream: "_Stream", head: dict[str, str], body: bytes) -> None:
        request = Request(method=head[":method"], target=head[":path"], headers=head, body=body)
        self.requests.append(request)
        if self.leaving:
            self.leaving = False
            stream.connection.close_connection()
            return
        met = self.manner(request) if callable(self.manner) else self.manner
        if isinstance(met, Mishap):
            await stream.misbehave(met)
        else:
            stream.head(met.status, dict(met.headers))
            stream.connection.send_data(stream.id, met.body, end_stream=True)


class _Stream:
    """One request's way back."""

    def __init__(
        self, connection: H2Connection, stream: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self.connection = connection
        self.id = stream
        self._reader = reader
        self._writer = writer

    def head(self, status: int, headers: dict[str, str]) -> None:
        lower = [(name.lower(), text) for name, text in headers.items()]
        self.connection.send_headers(self.id, [(":status", str(status)), *lower])

    async def misbehave(self, mishap: Mishap) -> None:
        match mishap:
            case Mishap.RESET_BEFORE_BODY | Mishap.RESET_AFTER_BODY:
                self._writer.transport.abort()
            case Mishap.HANG:
                pass
            case Mishap.NO_HTTP:
                self._writer.write(b"220 ready\r\n" * 10)
                await self._writer.drain()
                self._writer.close()
            case Mishap.TRUNCATED_GZIP:
                self.head(200, {"Content-Encoding": "gzip"})
                self.connection.send_data(self.id, b"\x1f\x8b\x08\x00", end_stream=True)
            case Mishap.DRIP:
                self.head(200, {})
                await self._go_on(b" ", 0.05)
            case Mishap.ENDLESS:
                self.head(200, {})
                await self._go_on(b" " * 16_384, 0.0)

    async def _go_on(self, piece: bytes, pause: float) -> None:
        while not self._writer.is_closing():
            if self.connection.local_flow_control_window(self.id) >= len(piece):
                self.connection.send_data(self.id, piece)
                self._writer.write(self.connection.data_to_send())
                await self._writer.drain()
                await asyncio.sleep(pause)
            elif data := await self._reader.read(65_536):
                self.connection.receive_data(data)
            else:
                return
