"""Sweeps one library in this Python, and prints as JSON what it does wrong; its name is the argument."""

from __future__ import annotations

import asyncio
import inspect
import json
import os
import sys
from typing import Any

from pytest_smtpd import SMTPServer, SweepFailure
from tests.interop.libraries.blocks import LIBRARIES, PASSWORD, USER, Library


def findings(library: Library, level: str = "full") -> list[dict[str, Any]]:
    """What the sweep says, notices included."""
    # Whether a client reads the 421 behind the reply before it says QUIT is a matter of chance.
    options: dict[str, Any] = {"level": level, "strict": True, "skip": "data-then-421*"}
    if library.timeout is not None:
        options["timeout"] = library.timeout
    with SMTPServer(auth={USER: PASSWORD}) as server:
        os.environ["SSL_CERT_FILE"] = server.ca_file
        try:
            if inspect.iscoroutinefunction(library.block):
                asyncio.run(sweep_async(server, library, options))
            else:
                sweep(server, library, options)
        except SweepFailure as failure:
            print(failure, file=sys.stderr)
            return [
                {
                    "finding": one.name,
                    "text": one.text,
                    "claim": one.claim,
                    "points": sorted(one.points),
                    "marker": one.marker,
                }
                for one in failure.findings
            ]
    return []


def sweep(server: SMTPServer, library: Library, options: dict[str, Any]) -> None:
    for fault in server.sweep(**options):
        with fault:
            library.block(server, fault)


async def sweep_async(server: SMTPServer, library: Library, options: dict[str, Any]) -> None:
    async for fault in server.sweep(**options):
        async with fault:
            done = library.block(server, fault)
            assert done is not None
            await done


if __name__ == "__main__":
    chosen = LIBRARIES[sys.argv[1]]()
    found = findings(chosen, *sys.argv[2:])
    print(
        json.dumps({"name": chosen.name, "version": chosen.version, "note": chosen.note, "findings": found}, indent=1)
    )
