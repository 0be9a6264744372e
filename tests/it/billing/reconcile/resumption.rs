//! A comparison with Stripe that breaks off goes on where it had come to, and skips nothing; and subscriptions that
//! changed so long ago that no event tells of it any more.

use serde_json::Value;
use till::clock::{Clock, Timestamp};
use till::sandbox::Sandbox;
use till::usecase::stripe_events::reconcile::{self, Part};
use till::usecase::users;

use crate::harness::life::{Life, events, stripe_at};
use crate::harness::recorder::Asked;
use crate::harness::shop::GOOD_CARD;
use crate::harness::{Client, Recorder};

const START: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const HOUR: i64 = 3600;
const DAY: i64 = 24 * HOUR;

/// Stripe and an appliance that nobody tells anything, at a time that both keep.
struct Silence {
    stripe: Sandbox,
    api: Client,
    life: Life,
    clock: Clock,
    now: Timestamp,
}

impl Silence {
    fn begin(recorder: &Recorder, catalog: Option<&str>) -> Silence {
        let clock = Clock::manual(START);
        let stripe = stripe_at(clock.clone());
        recorder.lead_to(&stripe.url());
        let life = Life::begin_with(&recorder.url, catalog);
        let api = Client::new(&stripe.url(), &[("authorization", "Bearer sk_test_lives")]);
        let mut silence = Silence { stripe, api, life, clock, now: START };
        silence.pass(0);
        silence
    }

    fn pass(&mut self, seconds: i64) {
        self.now = self.now.plus_seconds(seconds);
        self.clock.set(self.now);
        self.life.clock.set(self.now);
    }

    /// Somebody buys, and Stripe tells nobody.
    fn buys(&self, user: &str, offer: &str) {
        let (_, path) = self.life.checkout(user, offer, &self.stripe.url());
        self.api.post_form(&path, &[("card", GOOD_CARD)]).must(303);
    }

    /// The next call to this path is refused.
    fn refuse(&self, path: &str) {
        let fault = [("path", path), ("method", "GET"), ("kind", "status:400"), ("times", "1")];
        Client::browser(&self.stripe.url()).post_form("/control/faults", &fault).must(303);
    }

    fn plan(&self, user: &str) -> String {
        users::show(&self.life.app, user).unwrap().plan
    }
}

/// What was asked of a list since `from`, in requests.
fn pages(recorder: &Recorder, from: usize, path: &str) -> Vec<Asked> {
    recorder.asked().into_iter().skip(from).filter(|asked| asked.path == path).collect()
}

fn bound(asked: &Asked, name: &str) -> Option<i64> {
    asked.form.iter().find(|(field, _)| field == name).map(|(_, value)| value.parse().unwrap())
}

#[test]
fn a_comparison_that_broke_off_goes_on_and_skips_nothing() {
    const BUYERS: usize = 120;
    let recorder = Recorder::start();
    let mut silence = Silence::begin(&recorder, None);
    for number in 0..BUYERS {
        silence.buys(&format!("u{number}"), "topup_100");
        silence.pass(2 * HOUR);
    }
    let told = events(&silence.api);
    let whole = told.len().div_ceil(100);
    assert!(whole >= 6, "{whole} pages of events");

    // Breaks off in the middle of the events.
    let mut seen = 0;
    let app = silence.life.app.clone();
    let broken = reconcile::reconcile(&app, None, true, |_, _| {
        seen += 1;
        if seen == 3 {
            silence.refuse("/v1/events");
        }
    });
    assert!(broken.is_err() && seen == 3, "{broken:?}");

    // Meanwhile there is something new, an hour and more after what was listed first.
    silence.buys("late", "topup_100");
    let before = recorder.asked().len();
    let second = reconcile::reconcile(&app, None, true, |progress, _| {
        if progress.part == Part::Objects(till::stripe::ListedKind::Sessions) && progress.rows == 100 {
            silence.refuse("/v1/checkout/sessions");
        }
    })
    .unwrap();
    assert!(second.is_resumed && second.unasked.len() == 1 && second.unasked[0].starts_with("checkouts: "));
    let asked = pages(&recorder, before, "/v1/events");
    let third_page_ends = told[299]["created"].as_i64().unwrap();
    assert_eq!(bound(&asked[0], "created[lte]"), None, "first what is new");
    assert_eq!(bound(&asked[0], "created[gte]"), told[0]["created"].as_i64().map(|top| top - HOUR));
    assert!(asked[1..].iter().all(|asked| bound(asked, "created[lte]") == Some(third_page_ends)), "{asked:?}");
    assert!(asked.len() <= 1 + whole - 2, "{} of {whole} pages, and one for what is new", asked.len());

    // Once more, for the one list that broke off: the others are asked for what is new, and for nothing else.
    let before = recorder.asked().len();
    let third = reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
    assert!(third.is_resumed && third.is_clean(), "{third:?}");
    let asked = pages(&recorder, before, "/v1/checkout/sessions");
    assert!(asked.len() == 2 && bound(&asked[1], "created[lte]").is_some(), "{asked:?}");
    for path in ["/v1/events", "/v1/invoices", "/v1/subscriptions", "/v1/refunds", "/v1/disputes"] {
        assert_eq!(pages(&recorder, before, path).len(), 1, "{path}");
    }
    for user in (0..BUYERS).map(|number| format!("u{number}")).chain(["late".to_owned()]) {
        assert_eq!(users::show(&app, &user).unwrap().balance.remaining, 100, "{user}");
    }
    silence.life.prove();

    // Done is done: the next one begins afresh, and so does one that comes a day after an interruption.
    let fourth = reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
    assert_eq!((fourth.is_resumed, fourth.applied, fourth.is_clean()), (false, 0, true), "{fourth:?}");
    let amounts = fourth.amounts.values().map(|amounts| amounts.stripe).sum::<i64>();
    assert_eq!(amounts, 900 * i64::try_from(BUYERS + 1).unwrap());
    silence.refuse("/v1/checkout/sessions");
    let broken = reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
    assert_eq!(broken.unasked.len(), 1);
    silence.pass(DAY);
    assert!(!reconcile::reconcile(&app, None, true, |_, _| ()).unwrap().is_resumed);
}

