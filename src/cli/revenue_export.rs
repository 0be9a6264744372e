//! `till revenue export`: a month's movements of money, as CSV or JSON.

use std::io::Write;

use clap::Args;
use serde_json::{Value, json};

use super::output::{Stream, escaped};
use super::settings::confirm_account;
use super::{CommandError, CommandResult};
use crate::app::App;
use crate::clock::rfc3339;
use crate::error::{Fault, Result};
use crate::usecase::operator::bookkeeping::{self, MoneyMove, MoneySum};
use crate::usecase::operator::bookkeeping_file;

/// Write all that moved money in a month as CSV, for a bookkeeper
///
/// Payments, refunds, disputes and credit notes, each with what Stripe took for it, and a sum for each currency. What Stripe
/// moved comes first, the newest first, at Stripe's times, as it is in Stripe's balance transactions; then what credit notes
/// returned without a refund and what was marked as paid, which are not in the sums. gross is in the currency that was
/// charged; settled, fee and net are in the one in which Stripe settles, settled_currency. A key without the permission for
/// balance transactions (till stripe permissions) gives the file without fees, as the books know it, and says so in its last
/// line.
#[derive(Args)]
#[command(
    after_help = "Examples:\n  till revenue export --month 2026-11 > 2026-11.csv\n  till revenue export --month 2026-11 --json"
)]
pub(super) struct RevenueExport {
    /// The month, UTC, such as 2026-11
    #[arg(long, value_name = "YYYY-MM")]
    month: String,
    /// Print {"month","data":[…],"sums":[…],"not_in_books":[…],"without_fees"}; amounts are in the currency's minor unit
    #[arg(long)]
    json: bool,
}

impl RevenueExport {
    pub(super) fn run(&self, app: &App) -> CommandResult {
        if app.config.stripe.mode().is_some() {
            confirm_account(app)?;
        }
        let mut stream = Stream::open();
        let written = match self.json {
            true => write_json(app, &self.month, &mut stream),
            false => bookkeeping_file::write(app, &self.month, None, &mut stream),
        };
        written.map_err(|error| stream.error(CommandError::from(error)))
    }
}

/// One object, written row by row.
fn write_json(app: &App, month: &str, to: &mut Stream) -> Result<()> {
    let mut before = format!("{{\"month\":{},\"data\":[", json!(month));
    let closing = bookkeeping::of_month(app, month, None, &mut |moved| {
        put(to, &before, &as_json(moved))?;
        before = ",".to_owned();
        Ok(())
    })?;
    let sums = |sums: &std::collections::BTreeMap<String, MoneySum>, is_settled: bool| -> Value {
        sums.iter().map(|(currency, sum)| sum_as_json(currency, sum, is_settled)).collect()
    };
    let is_settled = closing.without_fees.is_none();
    // What came before the first row, where there was none.
    let opened = if before == "," { "" } else { before.as_str() };
    put(to, &format!("{opened}],\"sums\":"), &sums(&closing.sums, is_settled))?;
    put(to, ",\"not_in_books\":", &sums(&closing.not_in_books, true))?;
    put(to, ",\"without_fees\":", &json!(closing.without_fees))?;
    to.write_all(b"}\n").and_then(|()| to.flush()).map_err(failed)
}

fn put(to: &mut Stream, before: &str, value: &Value) -> Result<()> {
    to.write_all(before.as_bytes()).and_then(|()| to.write_all(escaped(&value.to_string()).as_bytes())).map_err(failed)
}

fn failed(cause: std::io::Error) -> crate::error::Error {
    Fault::new("cannot write the export", cause).into()
}

fn as_json(moved: &MoneyMove) -> Value {
    let settled = moved.settled.as_ref();
    json!({
        "date": rfc3339(moved.at),
        "kind": moved.kind.word(),
        "user": moved.user,
        "offer": moved.offer,
        "currency": moved.currency,
        "gross": moved.gross,
        "settled_currency": settled.map(|settled| &settled.currency),
        "settled": settled.map(|settled| settled.amount),
        "fee": settled.map(|settled| settled.fee),
        "net": settled.map(|settled| settled.net),
        "exchange_rate": settled.and_then(|settled| settled.exchange_rate.as_ref()),
        "payment": moved.payment,
        "object": moved.object,
        "balance_transaction": settled.map(|settled| &settled.transaction),
        "invoice": moved.invoice,
        "invoice_number": moved.number,
    })
}

fn sum_as_json(currency: &str, sum: &MoneySum, is_settled: bool) -> Value {
    let settled = |amount: i64| is_settled.then_some(amount);
    json!({"currency": currency, "gross": sum.gross, "settled": settled(sum.settled), "fee": settled(sum.fee),
        "net": settled(sum.net)})
}
