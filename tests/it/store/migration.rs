//! A database of an older version becomes what a new one is, with everything in it.

use rusqlite::Connection;
use till::clock::Clock;
use till::store::Store;

use super::NOW;
use crate::harness::Folder;

/// The schema as each older version was, and what was in it.
const VERSIONS: [(&str, &[&str]); 2] =
    [(include_str!("schema_1.sql"), &[STORY_1]), (include_str!("schema_2.sql"), &[STORY_2, PLANS, HOOKS])];

const STORY_1: &str = "
    INSERT INTO schema_version (version, applied_at, checked_at) VALUES (1, 0, 0);
    INSERT INTO users (account, id, created_at) VALUES (1, 'alice', 0);
    INSERT INTO accounts (account, remaining, held, credited, entries, head, next_expiry)
        VALUES (1, 70, 0, 100, 2, zeroblob(32), 5);
    INSERT INTO entries (account, seq, kind, delta, balance_after, reason, note, expires_at, created_at, previous)
        VALUES (1, 1, 'grant', 100, 100, 'grant_1', 'a gift', 5, 0, zeroblob(32)),
               (1, 2, 'spend', -30, 70, 'spend_1', NULL, NULL, 0, randomblob(32));
    INSERT INTO lots (account, seq, units, remaining, held, expired, expires_at) VALUES (1, 1, 100, 70, 0, 0, 5);";

const STORY_2: &str = "
    INSERT INTO schema_version (version, applied_at, checked_at) VALUES (2, 0, 0);
    INSERT INTO users (account, id, email, created_at) VALUES (1, 'alice', 'a@example.com', 0), (2, 'bob', NULL, 0);
    INSERT INTO accounts (account, remaining, held, credited, entries, head, next_due, front, front_free, holds, low_balance)
        VALUES (1, 70, 10, 100, 2, randomblob(32), 5, 1, 60, 1, 20), (2, 0, 0, 0, 0, zeroblob(32), NULL, NULL, NULL, 0, NULL);
    INSERT INTO entries (account, seq, kind, delta, balance_after, reason, note, lot, expires_at, created_at, previous)
        VALUES (1, 1, 'topup', 100, 100, 'topup_pi_1', 'a pack', NULL, 5, 0, zeroblob(32)),
               (1, 2, 'refund', -30, 70, 'refund_pi_1_1', NULL, 1, NULL, 0, randomblob(32));
    INSERT INTO payments (reference, account, kind, gave, taken, amount, currency, offer, out_of_band, refund_stated,
        reversals, paid_at) VALUES ('pi_1', 1, 'pack', 100, 30, 900, 'usd', 'topup_100', 0, 270, 1, 0);
    INSERT INTO refunds (id, payment, amount, state) VALUES ('re_1', 'pi_1', 270, 1);
    INSERT INTO lots (account, seq, units, remaining, held, expired, expires_at, payment)
        VALUES (1, 1, 100, 10, 10, 0, 5, 'pi_1');
    INSERT INTO holds (account, number, key, units, note, created_at, expires_at) VALUES (1, 1, 'k', 10, NULL, 0, 900);
    INSERT INTO hold_lots (account, number, lot, units) VALUES (1, 1, 1, 10);";

const PLANS: &str = "
    INSERT INTO subscriptions (id, account, status, offer, as_of, created_at) VALUES ('sub_1', 1, 'active', 'pro', 0, 0);
    INSERT INTO events (id, kind, livemode, body, created_at, received_at, status, detail, assigned_to, attempts, decided_at)
        VALUES ('evt_1', 'x', 0, '{}', 0, 0, 'applied', '', 1, 1, 0);
    INSERT INTO orders (id, account, offer, kind, units, amount, currency, price, request_body, created_at)
        VALUES ('ord_1', 1, 'topup_100', 'pack', 100, 900, 'usd', 'price_1', '', 0);";

const HOOKS: &str = "
    INSERT INTO hooks (id, url, kinds, secret, created_at) VALUES ('hook_1', 'https://example.com', '*', 'x', 0);
    INSERT INTO messages (number, id, account, kind, body, created_at) VALUES (1, 'msg_1', 1, 'user.topped_up', '{}', 0);
    INSERT INTO deliveries (message, hook, account, give_up_at) VALUES (1, 'hook_1', 1, 9);";

fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get(0)).unwrap();
    rows.map(Result::unwrap).collect()
}

