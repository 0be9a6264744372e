//! What the server itself knows of a database: the definitions of its tables, indexes, triggers, views and functions, and rows
//! that refer to nothing.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use super::session::{Session, field};
use super::wording::flattened;
use crate::error::Fault;
use crate::store::db::fault::DbResult;
use crate::store::db::schema::SCHEMA;
use crate::store::db::schema_text;
use crate::store::db::sqlite::SchemaObject;

/// What is in the present schema, each with the statement or the words that define it; without what belongs to an extension. Each
/// part reads its catalogue once: a look-up for each row would take as long as all of it.
const OBJECTS: &str = "WITH here AS (SELECT oid, quote_ident(nspname) || '.' AS prefix FROM pg_namespace
        WHERE nspname = current_schema()),
    columns AS (SELECT a.attrelid, string_agg(concat_ws(' ', a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
            COALESCE(pg_get_expr(d.adbin, d.adrelid), ''), a.attcollation::regcollation, a.attidentity, a.attgenerated), ', '
            ORDER BY a.attnum) AS words
        FROM pg_attribute a LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attrelid IN (SELECT oid FROM pg_class WHERE relnamespace = (SELECT oid FROM here)
            AND relkind IN ('r', 'p', 'f')) AND a.attnum > 0 AND NOT a.attisdropped GROUP BY a.attrelid),
    enforcers AS (SELECT tgconstraint, string_agg(tgenabled::text, '' ORDER BY tgenabled) AS words FROM pg_trigger
        WHERE tgisinternal GROUP BY tgconstraint)
    SELECT kind, name, owner, sql FROM (
    SELECT 'table' AS kind, c.relname::text AS name, c.relname::text AS owner, concat_ws(' ', c.relkind, c.relpersistence,
            c.relrowsecurity, c.relforcerowsecurity, a.words) AS sql
        FROM pg_class c LEFT JOIN columns a ON a.attrelid = c.oid
        WHERE c.relnamespace = (SELECT oid FROM here) AND c.relkind IN ('r', 'p', 'f')
            AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
    UNION ALL SELECT 'view', c.relname::text, c.relname::text, c.relkind::text || ' ' || pg_get_viewdef(c.oid)
        FROM pg_class c WHERE c.relnamespace = (SELECT oid FROM here) AND c.relkind IN ('v', 'm')
            AND c.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_class'::regclass AND deptype = 'e')
    UNION ALL SELECT 'index', i.relname::text, t.relname::text, replace(pg_get_indexdef(x.indexrelid), h.prefix, '')
        FROM here h JOIN pg_class i ON i.relnamespace = h.oid JOIN pg_index x ON i.oid = x.indexrelid
            JOIN pg_class t ON t.oid = x.indrelid WHERE x.indisvalid
    UNION ALL SELECT 'constraint', k.conname::text, t.relname::text,
            replace(pg_get_constraintdef(k.oid), h.prefix, '') || ' ' || COALESCE(e.words, '')
        FROM here h JOIN pg_constraint k ON k.connamespace = h.oid JOIN pg_class t ON t.oid = k.conrelid
            LEFT JOIN enforcers e ON e.tgconstraint = k.oid WHERE k.convalidated AND k.contype <> 'n'
    UNION ALL SELECT 'trigger', g.tgname::text, t.relname::text,
            replace(pg_get_triggerdef(g.oid), h.prefix, '') || ' ' || g.tgenabled::text
        FROM here h JOIN pg_class t ON t.relnamespace = h.oid JOIN pg_trigger g ON t.oid = g.tgrelid
        WHERE NOT g.tgisinternal
    UNION ALL SELECT 'rule', r.rulename::text, t.relname::text, pg_get_ruledef(r.oid) || ' ' || r.ev_enabled::text
        FROM pg_rewrite r JOIN pg_class t ON t.oid = r.ev_class
        WHERE t.relnamespace = (SELECT oid FROM here) AND (r.rulename <> '_RETURN' OR r.ev_enabled <> 'O')
    UNION ALL SELECT 'policy', p.polname::text, t.relname::text, concat_ws(' ', p.polcmd, p.polpermissive,
            pg_get_expr(p.polqual, p.polrelid), pg_get_expr(p.polwithcheck, p.polrelid))
        FROM pg_policy p JOIN pg_class t ON t.oid = p.polrelid WHERE t.relnamespace = (SELECT oid FROM here)
    UNION ALL SELECT 'child table', i.inhrelid::regclass::text, t.relname::text, ''
        FROM pg_inherits i JOIN pg_class t ON t.oid = i.inhparent
        WHERE t.relnamespace = (SELECT oid FROM here) AND t.relkind IN ('r', 'p', 'f')
    UNION ALL SELECT 'parent table', i.inhparent::regclass::text, t.relname::text, ''
        FROM pg_inherits i JOIN pg_class t ON t.oid = i.inhrelid
        WHERE t.relnamespace = (SELECT oid FROM here) AND t.relkind IN ('r', 'p', 'f')
    UNION ALL SELECT 'function', p.proname::text, p.proname::text, CASE WHEN p.prokind IN ('f', 'p')
            THEN replace(pg_get_functiondef(p.oid), h.prefix, '') ELSE p.prokind::text || p.prosrc END
        FROM here h JOIN pg_proc p ON p.pronamespace = h.oid
            AND p.oid NOT IN (SELECT objid FROM pg_depend WHERE classid = 'pg_proc'::regclass AND deptype = 'e')
    ) AS object ORDER BY kind, owner, name";

