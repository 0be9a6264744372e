//! A clock that is plainly wrong: nothing expires, no hold is closed, no month is credited and nothing is removed by it, while
//! everything else goes on. It heals when the clock is right, when Stripe confirms it, or when the operator does.

use std::sync::Arc;
use std::sync::mpsc::channel;

use serde_json::{Value, json};
use till::app::App;
use till::clock::{Clock, DAY_SECONDS, Timestamp};
use till::config::{Need, Sources, load};
use till::usecase::operator::backup::{self, Packing};
use till::usecase::operator::verify;
use till::usecase::units::expire;
use till::usecase::units::grant::{GrantRequest, grant};
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::request::IdempotencyKey;
use till::usecase::units::spend::{self, SpendRequest};
use till::usecase::users::sessions::{self, Browser};
use till::usecase::users::{self, UserPatch, sign_in};

use crate::harness::shop::{Shop, WEBHOOK_SECRET};
use crate::harness::wait::eventually;
use crate::harness::webhook;
use crate::harness::{Folder, is_about_a_file};

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const YEARS: i64 = 3_650 * DAY_SECONDS;

/// Books that were written at noon, of an appliance that has stopped.
struct Books(Folder);

impl Books {
    /// Alice has 100 units for two days, and 10 of them are held for a quarter of an hour; she is signed in for a month.
    fn at_noon() -> (Books, String) {
        let books = Books(Folder::new());
        let (app, _) = books.open(NOON);
        users::put(&app, "alice", UserPatch::default()).unwrap();
        let key = IdempotencyKey::parse("gift").unwrap();
        let expires_at = Some(NOON.plus_seconds(2 * DAY_SECONDS));
        grant(&app, "alice", &GrantRequest::new(100, "a gift".into(), expires_at, key).unwrap()).unwrap();
        let key = IdempotencyKey::parse("hold").unwrap();
        let wanted = HoldRequest::new("alice".into(), 10, None, None, key).unwrap();
        let (then, held) = channel();
        hold::hold(&app, wanted, move |receipt| then.send(receipt).unwrap());
        held.recv().unwrap().unwrap();
        let link = sign_in::make_link(&app, "alice", None).unwrap().url;
        let session =
            sign_in::redeem(&app, link.split_once("token=").unwrap().1, &Browser::default()).unwrap().unwrap();
        (books, session.cookie)
    }

    /// The appliance, and its clock, which says `at` when it starts.
    fn open(&self, at: Timestamp) -> (Arc<App>, Clock) {
        let database = self.0.database("till.db");
        let sources = Sources::from_variables([("SPRITE_DATABASE", database.as_str())]);
        let clock = Clock::doubted(at);
        (Arc::new(App::open(load(&sources, Need::Nothing).unwrap().config, clock.clone()).unwrap()), clock)
    }
}

/// Remaining and held units, after a round of the worker, with the books proven.
fn units(app: &App) -> [i64; 2] {
    expire::expire(app).unwrap();
    sign_in::remove_ended(app).unwrap();
    assert_eq!(verify::verify(app, |_| ()).unwrap().breaks, []);
    let balance = users::show(app, "alice").unwrap().balance;
    [balance.remaining, balance.held]
}

fn spend_one(app: &App, key: &str) -> Timestamp {
    let wanted = SpendRequest::new("alice".into(), 1, None, IdempotencyKey::parse(key).unwrap()).unwrap();
    let (then, spent) = channel();
    spend::spend(app, wanted, move |result| then.send(result).unwrap());
    spent.recv().unwrap().unwrap().entry.created_at
}

fn capture(app: &App, units: i64) -> till::error::Result<hold::HoldResult> {
    let (then, closed) = channel();
    hold::close(app, "hld_1_1", Closing::capture(Some(units)).unwrap(), move |result| then.send(result).unwrap());
    closed.recv().unwrap()
}

#[test]
fn nothing_is_taken_by_a_start_in_another_decade_and_everything_else_goes_on() {
    for wrong in [YEARS, DAY_SECONDS + 1, -301, -YEARS] {
        let (books, session) = Books::at_noon();
        let (app, clock) = books.open(NOON.plus_seconds(wrong));
        assert!(!app.clock.is_plausible(), "{wrong}");
        assert_eq!(units(&app), [100, 10], "{wrong}");
        assert_eq!(spend_one(&app, "one"), NOON, "{wrong}: what is written has the last time that is known");
        assert_eq!(capture(&app, 4).unwrap().hold.captured, 4, "{wrong}");
        assert_eq!(units(&app), [95, 0], "{wrong}");
        assert!(sessions::find(&app, &session).unwrap().is_some(), "{wrong}");

        // The clock is set right, and time passes.
        clock.set_wrong(NOON.plus_seconds(60));
        assert_eq!((app.clock.is_plausible(), units(&app)), (true, [95, 0]));
        clock.set(NOON.plus_seconds(2 * DAY_SECONDS));
        assert_eq!((units(&app), app.clock.now()), ([0, 0], NOON.plus_seconds(2 * DAY_SECONDS)));
        // A later start remembers the right time.
        spend_none(&app);
        drop(app);
        let (app, _) = books.open(NOON.plus_seconds(3 * DAY_SECONDS));
        assert!(app.clock.is_plausible());
        let (app, _) = books.open(NOON);
        assert!(!app.clock.is_plausible());
        drop(app);
    }
}

/// Writes something that moves no units.
fn spend_none(app: &App) {
    users::put(app, "bob", UserPatch::default()).unwrap();
}

