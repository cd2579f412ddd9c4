"""Web services on loopback that are down when they are said to be.

Must not know when that is, nor who asks.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

ANSWERS = {
    True: b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nConnection: close\r\n\r\n",
    False: b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok",
}
REQUEST_SECONDS = 5


class Targets:
    """A number of web services, each on a port of its own."""

    def __init__(self, count: int, is_down: Callable[[int], bool]) -> None:
        self._count = count
        self._is_down = is_down
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self.urls: list[str] = []

    def start(self) -> None:
        """Listens; from now on there are URLs."""
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()

    def stop(self) -> None:
        """Ends the services."""
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    async def _listen(self) -> None:
        for target in range(self._count):
            server = await asyncio.start_server(self._handler(target), "127.0.0.1", 0)
            self.urls.append(f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

    def _handler(self, target: int) -> Callable[[asyncio.StreamReader, asyncio.StreamWriter], object]:
        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            try:
                await asyncio.wait_for(reader.readuntil(b"\r\n\r\n"), REQUEST_SECONDS)
                down = self._is_down(target)
                # Every other one that is down says nothing at all.
                if not down or target % 2 == 0:
                    writer.write(ANSWERS[down])
                    await writer.drain()
            except (OSError, EOFError, asyncio.LimitOverrunError, TimeoutError):
                pass  # The one who asked was killed.
            finally:
                writer.close()

        return handle
