//! Which schema the database has, and the way from an older one to ours: all of it in one transaction.

use super::sqlite::Connection;
use super::{Row, Tx};
use crate::clock::Timestamp;
use crate::error::{Fault, Result};

/// The schema that this program is written for.
const VERSION: i64 = 3;
const SCHEMA: &str = include_str!("../../schema.sql");

const ANOTHER_FILE: &str = "name a file that does not exist yet";

/// Each step leads from one version to the next: step 0 from version 1 to 2, and so on.
const STEPS: &[&str] = &[include_str!("steps/2.sql"), include_str!("steps/3.sql")];

/// Makes the schema in an empty database, or migrates an older one. A database that is not ours, or newer than this
/// program, is left as it is; one that is up to date is not written to, so that it opens beside whoever writes.
pub(super) fn bring_up_to_date(connection: &mut Connection, now: Timestamp) -> std::result::Result<(), Fault> {
    if connection.is_marked_by_another()? {
        return Err(Fault::bare(format!("it is another program's database: {ANOTHER_FILE}")));
    }
    let found = version(connection)?;
    refuse_newer(found, VERSION)?;
    connection.claim()?;
    if found == Some(VERSION) {
        return Ok(());
    }
    migrate(connection, STEPS, VERSION, now)
}

/// A step may put a new table in an old one's place, which takes foreign keys off meanwhile ("ALTER TABLE", section
/// "Making Other Kinds Of Table Schema Changes"); they are checked as a whole before the commit.
fn migrate(connection: &mut Connection, steps: &[&str], target: i64, now: Timestamp) -> std::result::Result<(), Fault> {
    connection.enforce_references(false)?;
    // A step may change every page of a large database: more than there may be memory for.
    connection.spill(true)?;
    // Another process may be as far as this one: what is there is looked at again inside.
    let changed = connection.begin().and_then(|()| {
        change(connection, steps, target, now)?;
        connection.check_references()?;
        connection.commit()
    });
    if changed.is_err() {
        connection.rollback();
    }
    connection.enforce_references(true)?;
    connection.spill(false)?;
    changed
}

fn change(connection: &mut Connection, steps: &[&str], target: i64, now: Timestamp) -> std::result::Result<(), Fault> {
    let found = version(connection)?;
    refuse_newer(found, target)?;
    match found {
        None => connection.run_script(SCHEMA)?,
        Some(found) if found == target => return Ok(()),
        Some(found) => {
            let done = usize::try_from(found - 1).unwrap_or(0);
            for step in steps.iter().skip(done) {
                connection.run_script(step)?;
            }
        }
    }
    const RECORD: &str = "INSERT INTO schema_version (version, applied_at, checked_at) VALUES ($1, $2, $2)";
    connection.execute(RECORD, &[target.into(), now.into()])?;
    Ok(())
}

fn refuse_newer(found: Option<i64>, target: i64) -> std::result::Result<(), Fault> {
    match found {
        Some(found) if found > target => Err(Fault::bare(format!(
            "it has schema {found}, this till knows schemas up to {target}: use the newer till, or restore a \
             backup made before it ran"
        ))),
        _ => Ok(()),
    }
}

/// The newest version recorded; `None` in an empty database.
fn version(tx: &mut dyn Tx) -> std::result::Result<Option<i64>, Fault> {
    // The one look at the engine's own catalogue: our tables cannot be asked before they are there. What Litestream
    // adds for itself does not make a database ours, nor foreign.
    const TABLES: &str = "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE '\\_litestream\\_%' ESCAPE '\\' ORDER BY name LIMIT 100";
    const NEWEST: &str = "SELECT version FROM schema_version ORDER BY version DESC LIMIT 1";
    let tables = tx.query(TABLES, &[])?.iter().map(|row| row.text(0)).collect::<std::result::Result<Vec<_>, _>>()?;
    if tables.is_empty() {
        return Ok(None);
    }
    if !tables.iter().any(|name| name == "schema_version") {
        return Err(Fault::bare(format!(
            "it is another program's database (it has a table {}): {ANOTHER_FILE}",
            tables[0]
        )));
    }
    tx.query_one(NEWEST, &[])?.as_ref().map(|row: &Row| row.int(0)).transpose()
}

/// A small write that proves the disk takes writes.
pub(super) fn touch(tx: &mut dyn Tx, now: Timestamp) -> Result<()> {
    const TOUCH: &str = "UPDATE schema_version SET checked_at = $1 WHERE version = $2";
    match tx.execute(TOUCH, &[now.into(), VERSION.into()])? {
        1 => Ok(()),
        _ => Err(Fault::bare(format!("the database's schema is no longer {VERSION}")).into()),
    }
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

    fn migrate(connection: &mut Connection, steps: &[&str]) -> std::result::Result<(), Fault> {
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