#[test]
fn a_clock_that_jumps_while_the_appliance_runs_is_not_believed_and_one_that_sleeps_is() {
    let (books, _) = Books::at_noon();
    let (app, clock) = books.open(NOON);
    clock.set_wrong(NOON.plus_seconds(YEARS));
    assert_eq!(units(&app), [100, 10]);
    clock.set_wrong(NOON);
    assert_eq!(units(&app), [100, 10]);
    clock.set(NOON.plus_seconds(9 * DAY_SECONDS));
    assert_eq!(units(&app), [0, 0], "nine days have passed");
}

#[test]
fn after_a_long_stop_stripe_or_the_operator_confirms_the_clock() {
    for by_stripe in [true, false] {
        let (books, _) = Books::at_noon();
        let later = NOON.plus_seconds(30 * DAY_SECONDS);
        let (app, _) = books.open(later);
        assert_eq!(units(&app), [100, 10]);
        if by_stripe {
            app.clock.stripe_said(later.plus_seconds(-2));
        } else {
            till::usecase::operator::clock::confirm(&app).unwrap();
        }
        assert_eq!((app.clock.now(), units(&app)), (later, [0, 0]));
    }
    // Stripe's word counts against the last time that was written, too.
    let (books, _) = Books::at_noon();
    let (app, _) = books.open(NOON.plus_seconds(3600));
    app.clock.stripe_said(NOON.plus_seconds(YEARS));
    assert_eq!(units(&app), [100, 10]);
    app.clock.stripe_said(NOON.plus_seconds(3600));
    assert_eq!(units(&app), [100, 0]);
}

fn last_written_at(shop: &Shop, time: &str) {
    shop.hand().run(&format!("UPDATE schema_version SET seen_at = {time}"));
}

fn clock_row(shop: &Shop) -> Value {
    let output = shop.till(&["check", "--json"]);
    let listed: Value = serde_json::from_slice(&output.stdout).unwrap();
    listed["data"].as_array().unwrap().iter().find(|row| row["what"] == "clock").cloned().unwrap_or_default()
}

#[test]
fn a_doubted_clock_is_said_in_log_metrics_and_check_until_stripe_or_the_operator_confirms_it() {
    let shop = Shop::open();
    shop.user("alice");
    shop.give("alice", 5);
    for long_ago in ["1000000000000", "2100000000000"] {
        last_written_at(&shop, long_ago);
        assert_eq!(clock_row(&shop)["is_good"], true, "Stripe answers and confirms it");
    }
    // Nobody listens there.
    let nowhere = [("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:1")];
    let shop = shop.crash_and_restart_with(&nowhere);
    last_written_at(&shop, "1000000000000");
    let shop = shop.crash_and_restart();
    let warning = shop.till.wait_for_log("a warning", |line| line["event"] == "clock_implausible");
    assert!(warning["what"].as_str().unwrap().contains("2001-09-09"), "{warning}");
    let is_plausible = |shop: &Shop| shop.api.get("/metrics").must(200).body.contains("till_clock_plausible 1");
    assert!(!is_plausible(&shop));
    let row = clock_row(&shop);
    assert!(row["is_good"] == false && row["detail"].as_str().unwrap().contains("--clock-is-right"), "{row}");
    assert_eq!(shop.remaining("alice"), 5);
    shop.give("alice", 1);

    shop.till(&["check", "--clock-is-right"]);
    shop.till.wait_for_log("that it is right", |line| line["event"] == "clock_plausible");
    eventually("the gauge", || is_plausible(&shop).then_some(()));
    shop.verify_books();
}

#[test]
fn after_a_long_stop_what_stripe_signs_now_confirms_the_clock_and_what_it_signed_then_does_not() {
    let shop = Shop::open().crash_and_restart_with(&[("SPRITE_STRIPE_API_BASE", "http://127.0.0.1:1")]);
    // A time ago at which something was signed that is sent again.
    let then = till::clock::Clock::System.now().plus_seconds(-30 * DAY_SECONDS);
    last_written_at(&shop, &then.millis().to_string());
    let shop = shop.crash_and_restart();
    shop.till.wait_for_log("a warning", |line| line["event"] == "clock_implausible");
    let event = json!({"id": "evt_1", "object": "event", "type": "customer.created", "created": 1_790_000_000,
        "livemode": false, "api_version": "2026-05-27.dahlia", "data": {"object": {"id": "cus_1", "object": "customer"}}});
    let body = event.to_string();
    let old = webhook::signature(WEBHOOK_SECRET, body.as_bytes(), then.plus_seconds(-3600));
    shop.webhook_bytes(body.as_bytes(), &old).must(400);
    shop.webhook(&event).must(200);
    shop.till.wait_for_log("that it is right", |line| line["event"] == "clock_plausible");
}

#[test]
fn no_backup_is_taken_for_old_while_the_clock_is_implausible() {
    if is_about_a_file() {
        return;
    }
    let (books, _) = Books::at_noon();
    let kept = Folder::new();
    let (app, clock) = books.open(NOON);
    let back_up = || backup::to_folder(&app, &kept.path(""), 7, Packing::Plain, |_| ()).unwrap().1.len();
    let count = || std::fs::read_dir(kept.path("")).unwrap().count();
    assert_eq!((back_up(), count()), (0, 1));
    clock.set_wrong(NOON.plus_seconds(YEARS));
    assert_eq!((app.clock.is_plausible(), back_up(), count()), (false, 0, 2), "a name says ten years later");
    clock.set_wrong(NOON);
    clock.set(NOON.plus_seconds(8 * DAY_SECONDS));
    assert_eq!(
        (app.clock.is_plausible(), back_up(), count()),
        (true, 1, 2),
        "the one of noon is old, and the newest name stays"
    );
}
