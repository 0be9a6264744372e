"""The example of the README against a real till, through FastAPI's own test client.

Usage: pipeline_example.py TILL_URL TOKEN ADMIN_TOKEN. Run by tests/it/api/pipeline_example.rs.
"""

import os
import sys
import time
from email.utils import formatdate

url, token, admin = sys.argv[1:]
os.environ.update(TILL_URL=url, TILL_TOKEN=token)
sys.dont_write_bytecode = True

import httpx
import pipeline
from fastapi.testclient import TestClient

operator = httpx.Client(base_url=url, headers={"Authorization": f"Bearer {admin}"})
client = TestClient(pipeline.app, raise_server_exceptions=False)


def equal(what, found, expected):
    assert found == expected, f"{what}: found {found!r}, expected {expected!r}"


def units(user):
    found = operator.get(f"/v1/users/{user}").raise_for_status().json()["units"]
    return found["remaining"], found["held"]


def user(name, given):
    operator.put(f"/v1/users/{name}").raise_for_status()
    body = {"units": given, "note": "a gift"}
    operator.post(f"/v1/users/{name}/grants", json=body, headers={"Idempotency-Key": "gift"}).raise_for_status()


def make(name, job, pictures, draws):
    pipeline.draw = draws
    return client.post(f"/users/{name}/jobs/{job}", json={"prompt": "a fox\nin the snow", "pictures": pictures})


def all_of(prompt, pictures):
    return [f"{prompt} {number}" for number in range(pictures)]


# How long an answer asks to wait: seconds, a date, or something that is neither.
soon = formatdate(time.time() + 20, usegmt=True)
for asked, least, most in [("3", 3, 3), ("999999", 60, 60), ("-1", 0, 0), (soon, 15, 20), ("soon", 7, 7), ("nan", 7, 7)]:
    waits = pipeline.pause(httpx.Response(503, headers={"Retry-After": asked}), 7)
    assert least <= waits <= most, (asked, waits)
equal("nothing asked", pipeline.pause(httpx.Response(503), 7), 7)

# A job, the same job again, and one of which only a part comes out.
user("ada", 10)
equal("a job", make("ada", "job-1", 3, all_of).json()["used"], 3)
equal("the same job", make("ada", "job-1", 3, all_of).status_code, 200)
equal("charged once", units("ada"), (7, 0))
equal("a part", make("ada", "job-2", 3, lambda prompt, pictures: ["one"]).json()["used"], 1)
equal("charged for the part", units("ada"), (6, 0))


# Drawing fails, or makes nothing: nothing is charged, nothing stays held.
def fails(prompt, pictures):
    equal("while drawing", units("ada"), (6, 2))
    raise ValueError("no model")


equal("a failure", make("ada", "job-3", 2, fails).status_code, 500)
equal("nothing", make("ada", "job-4", 2, lambda prompt, pictures: []).json()["used"], 0)
equal("after failures", units("ada"), (6, 0))

# Not enough: the user is told where to buy, and the same job works afterwards.
refused = make("ada", "job-5", 7, all_of)
equal("too many", (refused.status_code, refused.json()["topup_url"]), (402, f"{url}/dashboard"))
operator.post("/v1/users/ada/grants", json={"units": 1, "note": "n"}, headers={"Idempotency-Key": "more"})
equal("after the top-up", make("ada", "job-5", 7, all_of).json()["used"], 7)
equal("all used", units("ada"), (0, 0))


# A user whom nobody has made in till: said, and nothing is drawn.
refused = make("nobody", "job-1", 1, lambda prompt, pictures: 1 / 0)
equal("an unknown user", refused.status_code, 404)
assert "nobody" in refused.json()["message"], refused.text


class Flaky(httpx.BaseTransport):
    """Each call is made, and its answer lost; then it is refused for a moment, by seconds and by a date; then it comes
    through."""

    def __init__(self):
        self.real, self.asked = httpx.HTTPTransport(), {}

    def handle_request(self, request):
        times = self.asked[request.url.path] = self.asked.get(request.url.path, 0) + 1
        if times == 1:
            self.real.handle_request(request).read()
            raise httpx.ReadError("the connection was lost")
        if times == 2:
            return httpx.Response(503, headers={"Retry-After": "0"})
        if times == 3:
            return httpx.Response(429, headers={"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT"})
        return self.real.handle_request(request)


sound, flaky = pipeline.till._transport, Flaky()
user("bo", 5)
pipeline.till._transport = flaky
equal("a bad line", make("bo", "job-1", 2, all_of).json()["used"], 2)
pipeline.till._transport = sound
equal("asked four times each", set(flaky.asked.values()), {4})
equal("charged once on a bad line", units("bo"), (3, 0))


# Drawing takes longer than the hold lasts.
class Short(httpx.BaseTransport):
    """Holds last a second."""

    def handle_request(self, request):
        if request.url.path.endswith("/holds"):
            body = request.content.replace(b"600", b"1")
            request = httpx.Request("POST", request.url, headers=request.headers, content=body)
            request.headers["Content-Length"] = str(len(body))
        return sound.handle_request(request)


def slowly(prompt, pictures):
    for _ in range(3000):
        if units(slowly.user)[1] == 0:
            return all_of(prompt, pictures)
        time.sleep(0.01)
    raise AssertionError("the hold did not expire")


pipeline.till._transport = Short()
slowly.user = "bo"
equal("late", make("bo", "job-2", 2, slowly).json()["used"], 2)
equal("late, charged once", units("bo"), (1, 0))


def slowly_and_used_up(prompt, pictures):
    drawn = slowly(prompt, pictures)
    operator.post("/v1/users/bo/spends", json={"units": 1}, headers={"Idempotency-Key": "elsewhere"})
    return drawn


equal("late, and used up", make("bo", "job-3", 1, slowly_and_used_up).status_code, 402)
equal("nothing left", units("bo"), (0, 0))
print("the example does what it says")
