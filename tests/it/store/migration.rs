//! A database of an older version becomes what a new one is, with everything in it.

use rusqlite::Connection;
use till::clock::Clock;
use till::store::Store;

use super::NOW;
use crate::harness::Folder;

/// The schema as version 1 was.
const VERSION_1: &str = include_str!("schema_1.sql");

const STORY: &str = "
    INSERT INTO schema_version (version, applied_at, checked_at) VALUES (1, 0, 0);
    INSERT INTO users (account, id, created_at) VALUES (1, 'alice', 0);
    INSERT INTO accounts (account, remaining, held, credited, entries, head, next_expiry)
        VALUES (1, 70, 0, 100, 2, zeroblob(32), 5);
    INSERT INTO entries (account, seq, kind, delta, balance_after, reason, note, expires_at, created_at, previous)
        VALUES (1, 1, 'grant', 100, 100, 'grant_1', 'a gift', 5, 0, zeroblob(32)),
               (1, 2, 'spend', -30, 70, 'spend_1', NULL, NULL, 0, randomblob(32));
    INSERT INTO lots (account, seq, units, remaining, held, expired, expires_at) VALUES (1, 1, 100, 70, 0, 0, 5);";

fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What the schema is, told by SQLite: columns of tables, indexes with their columns, references, triggers.
fn shape(connection: &Connection) -> Vec<String> {
    rows(
        connection,
        "SELECT t.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' ' || COALESCE(c.dflt_value, '')
            FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type = 'table'
        UNION ALL SELECT i.tbl_name || ' ' || i.name || ' ' || x.seqno || ' ' || COALESCE(x.name, '') || ' ' || COALESCE(replace(i.sql, char(10), ''), '')
            FROM sqlite_schema i, pragma_index_info(i.name) x WHERE i.type = 'index'
        UNION ALL SELECT t.name || ' refers ' || f.\"table\" || ' ' || f.\"from\" || ' ' || f.\"to\"
            FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
        UNION ALL SELECT tbl_name || ' ' || name || ' ' || sql FROM sqlite_schema WHERE type = 'trigger'
        ORDER BY 1",
    )
}

/// The conditions that a table checks, in order, without comments and spaces.
fn checks(connection: &Connection) -> Vec<String> {
    let texts = rows(connection, "SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let bare = |text: &String| {
        let lines = text.lines().map(|line| line.split("--").next().unwrap());
        let text: String = lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace()).collect();
        let mut checks: Vec<_> =
            text.split("CHECK").skip(1).map(|check| check.trim_end_matches(&[',', ')'][..]).to_owned()).collect();
        checks.sort();
        checks.concat()
    };
    texts.iter().map(bare).collect()
}

#[test]
fn an_older_database_becomes_what_a_new_one_is_and_keeps_what_is_in_it() {
    let folder = Folder::new();
    let (old, new) = (folder.path("old.db"), folder.path("new.db"));
    let before = Connection::open(&old).unwrap();
    before.execute_batch(VERSION_1).unwrap();
    before.execute_batch(STORY).unwrap();
    let entries =
        "SELECT account || kind || delta || reason || COALESCE(note, '') || hex(previous) FROM entries ORDER BY seq";
    let written = rows(&before, entries);
    drop(before);

    for path in [&old, &old, &new] {
        drop(Store::open(path, &Clock::manual(NOW)).unwrap());
    }
    let (old, new) = (Connection::open(&old).unwrap(), Connection::open(&new).unwrap());
    assert_eq!(shape(&old), shape(&new));
    assert_eq!(rows(&old, entries), written);
    assert_eq!(rows(&old, "SELECT remaining || ' ' || next_due || ' ' || holds FROM accounts"), ["70 5 0"]);
    assert_eq!(rows(&old, "SELECT CAST(version AS TEXT) FROM schema_version ORDER BY version"), ["1", "2"]);
    let refused = old.execute_batch("UPDATE entries SET delta = 1").unwrap_err().to_string();
    assert!(refused.contains("never changed"), "{refused}");
    assert_eq!(checks(&old), checks(&new));
}
