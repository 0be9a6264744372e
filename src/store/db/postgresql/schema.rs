//! Which schema a database of the server has, and how it is made.

use super::failure::Failure;
use super::locks;
use super::session::Session;
use crate::clock::Timestamp;
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::schema::{NO_VERSION, SCHEMA, VERSION, refuse_newer};
use crate::store::db::schema_text;

/// Whether there is nothing in it. Fails if it is another program's.
pub(super) fn is_empty(session: &mut Session) -> DbResult<bool> {
    Ok(version(session)?.is_none())
}

/// Makes the schema in an empty database. A database that is not ours, or newer than this program, is left as it is. Of several
/// processes that begin at once, one makes it.
pub(super) fn bring_up_to_date(session: &mut Session, now: Timestamp) -> DbResult<()> {
    if version(session)?.is_some() {
        return check(session);
    }
    session.transaction("BEGIN", |session| make(session, now)).map_err(|fault| match session.take_failure() {
        Some(Failure::Final) => {
            let needed = "the role in SPRITE_DATABASE needs the right to make tables there: GRANT CREATE ON SCHEMA public \
                TO the role, or let it own the database";
            Fault::new(format!("the tables cannot be made ({needed})"), fault)
        }
        _ => fault,
    })
}

fn make(session: &mut Session, now: Timestamp) -> DbResult<()> {
    session.simple(&locks::hold_in_transaction(locks::SCHEMA))?;
    if version(session)?.is_some() {
        return check(session);
    }
    make_new(session, now)
}

/// Makes the tables where there are none. Inside a transaction.
pub(super) fn make_new(session: &mut Session, now: Timestamp) -> DbResult<()> {
    for statement in schema_text::postgresql(SCHEMA) {
        session.simple(&statement)?;
    }
    const RECORD: &str = "INSERT INTO schema_version (version, applied_at, checked_at) VALUES ($1, $2, $2)";
    session.execute(RECORD, &[&VERSION, &now])?;
    Ok(())
}

fn check(session: &mut Session) -> DbResult<()> {
    let found = version(session)?;
    refuse_newer(found, VERSION)?;
    match found {
        Some(found) if found < VERSION => Err(Fault::bare(format!(
            "it has schema {found}, and this till has no way from there to its own, {VERSION}"
        ))),
        _ => Ok(()),
    }
}

/// The newest version recorded; `None` where there is no table.
fn version(session: &mut Session) -> DbResult<Option<i64>> {
    const TABLES: &str = "SELECT tablename AS name FROM pg_catalog.pg_tables WHERE schemaname = current_schema()
        ORDER BY tablename LIMIT 1000";
    const OWN: &str = "SELECT current_schema() AS name";
    const NEWEST: &str = "SELECT version FROM schema_version ORDER BY version DESC LIMIT 1";
    let mut own = None;
    session.query(OWN, &[], false, &mut |row| {
        own = row.text_or_null("name")?;
        Ok(())
    })?;
    if own.is_none() {
        let needed = "GRANT USAGE, CREATE ON SCHEMA public TO the role, or let it own the database";
        return Err(Fault::bare(format!("the role in SPRITE_DATABASE may use no schema of it: {needed}")));
    }
    let mut tables = vec![];
    session.query(TABLES, &[], false, &mut |row| {
        tables.push(row.text("name")?);
        Ok(())
    })?;
    let Some(first) = tables.first() else { return Ok(None) };
    if !tables.iter().any(|name| name == "schema_version") {
        return Err(Fault::bare(format!(
            "it is another program's database (it has a table {first}): name one that is empty, or make one (createdb)"
        )));
    }
    let mut newest = None;
    session.query(NEWEST, &[], false, &mut |row| {
        newest = Some(row.int("version")?);
        Ok(())
    })?;
    newest.map(Some).ok_or_else(|| Fault::bare(NO_VERSION))
}
