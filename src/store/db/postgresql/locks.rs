//! Locks that are no rows (PostgreSQL, "Advisory Locks"): each has a class, which is till's, and a number. They belong to one
//! database, and end with the transaction or the connection.

/// The class of all of them: "till".
const CLASS: i32 = 0x7469_6c6c;

/// Held by one write of the shop at a time.
const SHOP: i32 = 1;
/// Shared by all writes; held alone by one that changes all rows.
const BOOKS: i32 = 2;
/// Held while the schema is made or changed.
pub(super) const SCHEMA: i32 = 3;
/// Shared by the processes that serve; held alone by what needs them to be stopped.
pub(super) const SERVICE: i32 = 4;
/// From this number on: each connection that writes holds one, which is the number of its rows of the figures.
const WRITERS: i32 = 1_000;
/// How many such connections there may be.
const WRITERS_LIMIT: i32 = 1_000;
/// From this number on: work that one process does for all.
const LEASES: i32 = 10_000;

/// Begins a write of one account's rows.
pub(super) fn begin_of_accounts() -> String {
    format!("{BEGIN}; SELECT pg_advisory_xact_lock_shared({CLASS}, {BOOKS})")
}

/// Begins a write of any row. The lock of the shop comes first here and in [`begin_of_books`], so that the two never wait for
/// each other.
pub(super) fn begin_of_shop() -> String {
    format!(
        "{BEGIN}; SELECT pg_advisory_xact_lock({CLASS}, {SHOP}); SELECT pg_advisory_xact_lock_shared({CLASS}, {BOOKS})"
    )
}

/// Begins a write that changes all rows.
pub(super) fn begin_of_books() -> String {
    format!("{BEGIN}; SELECT pg_advisory_xact_lock({CLASS}, {SHOP}); SELECT pg_advisory_xact_lock({CLASS}, {BOOKS})")
}

const BEGIN: &str = "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE";

/// Waits for a lock and holds it until the transaction's end.
pub(super) fn hold_in_transaction(number: i32) -> String {
    format!("SELECT pg_advisory_xact_lock({CLASS}, {number})")
}

/// Takes a lock for as long as the connection lasts, alone or with others, if nobody is in the way: `taken` is `t` or `f`.
pub(super) fn take(number: i32, alone: bool) -> String {
    let shared = if alone { "" } else { "_shared" };
    format!("SELECT pg_try_advisory_lock{shared}({CLASS}, {number}) AS taken")
}

/// Takes the first number of a writer that is free: `writer`, from 1 on; and when the `server` was started.
pub(super) fn take_writer() -> String {
    // Each is tried in turn until one is taken: LIMIT ends the scan.
    let last = WRITERS + WRITERS_LIMIT;
    format!(
        "SELECT number - {WRITERS} AS writer, pg_postmaster_start_time()::text AS server FROM generate_series({first}, {last}) AS number \
         WHERE pg_try_advisory_lock({CLASS}, number) LIMIT 1",
        first = WRITERS + 1
    )
}

/// The lock of work that one process does for all.
pub(super) fn lease(number: i32) -> i32 {
    LEASES + number
}

/// Who holds a lock of a connection: `holder` is what the connection calls itself.
pub(super) fn holders(number: i32) -> String {
    format!(
        "SELECT a.application_name AS holder FROM pg_locks l JOIN pg_stat_activity a ON a.pid = l.pid \
         WHERE l.locktype = 'advisory' AND l.classid = {CLASS} AND l.objid = {number} AND l.objsubid = 2 AND l.granted \
         AND l.database = (SELECT oid FROM pg_database WHERE datname = current_database()) AND l.pid <> pg_backend_pid() \
         ORDER BY a.backend_start, a.pid LIMIT 20"
    )
}
