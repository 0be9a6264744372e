//! The way from Stripe to us: the webhook endpoints at Stripe that lead here, and a probe along that way.

use super::finding::{Finding, bad, good};
use super::{PATIENCE, public};
use crate::app::App;
use crate::clock::Deadline;
use crate::error::Result;
use crate::secret::Secret;
use crate::store::inbox;
use crate::stripe::event::TYPES;
use crate::stripe::probe::{self, ArrivalReport, Probe, ProbeReply};
use crate::stripe::setup::StripeEndpoint;
use crate::stripe::{API_VERSION, Stripe};

const PUBLIC_URL: &str = "public URL";
const ENDPOINT: &str = "webhook endpoint";

/// The enabled endpoints that lead here, and what was found of them.
pub(super) fn endpoints(app: &App, stripe: &Stripe) -> (Vec<StripeEndpoint>, Vec<Finding>) {
    let url = app.url("/billing/webhook");
    let all = match stripe.webhook_endpoints(Deadline::after(PATIENCE)) {
        Ok(all) => all,
        Err(error) => return (vec![], vec![bad(ENDPOINT, error.to_operator())]),
    };
    let earlier = all.iter().find(|endpoint| endpoint.is_enabled && endpoint.is_of_another_address(&url)).cloned();
    let mut here: Vec<StripeEndpoint> = all.into_iter().filter(|endpoint| endpoint.leads_to(&url)).collect();
    // The one with exactly our URL first.
    here.sort_by_key(|endpoint| (!endpoint.is_enabled, endpoint.url != url));
    let Some(first) = here.first().cloned() else {
        let earlier = earlier.map(|endpoint| format!(" ({} leads to {})", endpoint.id, endpoint.url));
        let earlier = earlier.unwrap_or_default();
        return (vec![], vec![bad(ENDPOINT, format!("there is none for {url}{earlier}: till stripe setup makes it"))]);
    };
    here.retain(|endpoint| endpoint.is_enabled);
    let found = vec![number(&here, &first), events(&first), version(&first)];
    (here, found)
}

/// Whether exactly one is enabled. Which of several to keep is not to be seen from here: Stripe tells no secret a second time.
fn number(enabled: &[StripeEndpoint], first: &StripeEndpoint) -> Finding {
    match enabled {
        [] => {
            let id = &first.id;
            return bad(ENDPOINT, format!("{id} is disabled at Stripe: enable it there, or with till stripe setup"));
        }
        [only] => return good(ENDPOINT, format!("{} is enabled", only.id)),
        _ => {}
    }
    let listed: Vec<String> = enabled.iter().map(|endpoint| format!("{} ({})", endpoint.id, endpoint.url)).collect();
    let ways = enabled.iter().map(|kept| {
        let others = enabled.iter().filter(|other| other.id != kept.id);
        let flags: String = others.map(|other| format!(" --disable {}", other.id)).collect();
        format!("to keep {}, till stripe setup{flags}", kept.id)
    });
    let (count, listed, ways) = (enabled.len(), listed.join(", "), ways.collect::<Vec<_>>().join("; "));
    bad(
        ENDPOINT,
        format!(
            "{count} lead here: {listed}. Each event is sent to each, with a secret of its own. Keep the one whose secret is \
             in SPRITE_STRIPE_WEBHOOK_SECRET (Stripe's dashboard reveals the signing secret of each): {ways}"
        ),
    )
}

fn events(endpoint: &StripeEndpoint) -> Finding {
    match endpoint.lacks(&TYPES) {
        missing if missing.is_empty() => good("webhook events", "all that are needed are sent".to_owned()),
        missing => bad("webhook events", format!("not sent: {} (till stripe setup adds them)", missing.join(", "))),
    }
}

fn version(endpoint: &StripeEndpoint) -> Finding {
    match endpoint.api_version.as_deref() {
        Some(API_VERSION) | None => {
            good("webhook version", endpoint.api_version.clone().unwrap_or_else(|| "the account's".into()))
        }
        Some(other) => bad("webhook version", format!("{other}, and this program is written for {API_VERSION}")),
    }
}

