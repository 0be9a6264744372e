//! The database itself: the engine, its one writing and its reading connections, the schema, and what tells whether
//! something that was read is still true. No table of ours is named here but `schema_version`, `figures`, and those
//! whose changes make a cached answer untrue (`changes`).

mod changes;
mod checkpoint;
mod fault;
mod figures;
mod file_system;
mod freshness;
mod lock;
#[cfg(not(feature = "postgres"))]
#[path = "without_postgresql.rs"]
mod postgresql;
#[cfg(feature = "postgres")]
mod postgresql;
mod read_ahead;
mod rows;
mod schema;
#[cfg_attr(not(feature = "postgres"), allow(dead_code, reason = "no server takes its text then"))]
mod schema_text;
mod server_report;
mod sqlite;
mod time_record;
mod tx;
mod value;
mod writer;

pub use changes::{CacheKey, ReadVersion};
pub use fault::DbResult;
pub use figures::{Amounts, AmountsByDay, FIGURES, Figure, FigureChange, add_to};
pub use file_system::FileSystemKind;
pub use lock::Lock;
pub use server_report::{ServerReport, Standbys};
pub use tx::{Engine, Tx};
pub use value::{Columns, Param, Row, Value};
pub use writer::{AccountName, Scope, WriterFigures};

pub(super) use changes::ChangeLog;
pub(super) use checkpoint::Checkpoints;
pub(super) use fault::unavailable;
pub(super) use file_system::{is_full, kind as file_system_kind, space, unsafe_kind};
pub(super) use freshness::Freshness;
pub(super) use postgresql::{Server, ServerReaders};
pub(super) use read_ahead::{DiskReads, ReadAhead};
pub(super) use rows::{OwnedRow, Rows, TablePart, key_text, parse_key};
pub(super) use schema::{
    begin_again, bring_up_to_date, confirmed_at, is_empty, objects_made, record_check, record_confirmed, seen_at,
    table_parts,
};
pub(super) use sqlite::{
    Connection, FileRows, FileWriter, OpenedFiles, Reader, Readers, SchemaObject, damage, dangling, free_pages,
    give_back, objects,
};
pub(super) use writer::Writer;
