//! Which schema the database has, and the way from an older one to ours: all of it in one transaction.

use std::path::Path;
use std::sync::OnceLock;

use super::fault::DbResult;
use super::rows::TablePart;
use super::schema_text;
use super::sqlite::{Connection, SchemaObject, objects_of, table_parts as table_parts_of};
use super::tx::Tx;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Result};

/// The schema that this program is written for.
pub(super) const VERSION: i64 = 1;
pub(super) const SCHEMA: &str = include_str!("../../../schema.sql");

const ANOTHER_FILE: &str = "name a file that does not exist yet";

/// Of books whose version somebody removed: they are not to be taken for none.
pub(super) const NO_VERSION: &str =
    "its table schema_version has no row, so nobody knows which schema it has: restore a backup";

/// Each step leads from one version to the next: the first from version 1 to 2, and so on. There is no older version yet.
const STEPS: &[&str] = &[];

/// The tables, indexes, triggers and views that this program makes: the same for all of a process' life.
pub(in crate::store) fn objects_made() -> Result<Vec<SchemaObject>> {
    static MADE: OnceLock<Vec<SchemaObject>> = OnceLock::new();
    if let Some(made) = MADE.get() {
        return Ok(made.clone());
    }
    let made = objects_of(&schema_text::sqlite(SCHEMA))?;
    Ok(MADE.get_or_init(|| made).clone())
}

/// The tables that this program makes, in the order in which their rows can be added.
pub(in crate::store) fn table_parts() -> DbResult<Vec<TablePart>> {
    table_parts_of(&schema_text::sqlite(SCHEMA))
}

/// Whether there is nothing in it. Fails if it is another program's.
pub(in crate::store) fn is_empty(connection: &mut Connection) -> DbResult<bool> {
    if connection.is_marked_by_another()? {
        return Err(Fault::bare(format!("it is another program's database: {ANOTHER_FILE}")));
    }
    Ok(version(connection)?.is_none())
}

/// Makes the schema in an empty database, or migrates an older one. A database that is not ours, or newer than this
/// program, is left as it is. One that is up to date is not written to, so that it opens while another process writes.
pub(in crate::store) fn bring_up_to_date(connection: &mut Connection, now: Timestamp) -> DbResult<()> {
    if connection.is_marked_by_another()? {
        return Err(Fault::bare(format!("it is another program's database: {ANOTHER_FILE}")));
    }
    let found = version(connection)?;
    refuse_newer(found, VERSION)?;
    connection.mark_as_ours()?;
    if found == Some(VERSION) {
        return Ok(());
    }
    migrate(connection, STEPS, VERSION, now)
}

/// Runs the missing steps in one transaction. A step may replace a table, which needs foreign keys to be off meanwhile
/// ("ALTER TABLE", section "Making Other Kinds Of Table Schema Changes"); they are checked as a whole before the commit.
fn migrate(connection: &mut Connection, steps: &[&str], target: i64, now: Timestamp) -> DbResult<()> {
    connection.enforce_references(false)?;
    // A step may change every page of a large database, which may not fit in memory.
    connection.temp_on_disk(true)?;
    // Another process may migrate at the same time, so the version is read again inside the transaction.
    let changed = connection.begin().and_then(|()| {
        change(connection, steps, target, now)?;
        connection.check_references()?;
        connection.commit()
    });
    if changed.is_err() {
        connection.rollback();
    }
    connection.enforce_references(true)?;
    connection.temp_on_disk(false)?;
    changed
}

fn change(connection: &mut Connection, steps: &[&str], target: i64, now: Timestamp) -> DbResult<()> {
    let found = version(connection)?;
    refuse_newer(found, target)?;
    match found {
        None => connection.run_script(&schema_text::sqlite(SCHEMA))?,
        Some(found) if found == target => return Ok(()),
        Some(found) => {
            let done = usize::try_from(found - 1).unwrap_or(0);
            for step in steps.iter().skip(done) {
                connection.run_script(step)?;
            }
        }
    }
    record(connection, target, now)
}

