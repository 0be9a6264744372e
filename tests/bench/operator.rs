//! How long an operator waits for a page, one page after the other, on the books of this run. Payments and events are added to
//! the books before, because the history has only grants and spends.

use std::path::Path;
use std::time::{Duration, Instant};

use till::clock::{Clock, Timestamp};
use till::error::{Fault, Result};
use till::store::inbox::{self, Decision, IncomingEvent, Status};
use till::store::orders::OfferKind;
use till::store::payments::{self, Payment};
use till::store::{Store, Tx};
use ureq::Agent;

use super::Outcome;
use super::product::Product;
use super::request::user_id;

/// Payments, each with an event, that are written in one transaction.
const CHUNK: u32 = 10_000;
/// How often each page is asked for.
const TIMES: usize = 21;

/// Adds so many payments, spread over the users, each with the event that told of it.
pub fn add_payments(path: &Path, users: u32, count: u32) -> Outcome<()> {
    let store = Store::open(&path.into(), &Clock::System)?;
    let now = Clock::System.now();
    for first in (0..count).step_by(CHUNK as usize) {
        let last = count.min(first + CHUNK);
        let added = store.write(move |tx| (first..last).try_for_each(|number| add_payment(tx, number, users, now)));
        added.map_err(|error| Fault::bare(format!("cannot add payments: {error:?}")))?;
    }
    Ok(())
}

fn add_payment(tx: &mut dyn Tx, number: u32, users: u32, now: Timestamp) -> Result<()> {
    // One in three hours over years, and each some milliseconds apart.
    let paid_at = now.plus_seconds(-i64::from(number % 20_000) * 3 * 3600);
    let reference = format!("pi_bench_{number}");
    let payment = Payment {
        reference: reference.clone(),
        account: i64::from(number % users) + 1,
        kind: OfferKind::Pack,
        units_granted: 0,
        units_reversed: 0,
        amount: 900,
        cost: 900,
        currency: "usd".to_owned(),
        offer: "topup_100".to_owned(),
        out_of_band: false,
        session: None,
        payment_intent: Some(reference.clone()),
        charge: None,
        invoice: None,
        refunded_total: 0,
        reversals: 0,
        paid_at,
    };
    payments::add(tx, &payment)?;
    let event = IncomingEvent {
        id: format!("evt_bench_{number}"),
        kind: "checkout.session.completed".to_owned(),
        api_version: None,
        livemode: false,
        object: Some(reference),
        customer: None,
        invoice: None,
        body: None,
        created_at: paid_at,
        received_at: paid_at,
    };
    let detail = "credited".to_owned();
    let decision =
        Decision { status: Status::Applied, ignore_reason: None, detail, waits_for: None, next_attempt_at: None };
    inbox::add(tx, &event, &decision).map(drop)
}

/// Asks for the pages in turn, and says how long each took: the middle of all times, and the longest.
pub fn measure(product: &Product, users: u32) -> Outcome<Vec<String>> {
    let browser = Browser::sign_in(product)?;
    let middle = user_id(users / 2);
    let pages = [
        "/admin".to_owned(),
        "/admin/users".to_owned(),
        format!("/admin/users?q={middle}"),
        format!("/admin/users?before={}", users / 2),
        format!("/admin/users/{middle}"),
        format!("/admin/users/{middle}/ledger"),
        "/admin/payments".to_owned(),
        "/admin/payments?before=2026-01-01T00:00:00Z+pi".to_owned(),
        "/admin/events".to_owned(),
        "/admin/events?status=unmatched".to_owned(),
        "/admin/reconciliation".to_owned(),
        "/admin/messages".to_owned(),
        "/admin/audit".to_owned(),
    ];
    let mut lines = vec![format!("{:<58} {:>9} {:>9}", "page of the operator's", "middle", "longest")];
    for page in pages {
        let mut times = (0..TIMES).map(|_| browser.time(&page)).collect::<Outcome<Vec<Duration>>>()?;
        times.sort_unstable();
        let millis = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1000.0);
        let (middle, longest) = (millis(times.get(TIMES / 2)), millis(times.last()));
        lines.push(format!("{page:<58} {middle:>6.1} ms {longest:>6.1} ms"));
    }
    Ok(lines)
}

/// An operator's browser.
struct Browser {
    agent: Agent,
    origin: String,
    cookie: String,
}

impl Browser {
    fn sign_in(product: &Product) -> Outcome<Browser> {
        let link = product.operator_link()?;
        let agent =
            Agent::new_with_config(Agent::config_builder().max_redirects(0).max_redirects_will_error(false).build());
        let cannot = |cause| Fault::new("cannot sign an operator in", cause);
        let mut page = agent.get(&link).call().map_err(cannot)?;
        let form_cookie = cookie(page.headers());
        let body = page.body_mut().read_to_string().map_err(cannot)?;
        let form =
            body.split("action=\"/login\"").nth(1).ok_or_else(|| Fault::bare("a sign-in page without a form"))?;
        let value = |name: &str| form.split(&format!("name=\"{name}\" value=\"")).nth(1)?.split('"').next();
        let fields = [("csrf", value("csrf").unwrap_or_default()), ("token", value("token").unwrap_or_default())];
        let origin = product.url();
        let sent = agent.post(format!("{origin}/login")).header("origin", &origin).header("cookie", form_cookie);
        let signed_in = sent.send_form(fields).map_err(cannot)?;
        Ok(Browser { agent, origin, cookie: cookie(signed_in.headers()) })
    }

    /// How long it waits for a page.
    fn time(&self, path: &str) -> Outcome<Duration> {
        let cannot = |cause| Fault::new(format!("cannot open {path}"), cause);
        let started = Instant::now();
        let asked = self.agent.get(format!("{}{path}", self.origin)).header("cookie", &self.cookie);
        let mut answer = asked.call().map_err(cannot)?;
        let body = answer.body_mut().read_to_string().map_err(cannot)?;
        let took = started.elapsed();
        let is_page = answer.status().as_u16() == 200 && body.contains("class=\"rooms\"");
        if is_page { Ok(took) } else { Err(Fault::bare(format!("{path}: {}", answer.status()))) }
    }
}

/// The cookies that an answer sets, as a browser sends them.
fn cookie(headers: &ureq::http::HeaderMap) -> String {
    let set = headers.get_all("set-cookie").iter().filter_map(|value| value.to_str().ok()?.split(';').next());
    set.filter(|pair| !pair.ends_with('=')).collect::<Vec<_>>().join("; ")
}
