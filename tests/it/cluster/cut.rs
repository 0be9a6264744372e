//! The network between one of two processes and the database is cut, or the database stands still for it.

use std::thread;
use std::time::Duration;

use till::clock::Deadline;

use super::fleet::Fleet;
use super::link::Link;
use super::load::{Load, spend_once};
use super::place::server_programs;
use crate::harness::eventually;
use crate::harness::postgres::Postgres;

const CUT: Duration = Duration::from_mins(1);
/// Longer than the database waits for a transaction that stands still, and than a process waits for a database that does.
const STILL: Duration = Duration::from_secs(20);
const UNITS: i64 = 1_000_000;

#[test]
fn a_process_that_is_cut_off_answers_503_and_comes_back_while_the_other_goes_on() {
    be_away("scale_cut", CUT, Link::cut);
}

#[test]
fn a_process_whose_database_stands_still_answers_503_and_comes_back_while_the_other_goes_on() {
    be_away("scale_still", STILL, Link::stand_still);
}

/// For one of two processes the database goes away for this long.
fn be_away(name: &str, away: Duration, go: impl FnOnce(&Link)) {
    if server_programs("a process that is cut off from its database").is_none() {
        return;
    }
    let database = Postgres::get().database(name);
    let port = database.split(':').nth(3).and_then(|rest| rest.split('/').next()).unwrap();
    let link = Link::to(port.parse().unwrap());
    let detour = database.replace(&format!(":{port}/"), &format!(":{}/", link.port()));
    let fleet = Fleet::start_with_detour(&database, &detour);
    ["alice", "bert", "carol"].iter().for_each(|user| fleet.user(user, UNITS));
    let (near, far) = ([fleet.program_at(0)], [fleet.program_at(1)]);
    let (goes_on, is_cut_off) = (Load::named("near"), Load::named("far"));
    let last = "asked while it is cut off";
    // Alice is served by both: a spend of hers may be under way at the cut, and hold her row.
    goes_on.run(&["alice", "bert"], &near, || {
        is_cut_off.run(&["alice", "carol"], &far, || {
            is_cut_off.wait_for(20);
            go(&link);
            let away = Deadline::after(away);
            goes_on.wait_for(20);
            let says_503 = || is_cut_off.statuses().contains(&503).then_some(());
            eventually("a 503 of the process that is cut off", says_503);
            assert_eq!(spend_once(&far[0], "carol", last), Some(503));
            // What reads is not kept waiting either.
            let read = far[0].try_send("GET", "/v1/users/bert", &[], b"").ok().map(|answer| answer.status);
            assert_eq!(read, Some(503));
            thread::sleep(away.left());
            link.mend();
            is_cut_off.wait_for(20);
            goes_on.wait_for(20);
        });
    });
    assert_eq!(spend_once(&far[0], "carol", last), Some(201));

    assert_eq!(is_cut_off.statuses(), [503].into());
    let others = goes_on.others();
    assert!(others.keys().all(|(user, status)| user == "alice" && *status == 503), "{others:?}");
    let mut acknowledged = goes_on.acknowledged();
    acknowledged.extend(is_cut_off.acknowledged());
    acknowledged.insert(("carol".to_owned(), format!("spend_{last}")));
    fleet.check_books(&acknowledged, UNITS);
}
