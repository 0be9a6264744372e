// The only script. Every page works without it: it guards against a second press, and brings numbers up to date.
(() => {
  "use strict";

  const byId = (id) => document.getElementById(id);
  const say = (text) => { byId("say").textContent = text; };

  // A pressed button says so, and a second press does nothing. It recovers when the page is shown again (the back
  // button brings it from the browser's memory), and by itself should the answer never come.
  const RECOVER_AFTER = 20000;

  const recover = (form) => {
    const button = form.querySelector("button[aria-busy]");
    delete form.dataset.sent;
    if (!button) return;
    button.removeAttribute("aria-busy");
    const label = button.querySelector(".label");
    if (label && label.kept) label.replaceChildren(...label.kept);
  };

  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) return event.preventDefault();
    form.dataset.sent = "yes";
    setTimeout(() => recover(form), RECOVER_AFTER);
    const button = event.submitter || form.querySelector("button");
    const label = button && button.querySelector(".label");
    if (!label || !button.dataset.busy) return;
    button.setAttribute("aria-busy", "true");
    label.kept = [...label.childNodes];
    label.textContent = button.dataset.busy;
    say(button.dataset.busy);
  });

  addEventListener("pageshow", (event) => {
    if (!event.persisted) return;
    document.querySelectorAll("form[data-sent]").forEach(recover);
    say("");
  });

  // The activity is written in UTC. Here each time becomes the reader's own, and each day too. English dates are day first.
  const language = document.documentElement.lang;
  const dates = language === "en" ? "en-GB" : language;
  const dayOf = new Intl.DateTimeFormat(dates, { day: "numeric", month: "short", year: "numeric" });
  const clockOf = new Intl.DateTimeFormat(dates, { hour: "2-digit", minute: "2-digit" });
  document.querySelectorAll(".entries tbody").forEach((table) => {
    const heading = table.querySelector(".day");
    let current = "";
    table.querySelectorAll(".day").forEach((row) => row.remove());
    table.querySelectorAll(".entry").forEach((row) => {
      const time = row.querySelector("time");
      const at = new Date(time.dateTime);
      const day = dayOf.format(at);
      time.textContent = clockOf.format(at);
      if (day === current || !heading) return;
      current = day;
      const title = heading.cloneNode(true);
      title.firstElementChild.textContent = day;
      row.before(title);
    });
  });

  // Passkeys: their buttons are shown where the browser has them. What the server asks goes to the authenticator, and the
  // answer is sent with the form, like any other.
  const bytesOf = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (letter) => letter.charCodeAt(0));
  const textOf = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=/g, "");

  const askAuthenticator = async (form) => {
    const body = new URLSearchParams(new FormData(form));
    const asked = await fetch(form.dataset.passkey, { method: "POST", body, headers: { accept: "application/json" } });
    if (!asked.ok) throw new Error(asked.status);
    const publicKey = await asked.json();
    publicKey.challenge = bytesOf(publicKey.challenge);
    if (publicKey.user) publicKey.user.id = bytesOf(publicKey.user.id);
    for (const known of publicKey.excludeCredentials || []) known.id = bytesOf(known.id);
    const made = await navigator.credentials[publicKey.user ? "create" : "get"]({ publicKey });
    const response = {};
    for (const part of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
      if (made.response[part]) response[part] = textOf(made.response[part]);
    }
    if (publicKey.user) response.transports = made.response.getTransports().filter((way) => way !== "cable");
    const id = textOf(made.rawId);
    return JSON.stringify({ id, rawId: id, type: made.type, response, clientExtensionResults: {} });
  };

  document.querySelectorAll("form[data-passkey]").forEach((form) => {
    form.hidden = !window.PublicKeyCredential;
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      if (form.dataset.sent) return;
      const failed = form.querySelector(".failed");
      failed.hidden = true;
      askAuthenticator(form).then((answer) => {
        form.elements.answer.value = answer;
        form.submit();
      }, () => {
        recover(form);
        failed.hidden = false;
      });
    });
  });

  // What is under way is looked at again until it is over.
  if (document.querySelector("[data-reload]")) setTimeout(() => location.reload(), 3000);

  // While a payment is under way, ask how it stands: every two seconds at first, then less often, for some minutes.
  const place = document.querySelector("[data-status]");
  if (!place) return;

  const number = new Intl.NumberFormat(language);

  // The page after the checkout: the server shows each end, a good one with its receipt.
  const showOutcome = (answer) => {
    if (!answer.state || answer.state === place.dataset.state) return false;
    location.reload();
    return true;
  };

  // The dashboard. The number, the meter and its words move together; sentences that no longer hold are removed. The
  // wait is over when something was credited, for a spend changes the number as well.
  const showUnits = ({ units }) => {
    if (!units) return false;
    const shown = byId("remaining");
    const credited = units.total > Number(place.dataset.total);
    if (credited && byId("notice")) byId("notice").remove();
    if (String(units.remaining) === shown.value) return credited;
    const { one, many, leftOne, leftMany } = place.dataset;
    const isOne = (count) => Math.abs(count) === 1;
    const noun = (count) => (isOne(count) ? one : many);
    const left = Math.max(units.remaining, 0);
    const full = Math.max(Number(place.dataset.full) + units.total - Number(place.dataset.total), left, 1);
    const meter = byId("meter");
    const length = (count) => String(count <= 0 ? 0 : Math.max(12, Math.round((count / full) * 1000)));
    shown.value = units.remaining;
    shown.textContent = number.format(units.remaining);
    shown.className = shown.textContent.length > 11 ? "longer" : shown.textContent.length > 7 ? "long" : "";
    byId("label").textContent = units.remaining < 0 ? noun(units.remaining) : isOne(units.remaining) ? leftOne : leftMany;
    meter.setAttribute("aria-valuemax", full);
    meter.setAttribute("aria-valuenow", left);
    meter.setAttribute("aria-valuetext", place.dataset.of.replace("{left}", number.format(left)).replace("{full}", `${number.format(full)} ${noun(full)}`));
    meter.querySelector(".held").setAttribute("width", length(left));
    meter.querySelector(".free").setAttribute("width", length(left - units.held));
    for (const id of ["lots", "held", "debt"]) if (byId(id)) byId(id).remove();
    if (units.remaining >= 0) shown.parentElement.classList.remove("debt");
    return credited;
  };

  const show = place.dataset.state ? showOutcome : showUnits;
  let wait = 2000;
  const ask = async () => {
    try {
      const answer = await fetch(place.dataset.status, { headers: { accept: "application/json" }, cache: "no-store" });
      if (answer.ok && show(await answer.json())) return;
    } catch {
      // Offline, or the answer was not JSON: asked again below.
    }
    wait = Math.min(wait * 1.25, 60000);
    if (performance.now() < 600000) setTimeout(ask, wait);
  };
  setTimeout(ask, wait);
})();