/// Copies the contents into a new file at `aside` and replaces them by the empty schema, the rows of the tables that are
/// `carried` over, and what `fill` writes, which may read the copy as `apart`. One transaction: if anything fails, or another process wrote since the copy, nothing changes.
pub(in crate::store) fn begin_again(
    connection: &mut Connection,
    aside: &Path,
    now: Timestamp,
    carried: &[TablePart],
    fill: impl FnOnce(&mut dyn Tx) -> Result<()>,
) -> Result<()> {
    let version = connection.others_version()?;
    connection.copy_apart(aside)?;
    connection.enforce_references(false)?;
    let begun = connection.begin().map_err(Error::from).and_then(|()| {
        if connection.others_version()? != version {
            let what = "another process wrote into the database meanwhile: stop it, and run this again";
            return Err(Fault::bare(what).into());
        }
        connection.drop_everything()?;
        connection.run_script(&schema_text::sqlite(SCHEMA))?;
        record(connection, VERSION, now)?;
        carried.iter().try_for_each(|part| connection.carry(part))?;
        fill(connection)?;
        Ok(connection.check_references()?)
    });
    if begun.is_err() {
        connection.rollback();
        // Nothing was set apart. What cannot be removed is a copy that nobody uses.
        let _left_behind = std::fs::remove_file(aside);
        return begun;
    }
    // If this fails, the copy stays: it may be the only one.
    let committed = connection.commit();
    match &committed {
        Ok(()) => connection.shrink(),
        Err(_) => connection.rollback(),
    }
    Ok(committed?)
}

fn record(connection: &mut Connection, target: i64, now: Timestamp) -> DbResult<()> {
    const RECORD: &str = "INSERT INTO schema_version (version, applied_at, checked_at) VALUES ($1, $2, $2)";
    connection.execute(RECORD, &[&target, &now])?;
    Ok(())
}

pub(super) fn refuse_newer(found: Option<i64>, target: i64) -> DbResult<()> {
    match found {
        Some(found) if found > target => Err(Fault::bare(format!(
            "it has schema {found}, this till knows schemas up to {target}: use the newer till, or restore a \
             backup made before it ran"
        ))),
        _ => Ok(()),
    }
}

/// The newest version recorded; `None` in an empty database.
fn version(tx: &mut dyn Tx) -> DbResult<Option<i64>> {
    // The engine's own catalogue, because our tables cannot be read before they exist. Litestream's tables make a database
    // neither ours nor foreign.
    const TABLES: &str =
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\'
        ORDER BY name LIMIT 100";
    const NEWEST: &str = "SELECT version FROM schema_version ORDER BY version DESC LIMIT 1";
    let mut tables: Vec<String> = Vec::new();
    tx.query(TABLES, &[], &mut |row| {
        tables.push(row.text("name")?);
        Ok(())
    })?;
    let Some(first) = tables.first() else { return Ok(None) };
    if !tables.iter().any(|name| name == "schema_version") {
        return Err(Fault::bare(format!("it is another program's database (it has a table {first}): {ANOTHER_FILE}")));
    }
    let mut newest = None;
    tx.query(NEWEST, &[], &mut |row| {
        newest = Some(row.int("version")?);
        Ok(())
    })?;
    newest.map(Some).ok_or_else(|| Fault::bare(NO_VERSION))
}

/// A small write that proves that the disk takes writes.
pub(in crate::store) fn record_check(tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
    const CHECKED: &str = "UPDATE schema_version SET checked_at = $1 WHERE version = $2";
    match tx.execute(CHECKED, &[&now, &VERSION])? {
        1 => Ok(()),
        _ => Err(Fault::bare(format!("the database's schema is no longer {VERSION}")).into()),
    }
}

/// The last plausible time at which something was written.
pub(in crate::store) fn seen_at(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const SEEN: &str = "SELECT seen_at FROM schema_version WHERE version = $1";
    Ok(tx.one(SEEN, &[&VERSION], |row| row.time_or_null("seen_at"))?.flatten())
}

/// Records the time as plausible.
pub(in crate::store) fn record_seen(tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
    const SEEN: &str = "UPDATE schema_version SET seen_at = $1 WHERE version = $2";
    tx.execute(SEEN, &[&now, &VERSION])?;
    Ok(())
}

