//! A month's movements of money as CSV, for a bookkeeper.

use std::io::Write;

use crate::app::App;
use crate::clock::rfc3339;
use crate::error::{Error, Fault, Result};
use crate::money::plain_amount;
use crate::usecase::operator::bookkeeping::{Closing, MoneyMove, MoneySum, of_month};
use crate::usecase::spreadsheet::disarmed;

const COLUMNS: [&str; 17] = [
    "date",
    "kind",
    "user",
    "offer",
    "currency",
    "gross",
    "settled_currency",
    "settled",
    "fee",
    "net",
    "exchange_rate",
    "payment",
    "object",
    "balance_transaction",
    "invoice",
    "invoice_number",
    "note",
];

/// Writes it, with a line for each sum at the end. `most` is the most pages of Stripe's that are read. A month that cannot be had
/// leaves the file empty: a line of headings alone would look like a month without movements.
pub fn write(app: &App, month: &str, most: Option<usize>, to: impl Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    let mut headings = Some(COLUMNS);
    let closing = of_month(app, month, most, &mut |moved| {
        headings.take().map_or(Ok(()), |headings| csv.write_record(headings)).map_err(failed)?;
        csv.write_record(row(moved)).map_err(failed)
    })?;
    headings.take().map_or(Ok(()), |headings| csv.write_record(headings)).map_err(failed)?;
    for line in last_lines(&closing) {
        csv.write_record(line).map_err(failed)?;
    }
    csv.flush().map_err(|cause| Fault::new("cannot write the export", cause))?;
    Ok(())
}

fn row(moved: &MoneyMove) -> [String; 17] {
    let settled = moved.settled.as_ref();
    let text = |text: Option<&String>| disarmed(text.map_or("", String::as_str));
    let of_settled = |amount: Option<i64>| {
        let amount = settled.zip(amount).map(|(settled, amount)| plain_amount(amount, &settled.currency));
        amount.unwrap_or_default()
    };
    [
        rfc3339(moved.at),
        moved.kind.word().to_owned(),
        disarmed(&moved.user),
        disarmed(&moved.offer),
        moved.currency.clone(),
        moved.gross.map(|gross| plain_amount(gross, &moved.currency)).unwrap_or_default(),
        settled.map(|settled| settled.currency.clone()).unwrap_or_default(),
        of_settled(settled.map(|settled| settled.amount)),
        of_settled(settled.map(|settled| settled.fee)),
        of_settled(settled.map(|settled| settled.net)),
        settled.and_then(|settled| settled.exchange_rate.clone()).unwrap_or_default(),
        disarmed(&moved.payment),
        text(moved.object.as_ref()),
        text(settled.map(|settled| &settled.transaction)),
        text(moved.invoice.as_ref()),
        text(moved.number.as_ref()),
        String::new(),
    ]
}

fn last_lines(closing: &Closing) -> Vec<[String; 17]> {
    let is_settled = closing.without_fees.is_none();
    let mut lines: Vec<_> =
        closing.sums.iter().map(|(currency, sum)| sum_line("sum", currency, sum, is_settled)).collect();
    for (currency, sum) in &closing.not_in_books {
        let mut line = sum_line("not_in_books", currency, sum, true);
        line[5].clear();
        line[16] = format!("balance transactions of payments that are not in the books: {}", sum.count);
        lines.push(line);
    }
    if let Some(reason) = &closing.without_fees {
        let mut line: [String; 17] = Default::default();
        line[1] = "without_fees".to_owned();
        line[16] = disarmed(reason);
        lines.push(line);
    }
    lines
}

fn sum_line(kind: &str, currency: &str, sum: &MoneySum, is_settled: bool) -> [String; 17] {
    let mut line: [String; 17] = Default::default();
    line[1] = kind.to_owned();
    line[4] = currency.to_owned();
    line[5] = plain_amount(sum.gross, currency);
    if is_settled {
        line[6] = currency.to_owned();
        for (column, amount) in [(7, sum.settled), (8, sum.fee), (9, sum.net)] {
            line[column] = plain_amount(amount, currency);
        }
    }
    line
}

fn failed(cause: csv::Error) -> Error {
    Fault::new("cannot write the export", cause).into()
}
