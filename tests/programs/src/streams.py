"""streams.py listen PORT COUNT | call HOST PORT COUNT: an asyncio echo server and COUNT clients at once.

The server answers nobody before all have called.
"""

import asyncio
import sys


async def listen(port, count):
    connected, done = 0, 0
    everybody, finished = asyncio.Event(), asyncio.Event()

    async def serve(reader, writer):
        nonlocal connected, done
        connected += 1
        if connected == count:
            print(connected, "at once")
            everybody.set()
        line = await reader.readline()
        await everybody.wait()
        writer.write(line)
        await writer.drain()
        writer.close()
        await writer.wait_closed()
        done += 1
        if done == count:
            finished.set()
    server = await asyncio.start_server(serve, "0.0.0.0", port, backlog=1024)
    async with server:
        await finished.wait()


async def call(host, port, count):
    async def one(number):
        reader, writer = await asyncio.open_connection(host, port)
        writer.write(f"line {number}\n".encode())
        answer = await reader.readline()
        writer.close()
        await writer.wait_closed()
        return answer == f"line {number}\n".encode()
    print(sum(await asyncio.gather(*(one(number) for number in range(count)))), "echoed")

if sys.argv[1] == "listen":
    asyncio.run(listen(int(sys.argv[2]), int(sys.argv[3])))
else:
    asyncio.run(call(sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