/// `--since` a time after what an interrupted run has done: what lies between the two is not taken for done.
#[test]
fn a_run_for_later_times_claims_nothing_in_between() {
    let recorder = Recorder::start();
    let mut silence = Silence::begin(&recorder, None);
    let app = silence.life.app.clone();
    silence.buys("before", "topup_100");
    silence.refuse("/v1/refunds");
    assert!(!reconcile::reconcile(&app, None, true, |_, _| ()).unwrap().unasked.is_empty());
    silence.pass(3 * HOUR);
    let between = silence.now.seconds();
    silence.buys("between", "topup_100");
    silence.pass(3 * HOUR);
    silence.buys("after", "topup_100");
    silence.refuse("/v1/refunds");
    let since = silence.now.plus_seconds(-HOUR);
    assert!(!reconcile::reconcile(&app, Some(since), true, |_, _| ()).unwrap().unasked.is_empty());
    assert_eq!(users::show(&app, "after").unwrap().balance.remaining, 100);

    let before = recorder.asked().len();
    assert!(reconcile::reconcile(&app, None, true, |_, _| ()).unwrap().is_clean());
    for path in ["/v1/events", "/v1/checkout/sessions"] {
        let covers = |asked: &Asked| {
            bound(asked, "created[gte]").is_some_and(|from| from <= between)
                && bound(asked, "created[lte]").is_none_or(|to| between <= to)
        };
        assert!(pages(&recorder, before, path).iter().any(covers), "{path}");
    }
    assert_eq!(users::show(&app, "between").unwrap().balance.remaining, 100);
}

const YEARLY: &str = r#"
currency = "usd"
[unit]
singular = "picture"
plural = "pictures"
[[plan]]
key = "free"
amount = 0
units = 0
[[plan]]
key = "small"
amount = 9000
units = 100
interval = "year"
price_id = "price_small"
[[plan]]
key = "large"
amount = 29000
units = 500
interval = "year"
price_id = "price_large"
"#;

#[test]
fn a_subscription_that_changed_longer_ago_than_events_are_kept_is_found() {
    let recorder = Recorder::start();
    let mut silence = Silence::begin(&recorder, Some(YEARLY));
    let app = silence.life.app.clone();
    silence.buys("alice", "small");
    events(&silence.api).iter().rev().for_each(|event| silence.life.hear(event));
    assert_eq!(silence.plan("alice"), "small");
    let subscription = silence.api.get("/v1/subscriptions").must(200).json()["data"][0].clone();
    let path = format!("/v1/subscriptions/{}", subscription["id"].as_str().unwrap());
    let item = subscription["items"]["data"][0]["id"].as_str().unwrap().to_owned();
    let changed = |silence: &Silence, fields: &[(&str, &str)]| {
        silence.api.post_form(&path, fields).must(200);
    };

    // To and fro: a state that it had before is news again.
    for plan in ["large", "small", "large"] {
        silence.pass(DAY);
        let price = format!("price_{plan}");
        changed(&silence, &[("items[0][id]", &item), ("items[0][price]", &price), ("proration_behavior", "none")]);
        silence.pass(40 * DAY);
        assert_ne!(silence.plan("alice"), plan);
        let found = reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
        assert_eq!((silence.plan("alice").as_str(), found.applied), (plan, 1), "{found:?}");
        let again = reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
        assert_eq!(again.applied, 0, "{again:?}");
    }
    changed(&silence, &[("cancel_at_period_end", "true")]);
    silence.buys("bert", "small");
    silence.pass(40 * DAY);
    reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
    let alice = users::show(&app, "alice").unwrap();
    assert!(alice.subscription.is_some_and(|known| known.ends_at.is_some()), "set to end");
    assert_eq!(silence.plan("bert"), "small", "and one of which nothing was ever heard");

    silence.api.send("DELETE", &path, &[], b"").must(200);
    silence.pass(40 * DAY);
    reconcile::reconcile(&app, None, true, |_, _| ()).unwrap();
    assert_eq!(silence.plan("alice"), "free");
    let rows: Vec<Value> = events(&silence.api);
    rows.iter().for_each(|event| silence.life.hear(event));
    assert_eq!(silence.plan("alice"), "free", "what comes late changes nothing");
    silence.life.prove();
}
