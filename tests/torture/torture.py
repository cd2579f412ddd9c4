"""Kills the program again and again while services go up and down, and lets the reader judge its alert log.

`torture.py BINARY` takes about ten minutes, `--quick` one and a half. The same `--seed` makes the same choices; the moments differ with the
speed of the machine. When something is wrong, the seed, the lines and the folder with everything in it are named.
"""

from __future__ import annotations

import argparse
import concurrent.futures
import os
import pathlib
import random
import shutil
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable

from all_in_one import AllInOne
from behind_alertmanager import BehindAlertmanager
from log import Result
from program import RUNNING, Failed, SlowSync

KILLS, QUICK_KILLS = 100, 12
# How long the receiver and the Alertmanager are killed, in seconds.
RECEIVER, QUICK_RECEIVER = 300.0, 35.0


def options_of(arguments: list[str]) -> argparse.Namespace:
    """The arguments, understood."""
    parser = argparse.ArgumentParser(description="Kill the program again and again, and judge its alert log.")
    parser.add_argument("binary", type=pathlib.Path, help="webservice-monitor, as it was built")
    parser.add_argument("--alertmanager", type=pathlib.Path, help="a real Alertmanager; without it the receiver's part is left out")
    parser.add_argument("--quick", action="store_true", help="a sample instead of the whole")
    parser.add_argument("--seed", type=int, default=random.randrange(1_000_000), help="of the random choices")
    parser.add_argument("--kills", type=int, help="how often `run` is killed")
    parser.add_argument("--receiver-seconds", type=float, help="how long `alert-log` and the Alertmanager are killed")
    parser.add_argument("--keep", action="store_true", help="keep the folder although all is well")
    return parser.parse_args(arguments)


def parts_of(options: argparse.Namespace, folder: pathlib.Path) -> list[Callable[[], Result]]:
    """What is to be run, all at once."""
    slow = SlowSync.compile(folder)
    binary = options.binary.resolve(strict=True)
    kills = options.kills if options.kills is not None else QUICK_KILLS if options.quick else KILLS
    seconds = options.receiver_seconds if options.receiver_seconds is not None else QUICK_RECEIVER if options.quick else RECEIVER
    parts: list[Callable[[], Result]] = []
    if kills > 0:
        parts.append(AllInOne(binary, folder, slow, options.seed, kills).run)
    if options.alertmanager is not None and seconds > 0:
        alertmanager = options.alertmanager.absolute()
        parts.append(BehindAlertmanager(binary, alertmanager, folder, slow, options.seed, seconds).run)
    return parts


def end_at_once(number: int, _frame: object) -> None:
    """Leaves nothing running when this process is to end."""
    for program in list(RUNNING):
        program.process.kill()
    os._exit(128 + number)


def main(arguments: list[str]) -> int:
    """Runs all parts and says what became of them."""
    options = options_of(arguments)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, end_at_once)
    folder = pathlib.Path(tempfile.mkdtemp(prefix="torture-"))
    begun = time.monotonic()
    print(f"torture: seed {options.seed}", flush=True)
    good = True
    with concurrent.futures.ThreadPoolExecutor() as threads:
        futures = [threads.submit(part) for part in parts_of(options, folder)]
        for future in concurrent.futures.as_completed(futures):
            try:
                result = future.result()
                good &= result.good
                print(result.report(), flush=True)
            except Failed as failure:
                good = False
                print(f"error: {failure}", flush=True)
            except Exception:  # A mistake of this program must not hide what the other part has found.
                good = False
                traceback.print_exc(file=sys.stdout)
    print(f"torture: {'good' if good else 'BAD'}, {time.monotonic() - begun:.0f} s, seed {options.seed}", flush=True)
    if good and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"torture: everything is kept in {folder}", flush=True)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
