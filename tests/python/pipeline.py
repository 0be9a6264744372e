"""A picture service that takes its units from till: hold, draw, capture, and release when drawing fails.

    pip install fastapi httpx uvicorn
    TILL_URL=http://127.0.0.1:8080 TILL_TOKEN=till_... uvicorn pipeline:app

The token needs the scope `spend`. Whose job it is, your own sign-in knows; here it stands in the path.
"""

import os
import time
from email.utils import parsedate_to_datetime

import httpx
from fastapi import FastAPI
from fastapi.responses import JSONResponse
from pydantic import BaseModel

till = httpx.Client(
    base_url=os.environ["TILL_URL"],
    headers={"Authorization": f"Bearer {os.environ['TILL_TOKEN']}"},
    timeout=5.0,  # answers take milliseconds; one that does not come is asked for again
)
app = FastAPI()


class Job(BaseModel):
    prompt: str
    pictures: int = 1


def pause(answer, otherwise):
    """How long `Retry-After` asks to wait, at most a minute: seconds, or a date (RFC 9110, section 10.2.3)."""
    asked = answer.headers.get("Retry-After", "")
    try:
        seconds = float(asked)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(asked).timestamp() - time.time()
        except (TypeError, ValueError):
            seconds = otherwise
    return min(max(seconds, 0), 60) if seconds == seconds else otherwise


def ask(path, body, key=None):
    """One call, repeated until there is an answer.

    A connection that is lost, a time-out, a 500 or a 503 leave open whether the call was made; a 429 asks for a moment. Sent
    again, it is made once: by its key, or because a hold is closed once. So the same request goes out again, for about half a
    minute.
    """
    headers = {"Idempotency-Key": key} if key else {}
    for attempt in range(8):
        if attempt:
            time.sleep(wait)
        wait = min(0.25 * 2**attempt, 8)
        try:
            answer = till.post(path, json=body, headers=headers)
        except httpx.TransportError:
            continue
        if answer.status_code < 500 and answer.status_code != 429:
            return answer
        wait = pause(answer, wait)
    raise RuntimeError(f"till does not answer: {path}")


def draw(prompt, pictures):
    """Your model. May take minutes, may fail, may make fewer pictures than were asked for."""
    raise NotImplementedError


def top_up(refused):
    """402: the user is sent to buy more, and the job may be tried again with the same id."""
    problem = refused.json()
    return JSONResponse({"message": problem["detail"], "topup_url": problem["topup_url"]}, status_code=402)


def unknown(refused):
    """404: the app that signs users up has not made this one in till (PUT /v1/users/{id}). Nothing was drawn."""
    return JSONResponse({"message": refused.json()["detail"]}, status_code=404)


@app.post("/users/{user}/jobs/{job}")
def make(user: str, job: str, wanted: Job):
    # The job's id is the key: however often this runs for the job, its units are taken once.
    hold = ask(
        f"/v1/users/{user}/holds",
        {"units": wanted.pictures, "expires_in": 600, "note": wanted.prompt[:200]},
        key=job,
    )
    if hold.status_code == 402:
        return top_up(hold)
    if hold.status_code == 404:
        return unknown(hold)
    hold.raise_for_status()
    hold = hold.json()["id"]

    try:
        pictures = draw(wanted.prompt, wanted.pictures)
    except Exception:
        ask(f"/v1/holds/{hold}/release", {})  # nothing came of it, nothing is paid
        raise
    if not pictures:
        ask(f"/v1/holds/{hold}/release", {})
        return {"pictures": [], "used": 0}

    used = len(pictures)
    captured = ask(f"/v1/holds/{hold}/capture", {"units": used})  # the rest goes back
    if captured.status_code == 409:
        # hold_not_open: drawing took longer than the hold lasted, or an earlier try gave the hold back. The units are spent
        # now, if they are still there; the job's id makes it happen once here too.
        captured = ask(f"/v1/users/{user}/spends", {"units": used, "note": wanted.prompt[:200]}, key=job)
        if captured.status_code == 402:
            return top_up(captured)  # used up meanwhile: keep the pictures until the user has topped up
    captured.raise_for_status()
    return {"pictures": pictures, "used": used}
