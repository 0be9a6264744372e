//! The primary dies or stands still under load, and its standby takes over.

use std::collections::BTreeSet;

use super::fleet::Fleet;
use super::load::Load;
use super::patroni::Cluster;
use crate::harness::Client;

/// More than any run spends.
const UNITS: i64 = 1_000_000;
/// Two callers for each user, so that a user's row is wanted twice at once.
const CALLERS: &[&str] = &["alice", "alice", "bert", "bert", "carol", "carol"];

#[test]
fn nothing_acknowledged_is_lost_or_doubled_when_the_primary_dies_or_stands_still_and_its_standby_is_promoted() {
    let Some(mut cluster) = Cluster::start() else { return };
    let fleet = Fleet::start(&cluster.url(), 2);
    let users: BTreeSet<&str> = CALLERS.iter().copied().collect();
    users.iter().for_each(|user| fleet.user(user, UNITS));
    let processes: Vec<Client> = (0..2).map(|number| fleet.program_at(number)).collect();
    let load = Load::named("load");
    let first = cluster.primary();
    load.run(CALLERS, &processes, || {
        load.wait_for(50);
        cluster.cut_power(first);
        // The callers go on by themselves, at the machine that was the standby.
        load.wait_for(50);
        assert_ne!(cluster.primary(), first);
        // The machine comes back as the standby, and takes over in its turn.
        cluster.power_on(first);
        cluster.wait_for_standby();
        cluster.stop(1 - first);
        load.wait_for(50);
        assert_eq!(cluster.primary(), first);
        // What was under way on the other when it stood still goes on there, and must not count.
        cluster.go_on(1 - first);
        cluster.wait_for_standby();
        load.wait_for(50);
    });

    assert_eq!(load.statuses(), [503].into(), "{}", fleet.logs());
    fleet.check_books(&load.acknowledged(), UNITS);
}
