//! A database is set apart: its tables move into a schema of their own, new ones are made in their place, and some rows are carried
//! over, all in one transaction.

use std::time::Duration;

use super::locks;
use super::schema;
use super::session::{Session, fields};
use super::session_tx::SessionTx;
use crate::clock::Timestamp;
use crate::error::{Error, Fault, Result};
use crate::store::db::fault::DbResult;
use crate::store::db::rows::{TablePart, quoted};
use crate::store::db::tx::Tx;

/// How long a statement may take that changes all tables.
const PATIENCE: Duration = Duration::from_mins(10);
/// What the schema with the old tables is called as long as the transaction lasts.
const APART: &str = "apart";
/// The statements that move what is ours; what an extension made stays.
const MOVES: &str = "SELECT statement FROM (
    SELECT format('ALTER %s %I SET SCHEMA apart', CASE c.relkind WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END, c.relname)
            AS statement, c.oid FROM pg_class c
        WHERE c.relnamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND c.relkind IN ('r', 'p', 'v')
    UNION ALL SELECT format('ALTER FUNCTION %s SET SCHEMA apart', p.oid::regprocedure), p.oid FROM pg_proc p
        WHERE p.pronamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema())
    ) AS move WHERE NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.objid = move.oid AND d.deptype = 'e')
    ORDER BY statement";
/// The rules of the old tables look at the old tables.
const RULES: &str =
    "SELECT format('ALTER FUNCTION %s SET search_path = %I', p.oid::regprocedure, n.nspname) AS statement
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace WHERE n.nspname = ";

/// Sets everything apart in a schema of this name, and begins again: `carried` are carried over with all their rows, and then
/// `fill` writes, which may read the old tables as `apart`.
pub(super) fn begin_again(
    session: &mut Session,
    name: &str,
    now: Timestamp,
    carried: &[TablePart],
    fill: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
) -> Result<()> {
    session.allow(PATIENCE)?;
    session.transaction(&locks::begin_of_books(), |session| {
        let needed =
            "the role needs the right CREATE on the database to set the test data apart in a schema of its own";
        session.simple(&format!("CREATE SCHEMA {APART}")).map_err(|cause| Fault::new(needed, cause))?;
        run_each(session, MOVES)?;
        schema::make_new(session, now)?;
        for part in carried {
            session.simple(&part.carried("", &format!("{APART}.")))?;
        }
        fill(&mut SessionTx::writing(session))?;
        session.simple(&format!("ALTER SCHEMA {APART} RENAME TO {}", quoted(name)))?;
        run_each(session, &format!("{RULES}'{}'", name.replace('\'', "''"))).map_err(Error::from)
    })
}

/// Runs the statements that a statement writes.
fn run_each(session: &mut Session, writes: &str) -> DbResult<()> {
    for statement in fields(&session.simple(writes)?, "statement") {
        session.simple(&statement)?;
    }
    Ok(())
}
