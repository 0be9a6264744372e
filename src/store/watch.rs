//! What has changed since something was read: so that an answer can be kept until its own user changes, and not only until
//! anybody does. Here is only counted and compared; what is kept lives with whoever keeps it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use super::sqlite::DataVersionProbe;
use crate::clock::Deadline;

/// How old the last look for other processes' commits may be.
const AGE: Duration = Duration::from_millis(1);
/// Accounts share so many places. Two in one place only make each other's answers be read again.
const PLACES: usize = 65_536;

/// When something was read: asked for before the first statement of the reading.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ReadVersion {
    ours: u64,
    others: u64,
}

/// What an answer says something of, and so what makes it untrue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheKey {
    /// The user of this account: their row of `users`, their account, and all subscriptions.
    User(i64),
    /// The service tokens, all of them.
    Tokens,
}

/// What our writer changed and when, and how often somebody else changed anything.
///
/// `ours` counts the writer's transactions: it is odd from behind `BEGIN` until behind `COMMIT` or `ROLLBACK`. A row that
/// is written marks its subject with the even number that `ours` will have after this transaction, so the mark is there
/// before the commit can be seen. A [`ReadVersion`] is `ours` before the reading, rounded down to even. An answer is true while
/// its stamp is not below its subject's mark:
///
/// - Whoever asked before the end of a transaction that touched the subject has a stamp below the mark, whether or not
///   the reading saw the change: the answer is never served once the row was written, let alone once the commit was
///   answered.
/// - Whoever asked after it reads after the commit and has what it wrote. So do those who were told of the commit, for
///   they are told after the end.
/// - A transaction that did not touch the subject leaves its mark alone, also while it is under way. One that was undone
///   left marks; they cost one more reading.
///
/// Commits of other processes cannot be told apart: `others` moves once they have been noticed, and only what was read
/// after that is true. They are noticed through SQLite's `data_version` on the writer's own connection, where it changes
/// by nobody else's commits than others' ("Pragma statements supported by SQLite"): by every transaction of the writer at
/// its beginning, from which on nobody else can commit until its end, and in between by [`Freshness`].
pub(super) struct ChangeLog {
    ours: AtomicU64,
    others: AtomicU64,
    /// The `data_version` of the last look; used with the connection held only.
    version: AtomicI64,
    /// By account.
    users: Box<[AtomicU64]>,
    all_users: AtomicU64,
    tokens: AtomicU64,
}

impl ChangeLog {
    pub(super) fn new() -> ChangeLog {
        let none = || AtomicU64::new(0);
        let users = (0..PLACES).map(|_| none()).collect();
        ChangeLog { ours: none(), others: none(), version: AtomicI64::new(0), users, all_users: none(), tokens: none() }
    }

    /// A transaction of the writer's has begun.
    pub(super) fn begun(&self) {
        self.ours.fetch_or(1, Ordering::SeqCst);
    }

