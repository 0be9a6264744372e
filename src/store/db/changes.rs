//! What was changed, and when: so that a cached answer can be used until its own user changes, and not only until
//! anything does. This file only counts and compares; the caches live with their owners.

use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};

/// Marks for accounts. Two accounts may share a mark; each then makes the other's answers be read again.
const MARKS: usize = 65_536;
/// Marks for sessions, which share them in the same way.
const SESSION_MARKS: usize = 8_192;

/// When something was read. Ask for it before the first statement of the reading.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ReadVersion {
    ours: u64,
    others: u64,
}

/// What a cached answer depends on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKey {
    /// The user of this account: their row of `users`, their account, and all subscriptions.
    User(i64),
    /// What a page shows of this account: the same, what was bought and paid, and what Stripe said of it. Of the tables of
    /// payments each change counts for all accounts.
    Page(i64),
    /// The session with this number.
    Session(i64),
    /// All service tokens.
    Tokens,
}

/// What our writer changed and when, and how often another process changed anything.
///
/// `ours` counts the writer's transactions: it is odd from after `BEGIN` until after `COMMIT` or `ROLLBACK`. Writing a row
/// marks its key with the even number that `ours` will have after this transaction, so the mark is there before the
/// commit can be seen. A [`ReadVersion`] holds `ours` as it was before the reading, rounded down to even. An answer holds
/// while its version is not below the mark of its key:
///
/// - A reader that took its version before the end of a transaction that touched the key has a version below the mark,
///   whether or not the reading saw the change. So the answer is never served once the row was written, and certainly not
///   after the commit was answered.
/// - A reader that took it later reads after the commit and sees what it wrote. That includes every caller that got its
///   answer, because answers are given after the end.
/// - A transaction that did not touch the key leaves its mark alone, also while it is under way. A transaction that was
///   undone leaves marks; they cost one more reading.
///
/// Commits of other processes cannot be told apart: `others` moves once they are noticed, and only what is read after that
/// holds. They are noticed through SQLite's `data_version` on the writer's own connection, which changes only by the
/// commits of others ("Pragma statements supported by SQLite"): by every transaction of the writer at its beginning, after
/// which nobody else can commit until its end, and in between by `Freshness`.
pub(in crate::store) struct ChangeLog {
    ours: AtomicU64,
    others: AtomicU64,
    /// The last `data_version` seen; written only while the connection is held.
    data_version: AtomicI64,
    by_account: Box<[AtomicU64]>,
    by_session: Box<[AtomicU64]>,
    all_users: AtomicU64,
    all_pages: AtomicU64,
    tokens: AtomicU64,
}

impl ChangeLog {
    pub(in crate::store) fn new() -> ChangeLog {
        let zero = || AtomicU64::new(0);
        let marks = |count: usize| (0..count).map(|_| zero()).collect();
        ChangeLog {
            ours: zero(),
            others: zero(),
            data_version: AtomicI64::new(0),
            by_account: marks(MARKS),
            by_session: marks(SESSION_MARKS),
            all_users: zero(),
            all_pages: zero(),
            tokens: zero(),
        }
    }

    /// A transaction of the writer's has begun.
    pub(super) fn begun(&self) {
        self.ours.fetch_or(1, Ordering::SeqCst);
    }

