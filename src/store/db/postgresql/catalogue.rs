//! What the server itself knows of a database: the definitions of its tables, indexes, triggers, views and functions, and rows
//! that refer to nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::session::{Session, field};
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::schema::SCHEMA;
use crate::store::db::schema_text;
use crate::store::db::sqlite::SchemaObject;

/// What is in the present schema, each with the statement or the words that define it; without what belongs to an extension.
const OBJECTS: &str = "SELECT kind, name, owner, sql FROM (
    SELECT 'table' AS kind, c.relname::text AS name, c.relname::text AS owner, (
        SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' ' || a.attnotnull::text || ' '
            || COALESCE(pg_get_expr(d.adbin, d.adrelid), ''), ', ' ORDER BY a.attnum)
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS sql
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('r', 'p')
            AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
    UNION ALL SELECT 'view', c.relname::text, c.relname::text, pg_get_viewdef(c.oid)
        FROM pg_class c WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind IN ('v', 'm')
            AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
    UNION ALL SELECT 'index', i.relname::text, t.relname::text,
            replace(pg_get_indexdef(x.indexrelid), current_schema() || '.', '')
        FROM pg_index x JOIN pg_class i ON i.oid = x.indexrelid JOIN pg_class t ON t.oid = x.indrelid
        WHERE i.relnamespace = current_schema()::regnamespace AND x.indisvalid
    UNION ALL SELECT 'constraint', k.conname::text, t.relname::text, pg_get_constraintdef(k.oid)
        FROM pg_constraint k JOIN pg_class t ON t.oid = k.conrelid
        WHERE k.connamespace = current_schema()::regnamespace AND k.convalidated AND k.contype <> 'n'
    UNION ALL SELECT 'trigger', g.tgname::text, t.relname::text,
            replace(pg_get_triggerdef(g.oid), current_schema() || '.', '') || ' ' || g.tgenabled::text
        FROM pg_trigger g JOIN pg_class t ON t.oid = g.tgrelid
        WHERE t.relnamespace = current_schema()::regnamespace AND NOT g.tgisinternal
    UNION ALL SELECT 'rule', r.rulename::text, t.relname::text, pg_get_ruledef(r.oid)
        FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
        WHERE t.relnamespace = current_schema()::regnamespace AND r.rulename <> '_RETURN'
    UNION ALL SELECT 'function', p.proname::text, p.proname::text, p.prosrc
        FROM pg_proc p WHERE p.pronamespace = current_schema()::regnamespace
            AND p.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e')
    ) AS object ORDER BY kind, owner, name";

/// Each reference between tables, as the query that counts the rows which refer to nothing.
const REFERENCES: &str = "SELECT c.relname::text AS child, p.relname::text AS parent, format(
        'SELECT COUNT(*) AS count FROM %I c WHERE %s AND NOT EXISTS (SELECT 1 FROM %I p WHERE %s)', c.relname,
        string_agg(format('c.%I IS NOT NULL', f.attname), ' AND '), p.relname,
        string_agg(format('p.%I = c.%I', t.attname, f.attname), ' AND ')) AS query
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid,
        unnest(k.conkey, k.confkey) AS pair (ours, theirs)
        JOIN pg_attribute f ON f.attnum = pair.ours JOIN pg_attribute t ON t.attnum = pair.theirs
    WHERE k.contype = 'f' AND k.connamespace = current_schema()::regnamespace AND f.attrelid = k.conrelid
        AND t.attrelid = k.confrelid
    GROUP BY k.oid, c.relname, p.relname ORDER BY c.relname, p.relname";

/// The schema in which the objects are made to be compared, and which is never kept.
const SCRATCH: &str = "till_compared";

/// The objects of the database.
pub(super) fn objects(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    let rows = session.simple(OBJECTS)?;
    let object = |row| {
        let text = |name| field(std::slice::from_ref(row), name).unwrap_or_default().to_owned();
        SchemaObject { kind: text("kind"), name: text("name"), table: text("owner"), sql: text("sql") }
    };
    Ok(rows.iter().map(object).collect())
}

/// What this program makes, by the version of the server that worded it: it is the same for all of a process' life.
static MADE: Mutex<BTreeMap<String, Vec<SchemaObject>>> = Mutex::new(BTreeMap::new());

/// The objects that this program makes, as this server words them.
pub(super) fn objects_made(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    let rows = session.simple("SELECT version() AS version")?;
    let version = field(&rows, "version").unwrap_or_default().to_owned();
    let mut known = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(made) = known.get(&version) {
        return Ok(made.clone());
    }
    let made = make_and_undo(session)?;
    known.insert(version, made.clone());
    Ok(made)
}

/// They are made in a schema of their own, in a transaction that is not kept.
fn make_and_undo(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    session.simple("BEGIN")?;
    let made = make_apart(session);
    let ended = session.simple("ROLLBACK");
    let made = made.map_err(|cause| {
        let needed = "the role needs the right CREATE on the database for this proof, as its owner has it";
        Fault::new(format!("the schema cannot be compared ({needed})"), cause)
    })?;
    ended.map(|_| made)
}

fn make_apart(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    session.simple(&format!("CREATE SCHEMA {SCRATCH}; SET LOCAL search_path = {SCRATCH}"))?;
    for statement in schema_text::postgresql(SCHEMA) {
        session.simple(&statement)?;
    }
    objects(session)
}

/// Tables with rows that refer to a row that does not exist, the table that they refer to, and how many there are.
pub(super) fn dangling(session: &mut Session) -> DbResult<Vec<(String, String, i64)>> {
    let references = session.simple(REFERENCES)?;
    let mut found = vec![];
    for reference in references {
        let text = |name| field(std::slice::from_ref(&reference), name).unwrap_or_default().to_owned();
        let counted = session.simple(&text("query"))?;
        let count = field(&counted, "count").and_then(|count| count.parse().ok()).unwrap_or(0);
        if count > 0 {
            found.push((text("child"), text("parent"), count));
        }
    }
    Ok(found)
}