/// Whether a signed probe came through the public URL into this database, and what was found on the way. Other URLs that
/// Stripe sends to are probed as well.
pub(super) fn public_url(app: &App, stripe: &Stripe, endpoints: &[StripeEndpoint]) -> (bool, Vec<Finding>) {
    let url = app.url("/billing/webhook");
    let reached = reached(app, stripe, &url);
    let is_reached = reached.is_ok();
    let mut found = vec![];
    match reached {
        Ok(seen) => {
            found.push(good(PUBLIC_URL, format!("{url} leads here: a signed probe arrived in this database")));
            found.push(public::proxy(app, seen.as_ref()));
        }
        Err(why) => found.push(bad(PUBLIC_URL, format!("{url} {why}"))),
    }
    if is_reached && let Some(unknown) = unknown_secret(app, stripe, &url) {
        found.push(unknown);
    }
    for endpoint in endpoints.iter().filter(|endpoint| is_reached && endpoint.url != url) {
        if let Err(why) = self::reached(app, stripe, &endpoint.url) {
            let StripeEndpoint { id, url, .. } = endpoint;
            found.push(bad(
                &format!("endpoint {id}"),
                format!("its URL {url} {why}. Every event fails there: till stripe setup corrects it, or disable it"),
            ));
        }
    }
    (is_reached, found)
}

/// Posts to the webhook as Stripe does: without a signature it must be refused and not redirected, with one it must arrive
/// in this database. Returns how it arrived, as the process behind the URL says. The error says what the URL does instead.
fn reached(app: &App, stripe: &Stripe, url: &str) -> std::result::Result<Option<ArrivalReport>, String> {
    match probe::unsigned(url, PATIENCE) {
        Ok(ProbeReply { status: 400, .. }) => {}
        Ok(ProbeReply { status: 300..=399, location, .. }) => {
            let to = location.unwrap_or_else(|| "nowhere".to_owned());
            return Err(format!("redirects to {to}: Stripe counts that as a failure"));
        }
        Ok(ProbeReply { status, .. }) => return Err(format!("answers {status}, 400 was expected: is till behind it?")),
        Err(why) => return Err(format!("cannot be reached: {why}{}", own_address(app, url))),
    }
    let mut statuses = vec![];
    for secret in &app.config.stripe.webhook_secrets {
        match arrives(app, stripe, url, secret) {
            Ok(Arrival { is_here: true, seen, .. }) => return Ok(seen),
            Ok(Arrival { status, .. }) => statuses.push(status.to_string()),
            Err(why) => return Err(format!("cannot be reached by a signed probe: {why}")),
        }
    }
    let statuses = statuses.join(", ");
    Err(format!(
        "answers {statuses} to a signed probe, which did not arrive in this database: behind it is another program, or a \
         till with another webhook secret or another database. Compare its configuration with this one, and restart it \
         after a change"
    ))
}

/// Where nothing stands in front of till: what it listens on, and what the public address says.
fn own_address(app: &App, url: &str) -> String {
    let (base_url, listen) = (&app.config.base_url, app.config.listen);
    match base_url.loopback_address() {
        Some(named) if base_url.allows(url) && named == listen => ". Is till serve running?".to_owned(),
        Some(_) if base_url.allows(url) => format!(
            ". till serve listens on {listen} (SPRITE_LISTEN, unless systemd passes a socket), and SPRITE_BASE_URL says \
             {base_url}: give both the same port, or put a proxy between them"
        ),
        _ => String::new(),
    }
}

/// A secret that the running process does not accept, although it accepts another.
fn unknown_secret(app: &App, stripe: &Stripe, url: &str) -> Option<Finding> {
    let secrets = &app.config.stripe.webhook_secrets;
    let is_unknown = |secret: &Secret| !arrives(app, stripe, url, secret).is_ok_and(|arrival| arrival.is_here);
    let place = (secrets.len() > 1).then(|| secrets.iter().position(is_unknown)).flatten()?;
    let (number, count) = (place + 1, secrets.len());
    let detail =
        format!("the running till does not accept number {number} of {count}: restart it to take the new ones");
    Some(bad("webhook secrets", detail))
}

struct Arrival {
    status: u16,
    is_here: bool,
    seen: Option<ArrivalReport>,
}

fn arrives(app: &App, stripe: &Stripe, url: &str, secret: &Secret) -> std::result::Result<Arrival, String> {
    let now = app.clock.now();
    let probe = Probe::new(now, stripe.is_live()).map_err(|fault| fault.to_string())?;
    let ProbeReply { status, seen, .. } = probe.send(url, secret, now, PATIENCE)?;
    // The row is there when the answer is, and it is of no use afterwards.
    let removed: Result<bool> = app.store.write(move |tx| inbox::remove_probe(tx, &probe.id, probe::KIND));
    Ok(Arrival { status, is_here: removed.map_err(|error| error.to_string())?, seen })
}
