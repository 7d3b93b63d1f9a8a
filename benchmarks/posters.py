"""What dispatch is compared with in B3: coroutines that post the same messages to the simulator and write nothing.

    python -m benchmarks.posters < job.json      one line: messages a second

Each coroutine has an httpx client of its own, since one shared client with 64 requests at once does about a third.
"""

import asyncio
import json
import sys
import time
from dataclasses import dataclass

import httpx
import uvloop


@dataclass(frozen=True)
class Job:
    url: str
    people: list[int]
    count: int
    at_once: int = 64


async def run(job: Job) -> float:
    numbers = iter(range(job.count))
    clients = [httpx.AsyncClient(trust_env=False) for _ in range(job.at_once)]

    async def post(client: httpx.AsyncClient) -> None:
        for number in numbers:
            person = job.people[number % len(job.people)]
            answer = await client.post(job.url, json={"chat_id": person, "text": f"Guten Tag, Nachricht {number}"})
            if answer.status_code != 200:
                raise RuntimeError(answer.text)

    for client in clients:
        await client.post(job.url, json={"chat_id": job.people[0], "text": "warm"})
    started = time.monotonic()
    await asyncio.gather(*(post(client) for client in clients))
    seconds = time.monotonic() - started
    for client in clients:
        await client.aclose()
    return job.count / seconds


def main() -> None:
    job = Job(**json.loads(sys.stdin.read()))
    sys.stdout.write(f"{uvloop.run(run(job))}\n")


if __name__ == "__main__":
    main()
