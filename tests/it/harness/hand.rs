//! A hand in the books past till, as another program or a thief has one: on either engine, in SQLite's words.

use postgres::SimpleQueryMessage;
use postgres::error::SqlState;
use rusqlite::config::DbConfig;
use rusqlite::types::ValueRef;

use super::postgres::Postgres;
use super::wait::PATIENCE;

/// A connection past till.
pub enum Hand {
    /// To a file of SQLite's.
    File(rusqlite::Connection),
    /// To a database of PostgreSQL's.
    Server(std::cell::RefCell<postgres::Client>),
}

impl Hand {
    /// To the books at `place`, as `SPRITE_DATABASE` names it.
    pub fn open(place: &str) -> Hand {
        let Some(database) = database(place) else {
            let connection = rusqlite::Connection::open(place).unwrap();
            connection.busy_timeout(PATIENCE).unwrap();
            return Hand::File(connection);
        };
        Hand::Server(Postgres::get().connect("till", database).into())
    }

    /// The same, which no trigger and no check of a reference stops.
    pub fn open_unbound(place: &str) -> Hand {
        let hand = match database(place) {
            Some(database) => Hand::Server(Postgres::get().connect("postgres", database).into()),
            None => Hand::open(place),
        };
        match &hand {
            Hand::File(connection) => {
                connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_TRIGGER, false).unwrap();
                hand.run("PRAGMA synchronous = OFF; PRAGMA foreign_keys = OFF; PRAGMA ignore_check_constraints = ON;");
            }
            Hand::Server(_) => hand.run("SET session_replication_role = replica"),
        }
        hand
    }

    /// Whether they are in a file.
    pub fn is_in_a_file(&self) -> bool {
        matches!(self, Hand::File(_))
    }

    /// The names of all tables.
    pub fn tables(&self) -> Vec<String> {
        self.column(match self {
            Hand::File(_) => {
                "SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY 1"
            }
            Hand::Server(_) => "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1",
        })
    }

    /// The names of a table's columns.
    pub fn columns(&self, table: &str) -> Vec<String> {
        self.column(&match self {
            Hand::File(_) => format!("SELECT name FROM pragma_table_info('{table}')"),
            Hand::Server(_) => {
                format!("SELECT column_name FROM information_schema.columns WHERE table_name = '{table}'")
            }
        })
    }

    /// All rows of these tables.
    pub fn dump(&self, tables: &[&str]) -> Vec<Vec<String>> {
        tables.iter().flat_map(|table| self.rows(&format!("SELECT * FROM {table} ORDER BY 1, 2, 3"))).collect()
    }

    /// Each value of each table.
    pub fn everything(&self) -> Vec<String> {
        self.tables().iter().flat_map(|table| self.rows(&format!("SELECT * FROM {table}"))).flatten().collect()
    }

    /// How to plant a trigger `planted` on a table, and how to remove it.
    pub fn trigger(&self, table: &str) -> [String; 2] {
        match self {
            Hand::File(_) => [
                format!("CREATE TRIGGER planted AFTER UPDATE ON {table} BEGIN SELECT 1; END"),
                "DROP TRIGGER planted".to_owned(),
            ],
            Hand::Server(_) => [
                format!(
                    "CREATE TRIGGER planted BEFORE UPDATE ON {table} FOR EACH ROW
                        EXECUTE FUNCTION suppress_redundant_updates_trigger()"
                ),
                format!("DROP TRIGGER planted ON {table}"),
            ],
        }
    }

    /// Runs these statements.
    #[track_caller]
    pub fn run(&self, script: &str) {
        self.attempt(script).unwrap_or_else(|why| panic!("{script}: {why}"));
    }

    /// The same; what the database said against it.
    pub fn attempt(&self, script: &str) -> Result<(), String> {
        match self {
            Hand::File(connection) => connection.execute_batch(script).map_err(|error| error.to_string()),
            Hand::Server(client) => {
                let done = client.borrow_mut().batch_execute(&translated(script));
                if done.is_err() {
                    // The script may have begun a transaction.
                    client.borrow_mut().batch_execute("ROLLBACK").unwrap();
                }
                done.map_err(|error| words(&error))
            }
        }
    }

    /// How many rows this one statement changes.
    #[track_caller]
    pub fn change(&self, sql: &str) -> u64 {
        match self {
            Hand::File(connection) => connection.execute(sql, []).map(|rows| rows as u64).unwrap(),
            Hand::Server(client) => client.borrow_mut().execute(&translated(sql), &[]).unwrap(),
        }
    }

    /// All rows, each value as text. Bytes are `\x` and their digits; what is absent is the word `NULL`.
    #[track_caller]
    pub fn rows(&self, sql: &str) -> Vec<Vec<String>> {
        match self {
            Hand::File(connection) => {
                let mut statement = connection.prepare(sql).unwrap_or_else(|why| panic!("{sql}: {why}"));
                let columns = statement.column_count();
                let row = |row: &rusqlite::Row<'_>| (0..columns).map(|at| Ok(text(row.get_ref(at)?))).collect();
                statement.query_map([], row).unwrap().map(Result::unwrap).collect()
            }
            Hand::Server(client) => {
                let found = client.borrow_mut().simple_query(&translated(sql));
                let found = found.unwrap_or_else(|why| panic!("{sql}: {}", words(&why)));
                let row = |message| match message {
                    SimpleQueryMessage::Row(row) => {
                        Some((0..row.len()).map(|at| row.get(at).unwrap_or("NULL").to_owned()).collect())
                    }
                    _ => None,
                };
                found.into_iter().filter_map(row).collect()
            }
        }
    }

    /// The first column of all rows.
    #[track_caller]
    pub fn column(&self, sql: &str) -> Vec<String> {
        self.rows(sql).into_iter().map(|mut row| row.swap_remove(0)).collect()
    }

    /// The one value that there is.
    #[track_caller]
    pub fn text(&self, sql: &str) -> String {
        let found = self.column(sql);
        assert_eq!(found.len(), 1, "{sql}: {found:?}");
        found.into_iter().next().unwrap()
    }

    /// The same, a number.
    #[track_caller]
    pub fn number(&self, sql: &str) -> i64 {
        self.text(sql).parse().unwrap_or_else(|_| panic!("{sql}: {}", self.text(sql)))
    }
}