/// Settings that switch off triggers and the checks of references: of this connection, and what a role or a database is given with
/// every new one.
const UNBOUND: &str =
    "SELECT 'session_replication_role = ' || setting AS name, 'this connection' AS owner FROM pg_settings
        WHERE name = 'session_replication_role' AND setting <> 'origin'
    UNION ALL SELECT s.setting, concat_ws(' in ', 'the role ' || r.rolname, 'the database ' || d.datname)
        FROM pg_db_role_setting g LEFT JOIN pg_roles r ON r.oid = g.setrole
            LEFT JOIN pg_database d ON d.oid = g.setdatabase, unnest(g.setconfig) AS s (setting)
        WHERE (g.setdatabase = 0 OR d.datname = current_database())
            AND s.setting LIKE 'session\\_replication\\_role=%' AND s.setting <> 'session_replication_role=origin'
    ORDER BY owner, name";

/// Each reference between tables, as the query that counts the rows which refer to nothing.
const REFERENCES: &str = "SELECT c.relname::text AS child, p.relname::text AS parent, format(
        'SELECT COUNT(*) AS count FROM %I c WHERE %s AND NOT EXISTS (SELECT 1 FROM %I p WHERE %s)', c.relname,
        string_agg(format('c.%I IS NOT NULL', f.attname), ' AND '), p.relname,
        string_agg(format('p.%I = c.%I', t.attname, f.attname), ' AND ')) AS query
    FROM pg_constraint k JOIN pg_class c ON c.oid = k.conrelid JOIN pg_class p ON p.oid = k.confrelid,
        unnest(k.conkey, k.confkey) AS pair (ours, theirs)
        JOIN pg_attribute f ON f.attnum = pair.ours JOIN pg_attribute t ON t.attnum = pair.theirs
    WHERE k.contype = 'f' AND k.connamespace = (SELECT oid FROM pg_namespace WHERE nspname = current_schema()) AND f.attrelid = k.conrelid
        AND t.attrelid = k.confrelid
    GROUP BY k.oid, c.relname, p.relname ORDER BY c.relname, p.relname";

/// The schema in which the objects are made to be compared, and which is never kept.
const SCRATCH: &str = "till_compared";

/// The objects of the database.
pub(super) fn objects(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    let rows = session.simple(OBJECTS)?;
    let object = |row| {
        let text = |name| field(std::slice::from_ref(row), name).unwrap_or_default().to_owned();
        // A function's body is kept as it was written.
        let sql = if text("kind") == "function" { text("sql") } else { flattened(&text("sql")) };
        SchemaObject { kind: text("kind"), name: text("name"), table: text("owner"), sql }
    };
    Ok(rows.iter().map(object).collect())
}

/// Settings by which rows could be written past triggers and references: none of them is ever made by this program.
pub(super) fn unbound_settings(session: &mut Session) -> DbResult<Vec<SchemaObject>> {
    let rows = session.simple(UNBOUND)?;
    let setting = |row| {
        let text = |name| field(std::slice::from_ref(row), name).unwrap_or_default().to_owned();
        SchemaObject { kind: "setting".to_owned(), name: text("name"), table: text("owner"), sql: String::new() }
    };
    Ok(rows.iter().map(setting).collect())
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
    let rows = session.simple("SELECT has_database_privilege(current_database(), 'CREATE') AS may_create")?;
    if field(&rows, "may_create") == Some("f") {
        let needed = "the role needs the right CREATE on the database for this proof, as its owner has it: \
            GRANT CREATE ON DATABASE … TO the role";
        return Err(Fault::bare(format!("the schema cannot be compared: {needed}")));
    }
    session.simple("BEGIN")?;
    let made = make_apart(session);
    let ended = session.simple("ROLLBACK");
    let made = made.map_err(|cause| Fault::new("the schema cannot be compared", cause))?;
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
