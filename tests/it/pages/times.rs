//! When what lets somebody in ends: a session that is not used, one that is used for long, and a code in a letter.

use till::clock::{DAY_SECONDS, Timestamp};
use till::email::Email;
use till::language::Language;
use till::store::codes::CodePurpose;
use till::usecase::users::codes::{self, Asking};
use till::usecase::users::sessions::{self, Browser};
use till::usecase::users::{admission, confirm, sign_in, welcome};

use crate::harness::life::Life;

const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

fn life() -> Life {
    Life::begin_mailing("http://127.0.0.1:1", "smtp://127.0.0.1:1", "billing@example.com", None)
}

fn sign_in(life: &Life) -> String {
    let link = sign_in::make_link(&life.app, "alice", None).unwrap().url;
    let token = link.split_once("token=").unwrap().1;
    sign_in::redeem(&life.app, token, &Browser::default()).unwrap().unwrap().cookie
}

/// Opens a page with the session, if it is open.
fn visit(life: &Life, cookie: &str) -> bool {
    let session = sessions::find(&life.app, cookie).unwrap();
    session.iter().for_each(|session| sessions::remember_use(&life.app, session));
    // What was handed to the writer is written before this.
    life.app.store.write(|_| Ok(())).unwrap();
    session.is_some()
}

#[test]
fn a_session_ends_after_a_week_without_use_and_after_a_month_in_any_case() {
    let life = life();
    let (idle, used) = (sign_in(&life), sign_in(&life));
    let account = sessions::find(&life.app, &used).unwrap().unwrap().account;
    for day in 1..30 {
        life.clock.set(NOW.plus_seconds(day * DAY_SECONDS - 1));
        assert!(visit(&life, &used), "day {day}");
        let open = sessions::list(&life.app, account).unwrap().len();
        assert_eq!(open, if day <= 7 { 2 } else { 1 }, "day {day}");
        assert_eq!(sessions::find(&life.app, &idle).unwrap().is_some(), day <= 7, "day {day}");
    }
    life.clock.set(NOW.plus_seconds(30 * DAY_SECONDS));
    assert!(!visit(&life, &used), "a month");
}

#[test]
fn an_invitation_ends_after_two_weeks() {
    let life = life();
    let (link, until) = welcome::invite(&life.app, None, false).unwrap();
    let secret = link.split_once("invite=").unwrap().1;
    life.clock.set(NOW.plus_seconds(14 * DAY_SECONDS - 1));
    assert!(admission::is_invited(&life.app, secret).unwrap() && !admission::is_invited(&life.app, "x").unwrap());
    life.clock.set(until);
    assert!(!admission::is_invited(&life.app, secret).unwrap());
}

#[test]
fn a_session_is_fresh_for_ten_minutes() {
    let life = life();
    let cookie = sign_in(&life);
    let session = sessions::find(&life.app, &cookie).unwrap().unwrap();
    life.clock.set(NOW.plus_seconds(599));
    assert!(sessions::require_fresh(&life.app, &session).is_ok());
    life.clock.set(NOW.plus_seconds(600));
    assert!(sessions::require_fresh(&life.app, &session).is_err());
}

#[test]
fn a_code_ends_after_ten_minutes_and_is_removed_a_day_later() {
    let life = life();
    let email = Email::parse("ada@example.org").unwrap();
    let asking = || Asking::SignUp { password: None, invite: None };
    let link = || {
        codes::ask(&life.app, &email, asking(), ("mark", Language::En)).unwrap();
        let fields = life.app.store.read(|tx| {
            tx.one("SELECT fields FROM mails WHERE kind = 'sign_in' ORDER BY number DESC LIMIT 1", &[], |row| {
                row.text("fields")
            })
        });
        let fields = fields.unwrap().unwrap();
        fields.split_once("code=").unwrap().1.split('"').next().unwrap().to_owned()
    };
    let (early, late) = (link(), link());
    let browser = Browser { mark: Some("mark".to_owned()), ..Browser::default() };
    let confirm = |code: &str| confirm::confirm(&life.app, code, (&browser, Language::En), "", None).unwrap();
    life.clock.set(NOW.plus_seconds(599));
    let seen = codes::look(&life.app, &early, &browser).unwrap().unwrap();
    assert!(seen.is_same_browser && seen.purpose == CodePurpose::SignUp);
    assert!(!codes::look(&life.app, &early, &Browser::default()).unwrap().unwrap().is_same_browser);
    assert!(confirm(&early).is_some_and(|done| done.cookie.is_some()));
    assert!(confirm(&early).is_none(), "once is once");
    life.clock.set(NOW.plus_seconds(600));
    assert!(codes::look(&life.app, &late, &browser).unwrap().is_none() && confirm(&late).is_none());
    life.clock.set(NOW.plus_seconds(700 + DAY_SECONDS));
    assert_eq!(sign_in::remove_ended(&life.app).unwrap(), 2);
}