    /// The transaction has ended, one way or the other.
    pub(super) fn ended(&self) {
        if self.is_under_way() {
            self.ours.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn is_under_way(&self) -> bool {
        !self.ours.load(Ordering::SeqCst).is_multiple_of(2)
    }

    /// The transaction under way writes this row. Cached answers are read from these tables, and from accounts with their
    /// entries, lots and holds, for which [`ChangeLog::account`] is called.
    pub(super) fn row(&self, table: &str, row_number: i64) {
        match table {
            // Whose pages have a way to the operator's: one row for each account, whose number it is.
            "users" | "operators" => self.mark(self.of_account(row_number)),
            // Their row numbers say nothing of the account.
            "subscriptions" => self.mark(&self.all_users),
            "orders" | "customers" | "payments" | "scheduled_changes" | "open_invoices" | "next_payments"
            | "charges" | "invoice_documents" => self.mark(&self.all_pages),
            "sessions" => self.mark(self.of_session(row_number)),
            "tokens" => self.mark(&self.tokens),
            _ => {}
        }
    }

    /// The transaction under way writes this account's row, as every movement of units does, or a note of its entries or
    /// holds.
    pub(super) fn account(&self, number: i64) {
        self.mark(self.of_account(number));
    }

    fn mark(&self, key: &AtomicU64) {
        key.store((self.ours.load(Ordering::SeqCst) | 1) + 1, Ordering::SeqCst);
    }

    /// The writer's connection has this `data_version` now. `None`: it could not be read, so nothing is certain.
    pub(super) fn data_version(&self, version: Option<i64>) {
        if version.is_none_or(|version| self.data_version.swap(version, Ordering::SeqCst) != version) {
            self.others.fetch_add(1, Ordering::SeqCst);
        }
    }

    pub(super) fn read_version(&self) -> ReadVersion {
        ReadVersion { ours: self.ours.load(Ordering::SeqCst) & !1, others: self.others.load(Ordering::SeqCst) }
    }

    pub(super) fn is_current(&self, key: CacheKey, version: ReadVersion) -> bool {
        let is_since = |mark: &AtomicU64| version.ours >= mark.load(Ordering::SeqCst);
        version.others == self.others.load(Ordering::SeqCst)
            && match key {
                CacheKey::User(account) => is_since(self.of_account(account)) && is_since(&self.all_users),
                CacheKey::Page(account) => {
                    is_since(self.of_account(account)) && is_since(&self.all_users) && is_since(&self.all_pages)
                }
                CacheKey::Session(number) => is_since(self.of_session(number)),
                CacheKey::Tokens => is_since(&self.tokens),
            }
    }

    fn of_account(&self, account: i64) -> &AtomicU64 {
        &self.by_account[usize::try_from(account.unsigned_abs()).unwrap_or(0) % MARKS]
    }

    fn of_session(&self, number: i64) -> &AtomicU64 {
        &self.by_session[usize::try_from(number.unsigned_abs()).unwrap_or(0) % SESSION_MARKS]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: CacheKey = CacheKey::User(7);
    const BOB: CacheKey = CacheKey::User(8);
    /// With the page of each, and the session with Alice's number.
    const ALL: [CacheKey; 6] =
        [ALICE, BOB, CacheKey::Page(7), CacheKey::Page(8), CacheKey::Session(7), CacheKey::Tokens];

    #[test]
    fn each_row_makes_untrue_what_depends_on_it_and_nothing_else() {
        // Every table of the schema, so that a new one is thought of here.
        let schema = include_str!("../../../schema.sql");
        let tables = schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
        for table in tables {
            let untrue: &[CacheKey] = match table {
                "users" | "operators" => &[ALICE, CacheKey::Page(7)],
                "subscriptions" => &[ALICE, BOB, CacheKey::Page(7), CacheKey::Page(8)],
                "sessions" => &[CacheKey::Session(7)],
                "tokens" => &[CacheKey::Tokens],
                "orders" | "customers" | "payments" | "scheduled_changes" | "open_invoices" | "next_payments"
                | "charges" | "invoice_documents" => &[CacheKey::Page(7), CacheKey::Page(8)],
                "schema_version" | "cursors" | "comparisons" | "stripe_account" | "events" => &[],
                "allotments" | "plan_periods" | "prices" | "invoice_payments" | "refunds" | "credit_notes" => &[],
                "disputes" | "figures" | "subscription_counts" | "backups" | "relocation" => &[],
                "login_links" | "audit" | "anchors" | "webhook_endpoints" | "mails" | "mail_key" => &[],
                "passkeys" | "second_factors" | "addresses" | "passwords" | "codes" | "invites" | "welcomes"
                | "address_salt" => &[],
                // Without a row number. For what changes in books, lots and holds `Tx::mark_changed` is called.
                "books" | "lots" | "holds" | "hold_lots" | "messages" | "deliveries" | "customer_changes"
                | "mail_choices" | "identities" | "steps" | "attempts" => &[],
                new => panic!("does a cached answer depend on {new}? See ChangeLog::row"),
            };
            let changes = ChangeLog::new();
            let before = changes.read_version();
            changes.begun();
            changes.row(table, 7);
            let during = changes.read_version();
            changes.ended();
            let after = changes.read_version();
            for key in ALL {
                let is_current = [before, during, after].map(|version| changes.is_current(key, version));
                let expected = !untrue.contains(&key);
                assert_eq!(is_current, [expected, expected, true], "{table}: {key:?}");
            }
        }
    }

    #[test]
    fn a_mark_holds_from_the_row_on_and_an_undone_one_costs_one_reading() {
        let changes = ChangeLog::new();
        let before = changes.read_version();
        changes.begun();
        assert!(changes.is_current(ALICE, before));
        changes.account(7);
        assert!(!changes.is_current(ALICE, before) && !changes.is_current(ALICE, changes.read_version()));
        // Ended twice, as after a rollback that failed.
        changes.ended();
        changes.ended();
        assert!(!changes.is_current(ALICE, before) && changes.is_current(ALICE, changes.read_version()));
        assert!(!changes.is_under_way());
        // Accounts that share a mark share their fate.
        let marks = i64::try_from(MARKS).unwrap();
        assert!(!changes.is_current(CacheKey::User(7 + marks), before));
    }

    #[test]
    fn what_others_did_makes_everything_untrue() {
        let changes = ChangeLog::new();
        changes.data_version(Some(1));
        for (version, is_noticed) in
            [(Some(1), false), (Some(2), true), (Some(2), false), (None, true), (Some(2), false)]
        {
            let before = changes.read_version();
            changes.data_version(version);
            for key in ALL {
                assert_eq!(changes.is_current(key, before), !is_noticed, "{version:?}: {key:?}");
                assert!(changes.is_current(key, changes.read_version()));
            }
        }
    }
}
