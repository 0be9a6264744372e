//! A clock that steps back an hour, as one does that was wrong: nothing expires twice, nothing is lost, no unit is counted
//! twice, and ids go on in their order.

use std::sync::Arc;
use std::sync::mpsc::channel;

use till::app::App;
use till::clock::{Clock, Timestamp};
use till::config::{Need, Sources, load};
use till::error::{Error, Result};
use till::store::users::Balance;
use till::usecase::operator::verify;
use till::usecase::units::expire;
use till::usecase::units::grant::{GrantRequest, grant};
use till::usecase::units::hold::{self, Closing, HoldRequest};
use till::usecase::units::request::IdempotencyKey;
use till::usecase::units::spend::{self, SpendRequest};
use till::usecase::users::sessions::{self, Browser};
use till::usecase::users::sign_in;
use till::usecase::users::statement::ledger_page;
use till::usecase::users::tokens::{self, Scope};
use till::usecase::users::{self, UserPatch};

use crate::harness::Folder;

const NOON: Timestamp = Timestamp::from_millis(1_790_000_000_000);
const HOUR: i64 = 3_600;

struct Life {
    app: Arc<App>,
    clock: Clock,
    _folder: Folder,
}

impl Life {
    fn begin() -> Life {
        let folder = Folder::new();
        let variables = [("SPRITE_DATABASE", folder.database("till.db"))];
        let variables = variables.iter().map(|(name, value)| (*name, value.as_str()));
        let config = load(&Sources::from_variables(variables), Need::Nothing).unwrap().config;
        let clock = Clock::manual(NOON);
        let app = Arc::new(App::open(config, clock.clone()).unwrap());
        users::put(&app, "alice", UserPatch::default()).unwrap();
        Life { app, clock, _folder: folder }
    }

    fn go_to(&self, seconds: i64) {
        self.clock.set(NOON.plus_seconds(seconds));
    }

    fn give(&self, key: &str, units: i64, expires: Option<i64>) -> Result<i64> {
        let expires_at = expires.map(|seconds| NOON.plus_seconds(seconds));
        let wanted = GrantRequest::new(units, "a gift".to_owned(), expires_at, IdempotencyKey::parse(key)?)?;
        grant(&self.app, "alice", &wanted).map(|receipt| receipt.entry.seq)
    }

    fn hold(&self, key: &str, units: i64, seconds: i64) -> Result<hold::HoldResult> {
        let wanted = HoldRequest::new("alice".to_owned(), units, Some(seconds), None, IdempotencyKey::parse(key)?)?;
        let (then, told) = channel();
        hold::hold(&self.app, wanted, move |receipt| then.send(receipt).unwrap());
        told.recv().unwrap()
    }

    fn close(&self, id: &str, closing: Closing) -> Result<hold::HoldResult> {
        let (then, told) = channel();
        hold::close(&self.app, id, closing, move |receipt| then.send(receipt).unwrap());
        told.recv().unwrap()
    }

    fn spend(&self, key: &str, units: i64) -> Result<i64> {
        let wanted = SpendRequest::new("alice".to_owned(), units, None, IdempotencyKey::parse(key)?)?;
        let (then, told) = channel();
        spend::spend(&self.app, wanted, move |spent| then.send(spent).unwrap());
        told.recv().unwrap().map(|spent| spent.entry.seq)
    }

    /// Remaining and held, after a round of the worker, with the books proven.
    fn units(&self) -> [i64; 2] {
        expire::expire(&self.app).unwrap();
        assert_eq!(verify::verify(&self.app, |_| ()).unwrap().breaks, []);
        let Balance { remaining, held, .. } = users::show(&self.app, "alice").unwrap().balance;
        [remaining, held]
    }

    /// How many entries there are of expiry, and that all of them follow each other without a gap.
    fn expiries(&self) -> usize {
        let entries = ledger_page(&self.app, "alice", None, 200).unwrap().1.rows;
        let mut seqs: Vec<i64> = entries.iter().map(|entry| entry.seq).collect();
        seqs.reverse();
        assert_eq!(seqs, (1..=i64::try_from(seqs.len()).unwrap()).collect::<Vec<i64>>());
        entries.iter().filter(|entry| entry.reason.starts_with("expire_")).count()
    }
}

#[track_caller]
fn code<T: std::fmt::Debug>(result: Result<T>) -> &'static str {
    match result.expect_err("a refusal was expected") {
        Error::Refused(refused) => refused.code(),
        Error::Fault(fault) => panic!("{fault}"),
    }
}

