//! The rows of a server's database. They are added in bulk (PostgreSQL, "COPY", binary format), which fires the same triggers and
//! checks as single rows do.

use postgres::binary_copy::BinaryCopyInWriter;
use postgres::fallible_iterator::FallibleIterator;
use postgres::types::{ToSql, Type};

use super::session::{Connector, Purpose, Session, field};
use super::session_tx::SessionTx;
use super::statement::BoundValue;
use crate::error::Result;
use crate::store::db::fault::DbResult;
use crate::store::db::rows::{ColumnKind, OwnedRow, OwnedValue, PageInProgress, Rows, TablePart, quoted};
use crate::store::db::tx::Tx;
use crate::store::db::value::Param;

/// The keys say where a page begins and what a row refers to. While tables grow from nothing the server's statistics say
/// otherwise, and it would read them whole for each row.
const SET_UP: &str = "SET enable_seqscan = off; SET enable_sort = off; SET enable_bitmapscan = off; SET jit = off;
    SET statement_timeout = '10min'; SET idle_in_transaction_session_timeout = '1min'";

/// The rows of a server's database.
pub(in crate::store) struct ServerRows {
    session: Session,
}

impl ServerRows {
    pub(super) fn open(connector: &Connector) -> DbResult<ServerRows> {
        let mut session = connector.connect(Purpose::Writing)?;
        session.simple(SET_UP)?;
        Ok(ServerRows { session })
    }
}

fn copy_in(session: &mut Session, part: &TablePart, rows: &[OwnedRow]) -> DbResult<()> {
    let sql = format!("COPY {} ({}) FROM STDIN (FORMAT binary)", quoted(&part.table), part.column_list());
    let kind = |kind: ColumnKind| match kind {
        ColumnKind::Int => Type::INT8,
        ColumnKind::Text => Type::TEXT,
        ColumnKind::Blob => Type::BYTEA,
    };
    let kinds: Vec<Type> = part.columns.iter().map(|(_, of)| kind(*of)).collect();
    let client = session.client();
    let copied = client.copy_in(&sql).and_then(|copy| {
        let mut copy = BinaryCopyInWriter::new(copy, &kinds);
        for row in rows {
            let values: Vec<BoundValue<'_>> = row.iter().map(|value| BoundValue(value.value())).collect();
            let values: Vec<&(dyn ToSql + Sync)> = values.iter().map(|value| value as _).collect();
            copy.write(&values)?;
        }
        copy.finish().map(drop)
    });
    copied.map_err(|cause| session.failed(&format!("rows of {} cannot be added", part.name()), cause))
}

impl Rows for ServerRows {
    fn page(&mut self, part: &TablePart, after: Option<&[OwnedValue]>) -> DbResult<Vec<OwnedRow>> {
        let what = format!("{} cannot be read", part.name());
        let sql = part.page(after.is_none(), |number| format!("${number}"));
        let values = after.unwrap_or_default().iter().map(|value| BoundValue(value.value()));
        let values: Vec<BoundValue<'_>> = values.collect();
        let mut page = PageInProgress::default();
        let mut read = |client: &mut postgres::Client| -> std::result::Result<DbResult<()>, postgres::Error> {
            let mut found = client.query_raw(&sql, values.iter().map(|value| value as &(dyn ToSql + Sync)))?;
            while let Some(row) = found.next()? {
                if let Err(fault) = page.add(&row, part.columns.len()) {
                    return Ok(Err(fault));
                }
                if page.is_full() {
                    break;
                }
            }
            Ok(Ok(()))
        };
        let read = read(self.session.client());
        read.map_err(|cause| self.session.failed(&what, cause))??;
        Ok(page.rows)
    }

    fn add(
        &mut self,
        part: &TablePart,
        rows: &[OwnedRow],
        then: &mut dyn FnMut(&mut dyn Tx) -> Result<()>,
    ) -> Result<()> {
        self.session.transaction("BEGIN", |session| {
            copy_in(session, part, rows)?;
            then(&mut SessionTx::writing(session))
        })
    }

    fn count(&mut self, part: &TablePart) -> DbResult<i64> {
        let rows = self.session.simple(&part.counted())?;
        Ok(field(&rows, "count").and_then(|count| count.parse().ok()).unwrap_or(0))
    }

    fn unfit(&mut self, _part: &TablePart) -> DbResult<Option<OwnedRow>> {
        // This engine keeps no text that SQLite does not.
        Ok(None)
    }

    fn settle(&mut self) -> DbResult<()> {
        // What is read next is read by statements that were planned for empty tables otherwise.
        self.session.simple("ANALYZE").map(drop)
    }
}
