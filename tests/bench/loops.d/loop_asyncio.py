"""HOST PORT COUNT: see ../loops."""

import asyncio
import sys
import time


class Gap:
    """How much longer than it was meant to take a turn of the loop has taken, at most, in ms."""

    def __init__(self):
        self.most, self.task = 0, None

    async def watch(self):
        while True:
            since = time.monotonic()
            await asyncio.sleep(0.001)
            self.most = max(self.most, (time.monotonic() - since) * 1000 - 1)

    async def __aenter__(self):
        self.task = asyncio.create_task(self.watch())
        await asyncio.sleep(0.02)
        self.most = 0
        return self

    async def __aexit__(self, *_):
        await asyncio.sleep(0.005)
        self.task.cancel()


async def one(host, port):
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"word")
    assert await reader.readexactly(4) == b"word"
    writer.close()


async def main(host, port, count):
    async with Gap() as first:
        await one(host, port)
    for _ in range((count - 2) // 20):
        await asyncio.gather(*(one(host, port) for _ in range(20)))
    async with Gap() as last:
        await one(host, port)
    print(first.most, last.most)


asyncio.run(main(sys.argv[1], int(sys.argv[2]), int(sys.argv[3])))
