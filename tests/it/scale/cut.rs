//! The network between one of two processes and the database is cut.

use std::thread;
use std::time::Duration;

use till::clock::Deadline;

use super::fleet::Fleet;
use super::link::Link;
use super::load::{Load, spend_once};
use super::place::server_programs;
use crate::harness::eventually;
use crate::harness::postgres::Postgres;

/// How long the network is cut: longer than the database waits for a transaction that stands still.
const CUT: Duration = Duration::from_secs(15);
const UNITS: i64 = 1_000_000;

#[test]
fn a_process_that_is_cut_off_answers_503_and_comes_back_while_the_other_goes_on() {
    if server_programs("a process that is cut off from its database").is_none() {
        return;
    }
    let database = Postgres::get().database("scale_cut");
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
            link.cut();
            let cut = Deadline::after(CUT);
            goes_on.wait_for(20);
            let says_503 = || is_cut_off.statuses().contains(&503).then_some(());
            eventually("a 503 of the process that is cut off", says_503);
            assert_eq!(spend_once(&far[0], "carol", last), Some(503));
            thread::sleep(cut.left());
            link.mend();
            is_cut_off.wait_for(20);
            goes_on.wait_for(20);
        });
    });
    assert_eq!(spend_once(&far[0], "carol", last), Some(201));

    assert_eq!(is_cut_off.statuses(), [503].into());
    let others = goes_on.others();
    assert!(others.keys().all(|(user, status)| user == "alice" && *status == 503), "{others:?}");
    let (mut spends, left) = fleet.books();
    spends.retain(|(_, reason)| reason.starts_with("spend_"));
    let mut acknowledged = goes_on.acknowledged();
    acknowledged.extend(is_cut_off.acknowledged());
    acknowledged.insert(("carol".to_owned(), format!("spend_{last}")));
    assert_eq!(spends, acknowledged);
    for (user, units) in left {
        let spent = acknowledged.iter().filter(|(of, _)| *of == user).count();
        assert_eq!(units, UNITS - i64::try_from(spent).unwrap(), "{user}");
    }
}