/// The last time that the operator said was right.
pub(in crate::store) fn confirmed_at(tx: &mut dyn Tx) -> Result<Option<Timestamp>> {
    const CONFIRMED: &str = "SELECT confirmed_at FROM schema_version WHERE version = $1";
    Ok(tx.one(CONFIRMED, &[&VERSION], |row| row.time_or_null("confirmed_at"))?.flatten())
}

/// Records the time as right, because the operator says so.
pub(in crate::store) fn record_confirmed(tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
    const CONFIRMED: &str = "UPDATE schema_version SET seen_at = $1, confirmed_at = $1 WHERE version = $2";
    tx.execute(CONFIRMED, &[&now, &VERSION])?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn database() -> (std::path::PathBuf, Connection) {
        let path = std::env::temp_dir().join(crate::id::ordered_id("till-schema", NOW).unwrap());
        let connection = Connection::open(&path).unwrap();
        (path, connection)
    }

    const LATER: i64 = VERSION + 2;

    fn migrate(connection: &mut Connection, steps: &[&str]) -> DbResult<()> {
        let nothing = vec![""; STEPS.len()];
        super::migrate(connection, &[&nothing, steps].concat(), LATER, NOW)
    }

    #[test]
    fn an_older_schema_is_migrated_at_once_or_not_at_all_and_a_newer_one_is_refused() {
        let (path, mut connection) = database();
        bring_up_to_date(&mut connection, NOW).unwrap();
        bring_up_to_date(&mut connection, NOW).unwrap();

        let broken = ["CREATE TABLE extra (a INTEGER) STRICT", "CREATE TABLE extra (a INTEGER) STRICT"];
        assert!(migrate(&mut connection, &broken).is_err());
        assert_eq!(version(&mut connection).unwrap(), Some(VERSION), "a failed migration leaves nothing");

        let dangling =
            ["CREATE TABLE extra (a INTEGER REFERENCES users (account)) STRICT", "INSERT INTO extra VALUES (9)"];
        assert!(migrate(&mut connection, &dangling).is_err(), "a reference to nothing is no migration");

        let good = ["CREATE TABLE extra (a INTEGER) STRICT", "ALTER TABLE extra ADD COLUMN b INTEGER"];
        migrate(&mut connection, &good).unwrap();
        assert_eq!(version(&mut connection).unwrap(), Some(LATER));
        connection.execute("INSERT INTO extra (a, b) VALUES (1, 2)", &[]).unwrap();

        let refused = bring_up_to_date(&mut connection, NOW).unwrap_err().to_string();
        assert!(refused.contains(&format!("schema {LATER}")) && refused.contains("newer till"), "{refused}");
        drop(connection);
        std::fs::remove_file(path).unwrap();
    }

    /// A made-up older version, and the steps from it: each replaces a table to which another one refers.
    const OLDER: &str = "
        CREATE TABLE schema_version (version INTEGER NOT NULL PRIMARY KEY, applied_at INTEGER NOT NULL,
            checked_at INTEGER NOT NULL) STRICT;
        CREATE TABLE people (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL) STRICT;
        CREATE TABLE letters (id INTEGER NOT NULL PRIMARY KEY, sender INTEGER REFERENCES people (id)) STRICT;
        INSERT INTO schema_version VALUES (1, 0, 0);
        INSERT INTO people VALUES (1, 'alice'), (2, 'bob');
        INSERT INTO letters VALUES (1, 2), (2, NULL);";
    const SECOND: &str = "
        CREATE TABLE people_2 (id INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL CHECK (name <> '')) STRICT;
        INSERT INTO people_2 SELECT id, name FROM people;
        DROP TABLE people;
        ALTER TABLE people_2 RENAME TO people;";
    const THIRD: &str = "ALTER TABLE letters ADD COLUMN text TEXT; UPDATE letters SET text = 'from ' || sender;";

    #[test]
    fn an_older_database_becomes_what_its_steps_say_and_keeps_what_is_in_it() {
        let (path, mut connection) = database();
        connection.run_script(OLDER).unwrap();
        let loses_bob = SECOND.replace("FROM people;", "FROM people WHERE id = 1;");
        let refused = super::migrate(&mut connection, &[&loses_bob, THIRD], 3, NOW).unwrap_err().to_string();
        assert!(refused.contains("a row of letters refers to a row that does not exist"), "{refused}");
        let refused = super::migrate(&mut connection, &[SECOND, "UPDATE absent SET a = 1"], 3, NOW).unwrap_err();
        assert!(refused.to_string().contains("no such table"), "{refused}");
        assert_eq!(version(&mut connection).unwrap(), Some(1), "a failed migration leaves nothing");

        // The second time, as another process may, it finds nothing to do.
        for _ in 0..2 {
            super::migrate(&mut connection, &[SECOND, THIRD], 3, NOW).unwrap();
        }
        let tx: &mut dyn Tx = &mut connection;
        const ROWS: &str =
            "SELECT l.id, p.name, l.text FROM letters l LEFT JOIN people p ON p.id = l.sender ORDER BY l.id";
        let rows = tx.all(ROWS, &[], |row| Ok((row.int("id")?, row.text_or_null("name")?, row.text_or_null("text")?)));
        assert_eq!(rows.unwrap(), [(1, Some("bob".to_owned()), Some("from 2".to_owned())), (2, None, None)]);
        let versions = tx.all("SELECT version FROM schema_version ORDER BY version", &[], |row| row.int("version"));
        assert_eq!(versions.unwrap(), [1, 3]);
        let refused = tx.execute("INSERT INTO letters (id, sender) VALUES (3, 9)", &[]).unwrap_err().to_string();
        assert!(refused.contains("FOREIGN KEY"), "references are enforced again: {refused}");
        drop(connection);
        std::fs::remove_file(path).unwrap();
    }

    /// What a process leaves that is killed is what its files have at that moment.
    fn left_behind(path: &Path) -> (std::path::PathBuf, Connection) {
        let copy = std::env::temp_dir().join(crate::id::ordered_id("till-schema", NOW).unwrap());
        for end in ["", "-wal"] {
            std::fs::copy(crate::private_file::beside(path, end), crate::private_file::beside(&copy, end)).unwrap();
        }
        let connection = Connection::open(&copy).unwrap();
        (copy, connection)
    }

    #[test]
    fn a_migration_that_is_killed_at_any_step_leaves_the_older_database_or_the_newer() {
        const COUNT: &str = "SELECT COUNT(*) AS count FROM people";
        const MORE: &str = "
            WITH RECURSIVE n (id) AS (SELECT 3 UNION ALL SELECT id + 1 FROM n WHERE id < 20000)
            INSERT INTO people SELECT id, 'somebody of some name ' || id FROM n;";
        let (path, mut connection) = database();
        connection.mark_as_ours().unwrap();
        connection.run_script(&format!("{OLDER}{MORE}PRAGMA cache_size = 10;")).unwrap();
        let check = |step: usize, expected: i64| {
            let (copy, mut left) = left_behind(&path);
            assert_eq!(version(&mut left).unwrap(), Some(expected), "{step}");
            assert_eq!((&mut left as &mut dyn Tx).one(COUNT, &[], |row| row.int("count")).unwrap(), Some(20_000));
            super::migrate(&mut left, &[SECOND, THIRD], 3, NOW).unwrap();
            assert_eq!(version(&mut left).unwrap(), Some(3), "{step}: the next start finishes it");
            drop(left);
            std::fs::remove_file(copy).unwrap();
        };
        connection.enforce_references(false).unwrap();
        connection.begin().unwrap();
        let log = || crate::private_file::beside(&path, "-wal").metadata().unwrap().len();
        let before = log();
        for (step, script) in [SECOND, THIRD].iter().enumerate() {
            connection.run_script(script).unwrap();
            check(step, 1);
        }
        assert!(log() > before + (100 << 10), "much of it is in the log already");
        record(&mut connection, 3, NOW).unwrap();
        check(2, 1);
        connection.commit().unwrap();
        check(3, 3);
        drop(connection);
        std::fs::remove_file(path).unwrap();
    }

    #[test]
    fn a_database_of_another_program_is_refused() {
        let (path, mut connection) = database();
        connection.run_script("CREATE TABLE songs (a INTEGER)").unwrap();
        let refused = bring_up_to_date(&mut connection, NOW).unwrap_err().to_string();
        assert!(refused.contains("another program's database") && refused.contains("songs"), "{refused}");
        drop(connection);
        std::fs::remove_file(path).unwrap();
    }
}
