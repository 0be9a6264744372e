"""Callers that spend one unit again and again, half of them by a new connection each time, until standard input ends.

Usage: load.py HOST:PORT TOKEN USER. Run by tests/it/machine. Prints `begun` after the first answers, and at the end how many
calls there were and what failed, as JSON.
"""

import http.client
import json
import sys
import threading

address, token, user = sys.argv[1:]
CALLERS = 8
stop = threading.Event()
begun = threading.Barrier(CALLERS + 1)
lock = threading.Lock()
done, failed = 0, []


def call(connection, key):
    body = b'{"units":1}'
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "Idempotency-Key": key}
    connection.request("POST", f"/v1/users/{user}/spends", body, headers)
    answer = connection.getresponse()
    text = answer.read()
    if answer.status != 201:
        raise ValueError(f"{answer.status}: {text[:200]!r}")


def caller(number):
    global done
    connection = None
    for turn in range(10**9):
        if connection is None or number % 2 == 0:
            connection = http.client.HTTPConnection(address, timeout=30)
        try:
            call(connection, f"load-{number}-{turn}")
            with lock:
                done += 1
        except Exception as error:
            connection.close()
            with lock:
                failed.append(f"caller {number}, turn {turn}: {error!r}")
        if number % 2 == 0:
            connection.close()
        if turn == 0:
            begun.wait()
        if stop.is_set():
            return


threads = [threading.Thread(target=caller, args=(number,)) for number in range(CALLERS)]
for thread in threads:
    thread.start()
begun.wait()
print("begun", flush=True)
sys.stdin.read()
stop.set()
for thread in threads:
    thread.join()
print(json.dumps({"done": done, "failed": failed}))