/// The name of the database that a connection string of ours ends in.
fn database(place: &str) -> Option<&str> {
    place.strip_prefix("postgres://")?.split_once('/')?.1.split('?').next()
}

fn text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("\\x{}", till::id::hex(bytes)),
    }
}

/// The few words of SQLite's that PostgreSQL has otherwise: bytes, and which transactions take turns.
fn translated(script: &str) -> String {
    let script = script.replace("BEGIN IMMEDIATE", "BEGIN").replace("BEGIN EXCLUSIVE", "BEGIN");
    let script = script.replace("randomblob(32)", "sha256(random()::text::bytea)");
    let mut parts = script.split("zeroblob(");
    let mut whole = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (length, rest) = part.split_once(')').unwrap();
        whole += &format!("decode(repeat('00', {length}), 'hex'){rest}");
    }
    // A literal of bytes, and no word that ends in x.
    whole.replace(" x'", " '\\x")
}

/// What PostgreSQL says, after SQLite's words for the same.
fn words(error: &postgres::Error) -> String {
    let Some(said) = error.as_db_error() else { return error.to_string() };
    let first = match *said.code() {
        SqlState::UNIQUE_VIOLATION => "UNIQUE constraint failed",
        SqlState::CHECK_VIOLATION => "CHECK constraint failed",
        SqlState::NOT_NULL_VIOLATION => "NOT NULL constraint failed",
        SqlState::FOREIGN_KEY_VIOLATION => "FOREIGN KEY constraint failed",
        SqlState::UNDEFINED_TABLE => "no such table",
        SqlState::INVALID_TEXT_REPRESENTATION => "cannot store TEXT",
        SqlState::NUMERIC_VALUE_OUT_OF_RANGE => "cannot store REAL",
        _ => "",
    };
    format!("{first}: {said}")
}
