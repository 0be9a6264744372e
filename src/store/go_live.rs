//! The beginning of a live database: what was stored in test mode is copied whole into a file of its own, or goes into a schema
//! of its own on a server, and the database begins again with the people and the access that it had. One transaction does it, so
//! a crash or another process leaves either the test data or the live database, never a part of each; the file keeps its name,
//! so backups, replication and open programs go on with it.

use std::fmt;
use std::path::PathBuf;

use super::Store;
use super::audit;
use super::db::{self, Connection, Tx, begin_again};
use super::stripe_account::{self, BoundAccount};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The tables that are carried over with all their rows. Everything else is what was sold, paid and sent in test mode. A
/// test compares the list with the schema, so that each new table is decided about.
pub const CARRIED: [&str; 12] = [
    "users",
    "operators",
    "addresses",
    "identities",
    "passwords",
    "passkeys",
    "second_factors",
    "tokens",
    "webhook_endpoints",
    "mail_choices",
    "mail_key",
    "audit",
];

/// Where the test data is afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SetApart {
    File(PathBuf),
    /// A schema of the same database.
    Schema(String),
}

impl fmt::Display for SetApart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            SetApart::File(path) => path.display().fmt(f),
            SetApart::Schema(name) => write!(f, "the schema {name}"),
        }
    }
}

impl Store {
    /// Sets the contents apart, and begins again, bound to `account`. The audit says who did it.
    /// Fails, and changes nothing, if another process wrote meanwhile. Use the store no more afterwards but to close it.
    pub fn begin_live(&self, aside: &SetApart, account: &BoundAccount, by: (&Actor, Timestamp)) -> Result<()> {
        let apart = match aside {
            SetApart::File(path) => path.file_name().map(|name| name.to_string_lossy().into_owned()),
            SetApart::Schema(_) => Some(aside.to_string()),
        };
        let apart = apart.map(|place| format!("test data in {place}"));
        let parts = db::table_parts()?;
        let named = |table: &&str| parts.iter().find(|part| part.table == **table).cloned();
        let carried: Vec<_> = CARRIED.iter().filter_map(named).collect();
        let mut fill = |tx: &mut dyn Tx| fill(tx, apart.as_deref(), account, by);
        match (&self.server, aside) {
            (None, SetApart::File(path)) => {
                let mut connection = Connection::open(self.file_to_copy()?)?;
                begin_again(&mut connection, path, by.1, &carried, fill)
            }
            (Some(server), SetApart::Schema(name)) => server.begin_again(name, by.1, &carried, &mut fill),
            _ => Err(Fault::bare("a file is set apart as a file, and what is on a server as a schema").into()),
        }
    }
}

/// The old tables are `apart`; a name alone is that of a new one.
fn fill(tx: &mut dyn Tx, apart: Option<&str>, account: &BoundAccount, by: (&Actor, Timestamp)) -> Result<()> {
    const OPEN: &str = "INSERT INTO books (account, part, owner, remaining, held, credited, entries, head, holds,
        low_balance) SELECT account, 1, account, 0, 0, 0, 0, $1, 0, low_balance FROM apart.books
        WHERE part = 1 AND seq = 0 AND used_reason = ''";
    const USERS: &str =
        "INSERT INTO figures (day, currency, writer, changes, plans, packs, out_of_band, refunded, withheld,
        reinstated, returned, value_added, earned, forfeited, value_reversed, bought, given, used, expired, reversed,
        units_left, users)
        SELECT day, '', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, SUM(users) FROM apart.figures
        WHERE currency = '' GROUP BY day HAVING SUM(users) <> 0";
    // What is known of the time does not depend on the mode.
    const TIME: &str = "UPDATE schema_version SET seen_at = (SELECT MAX(seen_at) FROM apart.schema_version),
        confirmed_at = (SELECT MAX(confirmed_at) FROM apart.schema_version)";
    // Opening balances are set apart with all others, and can be imported again.
    const OPENED: &str = "UPDATE users SET imported_at = NULL WHERE imported_at IS NOT NULL";
    tx.execute(TIME, &[])?;
    tx.execute(OPENED, &[])?;
    tx.execute(OPEN, &[&[0u8; 32]])?;
    tx.execute(USERS, &[])?;
    stripe_account::bind(tx, account)?;
    audit::add(tx, by, "went_live", account.id.as_deref(), apart)
}

#[cfg(test)]
mod tests {
    use super::CARRIED;

    /// The tables that begin empty.
    const LEFT: [&str; 41] = [
        "comparisons",
        "charges",
        "invoice_documents",
        "next_payments",
        "lots",
        "holds",
        "hold_lots",
        "orders",
        "customers",
        "customer_changes",
        "anchors",
        // What was made of the test data.
        "backups",
        "relocation",
        "payments",
        "allotments",
        "invoice_payments",
        "plan_periods",
        "prices",
        "subscriptions",
        "open_invoices",
        "scheduled_changes",
        "refunds",
        // With the users who were carried over.
        "figures",
        "subscription_counts",
        "credit_notes",
        "disputes",
        "events",
        "cursors",
        "stripe_account",
        "login_links",
        "sessions",
        "codes",
        "invites",
        "steps",
        "attempts",
        // What was given of welcome went with the balances.
        "welcomes",
        "address_salt",
        "messages",
        "deliveries",
        "mails",
        // With an empty account for each user.
        "books",
    ];

    #[test]
    fn every_table_is_either_carried_over_or_left() {
        let schema = include_str!("../../schema.sql");
        let made = schema.split("CREATE TABLE ").skip(1).filter_map(|rest| rest.split_whitespace().next());
        let mut made: Vec<&str> = made.filter(|table| *table != "schema_version").collect();
        let mut decided = [&CARRIED[..], &LEFT[..]].concat();
        made.sort_unstable();
        decided.sort_unstable();
        assert_eq!(decided, made, "decide whether going live carries the table over, in src/store/go_live.rs");
    }
}
