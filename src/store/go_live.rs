//! The beginning of a live database: what was stored in test mode is copied whole into a file of its own, and the database
//! begins again with the people and the access that it had. One transaction does it, so a crash or another process leaves
//! either the test data or the live database, never a part of each; the file keeps its name, so backups, replication and
//! open programs go on with it.

use std::path::Path;

use super::Store;
use super::audit;
use super::db::{Connection, Tx, begin_again};
use super::stripe_account::{self, BoundAccount};
use crate::actor::Actor;
use crate::clock::Timestamp;
use crate::error::Result;

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

impl Store {
    /// Sets the contents apart in the file at `aside`, and begins again, bound to `account`. The audit says who did it.
    /// Fails, and changes nothing, if another process wrote meanwhile. Use the store no more afterwards but to close it.
    pub fn begin_live(&self, aside: &Path, account: &BoundAccount, by: (&Actor, Timestamp)) -> Result<()> {
        let mut connection = Connection::open(self.file_to_copy()?)?;
        begin_again(&mut connection, aside, by.1, |connection| fill(connection, aside, account, by))
    }
}

fn fill(connection: &mut Connection, aside: &Path, account: &BoundAccount, by: (&Actor, Timestamp)) -> Result<()> {
    const OPEN: &str = "INSERT INTO main.books (account, part, owner, remaining, held, credited, entries, head, holds,
        low_balance) SELECT account, 1, account, 0, 0, 0, 0, $1, 0, low_balance FROM apart.books
        WHERE part = 1 AND seq = 0 AND used_reason = ''";
    const USERS: &str =
        "INSERT INTO main.figures (day, currency, writer, changes, plans, packs, out_of_band, refunded, withheld,
        reinstated, returned, value_added, earned, forfeited, value_reversed, bought, given, used, expired, reversed,
        units_left, users)
        SELECT day, '', 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, SUM(users) FROM apart.figures
        WHERE currency = '' GROUP BY day HAVING SUM(users) <> 0";
    // What is known of the time does not depend on the mode.
    const TIME: &str = "UPDATE main.schema_version SET seen_at = (SELECT MAX(seen_at) FROM apart.schema_version),
        confirmed_at = (SELECT MAX(confirmed_at) FROM apart.schema_version)";
    // Opening balances are set apart with all others, and can be imported again.
    const OPENED: &str = "UPDATE main.users SET imported_at = NULL WHERE imported_at IS NOT NULL";
    for table in CARRIED {
        connection.carry(table)?;
    }
    let tx: &mut dyn Tx = connection;
    tx.execute(TIME, &[])?;
    tx.execute(OPENED, &[])?;
    tx.execute(OPEN, &[&[0u8; 32]])?;
    tx.execute(USERS, &[])?;
    stripe_account::bind(tx, account)?;
    let apart = aside.file_name().map(|name| format!("test data in {}", name.to_string_lossy()));
    audit::add(tx, by, "went_live", account.id.as_deref(), apart.as_deref())
}

#[cfg(test)]
mod tests {
    use super::CARRIED;

    /// The tables that begin empty.
    const LEFT: [&str; 40] = [
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