/// What the schema is, told by SQLite: columns of tables and views, indexes with their columns, references, triggers.
fn shape(connection: &Connection) -> Vec<String> {
    rows(
        connection,
        "SELECT t.name || ' ' || c.name || ' ' || c.type || ' ' || c.\"notnull\" || ' ' || c.pk || ' ' || COALESCE(c.dflt_value, '')
            FROM sqlite_schema t, pragma_table_xinfo(t.name) c WHERE t.type IN ('table', 'view')
        UNION ALL SELECT name || ' ' || type || ' ' || wr || strict FROM pragma_table_list WHERE schema = 'main'
        UNION ALL SELECT i.tbl_name || ' ' || i.name || ' ' || x.seqno || ' ' || COALESCE(x.name, '') || ' ' || COALESCE(replace(replace(i.sql, char(10), ''), '\"', ''), '')
            FROM sqlite_schema i, pragma_index_info(i.name) x WHERE i.type = 'index'
        UNION ALL SELECT t.name || ' refers ' || f.\"table\" || ' ' || f.\"from\" || ' ' || f.\"to\"
            FROM sqlite_schema t, pragma_foreign_key_list(t.name) f WHERE t.type = 'table'
        UNION ALL SELECT tbl_name || ' ' || name || ' ' || sql FROM sqlite_schema WHERE type IN ('trigger', 'view')
        ORDER BY 1",
    )
}

/// The conditions that a table checks, in order, without comments, spaces and quotation marks.
fn checks(connection: &Connection) -> Vec<String> {
    let texts = rows(connection, "SELECT sql FROM sqlite_schema WHERE type = 'table' ORDER BY name");
    let bare = |text: &String| {
        let lines = text.lines().map(|line| line.split("--").next().unwrap());
        let text: String =
            lines.flat_map(str::chars).filter(|letter| !letter.is_whitespace() && *letter != '"').collect();
        let mut checks: Vec<_> =
            text.split("CHECK").skip(1).map(|check| check.trim_end_matches(&[',', ')'][..]).to_owned()).collect();
        checks.sort();
        checks.concat()
    };
    texts.iter().map(bare).collect()
}

/// All rows of the tables and views that both have, but for what version a database has.
fn everything(connection: &Connection, tables: &[String]) -> Vec<String> {
    let all = |table: &String| {
        let columns = rows(connection, &format!("SELECT 'quote(' || name || ')' FROM pragma_table_info('{table}')"));
        rows(connection, &format!("SELECT '{table} ' || {} FROM {table} ORDER BY 1", columns.join(" || ' ' || ")))
    };
    tables.iter().flat_map(all).collect()
}

fn tables(connection: &Connection) -> Vec<String> {
    rows(connection, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'schema_version' ORDER BY name")
}

#[test]
fn an_older_database_becomes_what_a_new_one_is_and_keeps_what_is_in_it() {
    for (version, (schema, stories)) in (1..).zip(VERSIONS) {
        let folder = Folder::new();
        let (old, new) = (folder.path("old.db"), folder.path("new.db"));
        let before = Connection::open(&old).unwrap();
        before.execute_batch(schema).unwrap();
        before.execute_batch(&stories.concat()).unwrap();
        let entries =
            "SELECT account || kind || delta || reason || COALESCE(note, '') || hex(previous) FROM entries ORDER BY 1";
        let written = rows(&before, entries);
        let tables = tables(&before);
        let all = everything(&before, &tables);
        drop(before);

        for path in [&old, &old, &new] {
            drop(Store::open(path, &Clock::manual(NOW)).unwrap());
        }
        let (old, new) = (Connection::open(&old).unwrap(), Connection::open(&new).unwrap());
        let (became, wanted) = (shape(&old), shape(&new));
        assert_eq!(became.iter().filter(|line| !wanted.contains(line)).collect::<Vec<_>>(), [""; 0], "too much");
        assert_eq!(wanted.iter().filter(|line| !became.contains(line)).collect::<Vec<_>>(), [""; 0], "missing");
        assert_eq!(checks(&old), checks(&new));
        assert_eq!(rows(&old, "PRAGMA integrity_check"), ["ok"]);
        assert_eq!(rows(&old, entries), written);
        let claims = "SELECT account || claim || entry FROM books WHERE claim > '=' ORDER BY 1";
        assert_eq!(rows(&old, claims), rows(&old, "SELECT account || reason || seq FROM entries ORDER BY 1"));
        if version == 2 {
            assert_eq!(everything(&old, &tables), all);
        } else {
            assert_eq!(rows(&old, "SELECT remaining || ' ' || next_due || ' ' || holds FROM accounts"), ["70 5 0"]);
        }
        let versions = rows(&old, "SELECT CAST(version AS TEXT) FROM schema_version ORDER BY version");
        assert_eq!(versions, [version.to_string(), "3".into()]);
        let refused = old.execute_batch("UPDATE books SET delta = 1").unwrap_err().to_string();
        assert!(refused.contains("never changed"), "{refused}");
    }
}
