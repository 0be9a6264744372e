//! The server under the books: whether what it acknowledges outlives a crash, its standbys, its clock, what this role may do, and
//! who else serves on the same database.

use std::collections::BTreeSet;

use super::finding::{Finding, bad, good, open, warning};
use crate::app::App;
use crate::config::Mode;
use crate::store::Lock;
use crate::store::server_report::ServerReport;

/// Nothing depends on the server's clock. One that is so far off says that something is wrong with the machine.
const CLOCK_SECONDS: i64 = 60;
/// The connections of one process: those that write, those that read, and the one that holds its locks.
const OF_ONE_PROCESS: i64 = 14;
/// A standby that is further behind would take long to take over.
const BEHIND_BYTES: i64 = 256 << 20;

/// Rights that are named, of those that the role lacks.
const RIGHTS_NAMED: usize = 20;

/// What is to be said of the server; nothing of a file.
pub(super) fn server(app: &App) -> Vec<Finding> {
    let report = match app.store.server_report() {
        Ok(None) => return vec![],
        Ok(Some(report)) => report,
        Err(error) => return vec![open("server", format!("it does not say how it is set up: {error}"))],
    };
    let holder = Lock::holder(app.store.database());
    vec![
        durability(app, &report),
        standbys(&report),
        connections(&report),
        rights(&report),
        transport(&report),
        clock(app, &report),
        processes(holder.as_deref()),
    ]
}

fn durability(app: &App, report: &ServerReport) -> Finding {
    let what = "server durability";
    let ServerReport { version, unsafe_settings, .. } = report;
    if !unsafe_settings.is_empty() {
        let said = format!(
            "PostgreSQL {version} has {} off: a crash of its machine may damage the books. Turn on what is off in \
             postgresql.conf",
            unsafe_settings.join(" and ")
        );
        let is_live = app.config.stripe.mode() == Some(Mode::Live);
        return if is_live { bad(what, said) } else { warning(what, said) };
    }
    match report.commits_are_synchronous {
        true => good(what, format!("PostgreSQL {version} brings each commit to the disk before it answers")),
        false => warning(
            what,
            format!(
                "PostgreSQL {version} has synchronous_commit off; till turns it on for its own commits, other programs may \
                 not: ALTER SYSTEM SET synchronous_commit = on"
            ),
        ),
    }
}

fn standbys(report: &ServerReport) -> Finding {
    let what = "standbys";
    let wanted = report.standbys_wanted.as_str();
    let Some(found) = report.standbys else {
        return open(
            what,
            "this role may not see them: GRANT pg_monitor TO it, and till says how far they are".to_owned(),
        );
    };
    let said = format!("{} connected, the last of them {} KiB behind", found.connected, found.behind_bytes / 1024);
    match (wanted, found.connected) {
        (wanted, _) if !wanted.is_empty() && found.synchronous == 0 => bad(
            what,
            format!(
                "synchronous_standby_names is {wanted}, and no such standby is connected: each commit waits for one. Start \
                 it, or set synchronous_standby_names to ''"
            ),
        ),
        ("", 0) => {
            open(what, "there is none: what was acknowledged is on one machine, and goes with its disk".to_owned())
        }
        ("", _) => open(
            what,
            format!(
                "{said}; none is synchronous, so a fail-over may lose the last commits (synchronous_standby_names)"
            ),
        ),
        _ if found.behind_bytes > BEHIND_BYTES => warning(what, format!("{said}, which is much")),
        _ => good(what, format!("{said}; a commit waits for {wanted}")),
    }
}

fn connections(report: &ServerReport) -> Finding {
    let what = "connections";
    let ServerReport { connections, connections_limit, .. } = *report;
    let said = format!("{connections} of {connections_limit} are in use");
    match connections_limit - connections {
        left if left < OF_ONE_PROCESS => warning(
            what,
            format!(
                "{said}, and one process of till takes up to {OF_ONE_PROCESS}: raise max_connections or the role's limit"
            ),
        ),
        _ => good(what, said),
    }
}

fn rights(report: &ServerReport) -> Finding {
    let what = "rights";
    let (in_use, for_later): (Vec<&String>, Vec<&String>) =
        report.missing_rights.iter().partition(|right| !right.starts_with("CREATE"));
    let list = |rights: &[&String]| {
        let first: Vec<&str> = rights.iter().take(RIGHTS_NAMED).map(|right| right.as_str()).collect();
        let more = if rights.len() > RIGHTS_NAMED { " and more" } else { "" };
        format!("{}{more}", first.join(", "))
    };
    match (in_use.as_slice(), for_later.as_slice()) {
        ([], []) => good(what, "the role may do all that till does".to_owned()),
        ([], later) => {
            warning(what, format!("the role lacks {}: newer versions and till ledger verify need it", list(later)))
        }
        (missing, _) => {
            bad(what, format!("the role lacks {}: GRANT it, or let the role own the tables", list(missing)))
        }
    }
}

fn transport(report: &ServerReport) -> Finding {
    let what = "server TLS";
    match (report.is_encrypted, report.is_local) {
        (true, _) => good(what, "the connection to the server is encrypted".to_owned()),
        (false, true) => good(what, "the connection does not leave this machine".to_owned()),
        (false, false) => warning(
            what,
            "the connection leaves this machine unencrypted: add sslmode=verify-full to SPRITE_DATABASE".to_owned(),
        ),
    }
}

fn clock(app: &App, report: &ServerReport) -> Finding {
    let what = "server clock";
    let seconds = report.now_millis.saturating_sub(app.clock.wall().millis()) / 1000;
    match seconds.abs() {
        off if off > CLOCK_SECONDS => warning(
            what,
            format!(
                "it is {seconds} s from this machine's: no time in the books depends on it, but one of the two is wrong"
            ),
        ),
        _ => good(what, "it agrees with this machine's".to_owned()),
    }
}

/// Each process calls itself by its command, its number, its host and its version.
fn processes(holders: Option<&str>) -> Finding {
    let what = "processes";
    let Some(holders) = holders else { return open(what, "nobody serves on this database just now".to_owned()) };
    let versions: BTreeSet<&str> =
        holders.split("; ").filter_map(|holder| holder.rsplit_once(", ").map(|(_, version)| version)).collect();
    match versions.len() {
        0 | 1 => good(what, format!("served by {holders}")),
        _ => warning(what, format!("served by several versions: {holders}. Bring all to the same one soon")),
    }
}