#[test]
fn lots_expire_once_and_spends_go_on() {
    let life = Life::begin();
    life.give("short", 10, Some(HOUR)).unwrap();
    life.give("long", 5, None).unwrap();
    life.spend("one", 1).unwrap();
    life.go_to(2 * HOUR);
    assert_eq!((life.units(), life.expiries()), ([5, 0], 1));
    // An hour back and more: what has expired does not come back, and does not expire again.
    for seconds in [HOUR, HOUR / 2, 0, -HOUR, 2 * HOUR, HOUR] {
        life.go_to(seconds);
        assert_eq!((life.units(), life.expiries()), ([5, 0], 1), "at {seconds}");
    }
    // The same keys are the same movements, and new ones come after them.
    assert_eq!(life.spend("one", 1).unwrap(), 3);
    assert_eq!(life.give("short", 10, Some(HOUR)).unwrap(), 1);
    assert_eq!(life.spend("two", 2).unwrap(), 5);
    assert_eq!(code(life.spend("three", 4)), "insufficient_units");
    life.go_to(0);
    life.give("again", 7, Some(HOUR / 2)).unwrap();
    assert_eq!(life.units(), [10, 0]);
    life.go_to(HOUR);
    assert_eq!((life.units(), life.expiries()), ([3, 0], 2));
}

#[test]
fn a_hold_is_closed_once_and_counted_once() {
    let life = Life::begin();
    life.give("gift", 100, None).unwrap();
    let over = life.hold("over", 30, 60).unwrap().hold.id();
    let open = life.hold("open", 20, HOUR).unwrap().hold.id();
    life.go_to(120);
    assert_eq!(life.units(), [100, 20], "the first is over");

    life.go_to(120 - HOUR);
    assert_eq!(life.units(), [100, 20], "and stays over");
    assert_eq!(code(life.close(&over, Closing::capture(None).unwrap())), "hold_not_open");
    assert_eq!(code(life.close(&over, Closing::Release)), "hold_not_open");
    assert_eq!(code(life.spend("too many", 81)), "insufficient_units");
    let replay = life.hold("over", 30, 60).unwrap();
    assert!(replay.replayed && replay.hold.id() == over);
    assert_eq!(life.units(), [100, 20]);

    let captured = life.close(&open, Closing::capture(Some(15)).unwrap()).unwrap();
    assert_eq!((captured.hold.captured, life.units()), (15, [85, 0]));
    life.go_to(2 * HOUR);
    assert!(life.close(&open, Closing::capture(Some(15)).unwrap()).unwrap().replayed);
    assert_eq!(life.units(), [85, 0]);

    // A hold that was made before the step back has its whole time by its own end.
    let long = life.hold("long", 10, HOUR).unwrap().hold.id();
    life.go_to(HOUR);
    assert_eq!(life.units(), [85, 10]);
    life.go_to(3 * HOUR);
    assert_eq!(life.units(), [85, 0]);
    assert_eq!(code(life.close(&long, Closing::Release)), "hold_not_open");
    let ids: Vec<String> = ["a", "b"].map(|key| life.hold(key, 1, 60).unwrap().hold.id()).into();
    assert_eq!(ids, ["hld_1_4", "hld_1_5"], "the next ones");
}

#[test]
fn links_sessions_and_tokens_keep_their_rules() {
    let life = Life::begin();
    let token_of = |url: &str| url.split_once("token=").unwrap().1.to_owned();
    let link = || token_of(&sign_in::make_link(&life.app, "alice", None).unwrap().url);
    let (used, late, early) = (link(), link(), link());
    let session = sign_in::redeem(&life.app, &used, &Browser::default()).unwrap().unwrap().cookie;
    life.go_to(-HOUR);
    assert!(sign_in::redeem(&life.app, &used, &Browser::default()).unwrap().is_none(), "once is once");
    assert!(sign_in::redeem(&life.app, &early, &Browser::default()).unwrap().is_some(), "and good until its end");
    assert!(sessions::find(&life.app, &session).unwrap().is_some());
    life.go_to(301);
    assert!(sign_in::redeem(&life.app, &late, &Browser::default()).unwrap().is_none());
    sign_in::sign_out(&life.app, &session).unwrap();
    life.go_to(-HOUR);
    assert!(sessions::find(&life.app, &session).unwrap().is_none(), "signed out is signed out");

    let (token, secret) = tokens::create(&life.app, "pipeline", &[Scope::Read]).unwrap();
    let is_good = |life: &Life| life.app.store.read(|tx| tokens::authenticate(tx, &secret)).is_ok();
    for seconds in [0, -2 * HOUR, HOUR] {
        life.go_to(seconds);
        assert!(is_good(&life), "at {seconds}");
    }
    tokens::revoke(&life.app, &token.id).unwrap();
    for seconds in [HOUR, 0, -HOUR] {
        life.go_to(seconds);
        assert!(!is_good(&life), "at {seconds}");
    }
}