    /// It has ended, one way or the other.
    pub(super) fn ended(&self) {
        if self.is_under_way() {
            self.ours.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn is_under_way(&self) -> bool {
        !self.ours.load(Ordering::SeqCst).is_multiple_of(2)
    }

    /// The transaction under way writes this row. What is answered from memory is read from these three tables, and from
    /// accounts, of which [`ChangeLog::account`] is told.
    pub(super) fn row(&self, table: &str, number: i64) {
        match table {
            "users" => self.mark(self.place(number)),
            // Their row numbers say nothing of the account.
            "subscriptions" => self.mark(&self.all_users),
            "tokens" => self.mark(&self.tokens),
            _ => {}
        }
    }

    /// The transaction under way writes this account's row, as every movement of units does.
    pub(super) fn account(&self, number: i64) {
        self.mark(self.place(number));
    }

    fn mark(&self, subject: &AtomicU64) {
        subject.store((self.ours.load(Ordering::SeqCst) | 1) + 1, Ordering::SeqCst);
    }

    /// The writer's connection has this `data_version` now; `None` when it could not be asked, so that nothing is certain.
    pub(super) fn version(&self, version: Option<i64>) {
        if version.is_none_or(|version| self.version.swap(version, Ordering::SeqCst) != version) {
            self.others.fetch_add(1, Ordering::SeqCst);
        }
    }

    fn stamp(&self) -> ReadVersion {
        ReadVersion { ours: self.ours.load(Ordering::SeqCst) & !1, others: self.others.load(Ordering::SeqCst) }
    }

    fn is_current(&self, subject: CacheKey, stamp: ReadVersion) -> bool {
        let since = |mark: &AtomicU64| stamp.ours >= mark.load(Ordering::SeqCst);
        stamp.others == self.others.load(Ordering::SeqCst)
            && match subject {
                CacheKey::User(account) => since(self.place(account)) && since(&self.all_users),
                CacheKey::Tokens => since(&self.tokens),
            }
    }

    fn place(&self, account: i64) -> &AtomicU64 {
        &self.users[usize::try_from(account.unsigned_abs()).unwrap_or(0) % PLACES]
    }
}

/// Answers whether what was read is still true: by our own commits at once, by those of other processes a millisecond
/// late at most.
pub(super) struct Freshness {
    changes: Arc<ChangeLog>,
    lookout: DataVersionProbe,
    started: Deadline,
    /// When to look again, in microseconds since the start.
    due: AtomicU64,
}

impl Freshness {
    pub(super) fn start(lookout: DataVersionProbe, changes: Arc<ChangeLog>) -> Freshness {
        Freshness { changes, lookout, started: Deadline::after(Duration::ZERO), due: AtomicU64::new(0) }
    }

    /// The stamp of what is read from now on.
    pub(super) fn stamp(&self) -> ReadVersion {
        self.look();
        self.changes.stamp()
    }

    /// Whether what was read of `subject` at `stamp` is still so. Whoever asks has taken a stamp of their own before.
    pub(super) fn is_current(&self, subject: CacheKey, stamp: ReadVersion) -> bool {
        self.changes.is_current(subject, stamp)
    }

    /// Looks for other processes' commits, where the last look is too old: one caller does, and nobody waits for it.
    fn look(&self) {
        let now = micros(self.started.elapsed());
        let due = self.due.load(Ordering::SeqCst);
        let is_ours =
            now >= due && self.due.compare_exchange(due, now + micros(AGE), Ordering::SeqCst, Ordering::SeqCst).is_ok();
        // In a transaction of ours, all that came before was noticed at its beginning, and nobody else commits. Where the
        // connection is held otherwise, for a statement that waits for nobody, the next caller looks.
        if is_ours && !self.changes.is_under_way() && !self.lookout.look() {
            self.due.store(0, Ordering::SeqCst);
        }
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALICE: CacheKey = CacheKey::User(7);
    const BOB: CacheKey = CacheKey::User(8);

    #[test]
    fn each_row_makes_untrue_what_depends_on_it_and_nothing_else() {
        // Every table of the schema, so that a new one is thought of here.
        let schema = include_str!("../../schema.sql");
        let tables = schema.lines().filter_map(|line| line.strip_prefix("CREATE TABLE ")?.split(' ').next());
        for table in tables {
            let untrue: &[CacheKey] = match table {
                "users" => &[ALICE],
                "subscriptions" => &[ALICE, BOB],
                "tokens" => &[CacheKey::Tokens],
                "schema_version" | "cursors" | "customers" | "orders" | "events" => &[],
                "payments" | "allotments" | "invoice_payments" | "refunds" | "credit_notes" | "disputes" => &[],
                "login_links" | "sessions" | "hooks" | "messages" => &[],
                // Without a row number. Of an account's row in the books is told otherwise.
                "books" | "lots" | "holds" | "hold_lots" | "deliveries" => &[],
                new => panic!("does an answer that is kept depend on {new}? See Changes::row"),
            };
            let changes = ChangeLog::new();
            let before = changes.stamp();
            changes.begun();
            changes.row(table, 7);
            let during = changes.stamp();
            changes.ended();
            let after = changes.stamp();
            for subject in [ALICE, BOB, CacheKey::Tokens] {
                let is_current = [before, during, after].map(|stamp| changes.is_current(subject, stamp));
                let expected = !untrue.contains(&subject);
                assert_eq!(is_current, [expected, expected, true], "{table}: {subject:?}");
            }
        }
    }

    #[test]
    fn a_mark_holds_from_the_row_on_and_an_undone_one_costs_one_reading() {
        let changes = ChangeLog::new();
        let before = changes.stamp();
        changes.begun();
        assert!(changes.is_current(ALICE, before));
        changes.account(7);
        assert!(!changes.is_current(ALICE, before) && !changes.is_current(ALICE, changes.stamp()));
        // Said twice, as where a rollback failed.
        changes.ended();
        changes.ended();
        assert!(!changes.is_current(ALICE, before) && changes.is_current(ALICE, changes.stamp()));
        assert!(!changes.is_under_way());
        // Accounts of one place share their fate.
        let place = i64::try_from(PLACES).unwrap();
        assert!(!changes.is_current(CacheKey::User(7 + place), before));
    }

    #[test]
    fn what_others_did_makes_everything_untrue() {
        let changes = ChangeLog::new();
        changes.version(Some(1));
        for (version, is_noticed) in
            [(Some(1), false), (Some(2), true), (Some(2), false), (None, true), (Some(2), false)]
        {
            let before = changes.stamp();
            changes.version(version);
            for subject in [ALICE, BOB, CacheKey::Tokens] {
                assert_eq!(changes.is_current(subject, before), !is_noticed, "{version:?}: {subject:?}");
                assert!(changes.is_current(subject, changes.stamp()));
            }
        }
    }
}
