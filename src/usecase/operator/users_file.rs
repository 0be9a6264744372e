//! All users as CSV, in the columns that an import takes: for the way back to an earlier backend, or into other books. People
//! choose names and addresses, and operators open the file in a spreadsheet, so no text in it is a formula; an import takes the
//! mark off again.

use std::io::Write;

use crate::app::App;
use crate::error::{Error, Fault, Result};
use crate::store::customers;
use crate::usecase::operator::import::COLUMNS;
use crate::usecase::spreadsheet::disarmed;
use crate::usecase::users;

const PAGE: i64 = 1000;

/// Writes them, in the order in which they were added. What is written meanwhile may be among them.
pub fn write(app: &App, to: impl Write) -> Result<()> {
    let mut csv = csv::Writer::from_writer(to);
    csv.write_record(COLUMNS).map_err(failed)?;
    let mut after: Option<String> = None;
    loop {
        let page = users::list(app, None, after.as_deref(), PAGE)?;
        for member in &page.rows {
            let customer = app.store.read(|tx| customers::linked(tx, member.user.account))?;
            let (total, remaining) = (member.balance.total.to_string(), member.balance.remaining.to_string());
            let text = |text: Option<&String>| disarmed(text.map_or("", String::as_str));
            let (email, name) = (text(member.user.email.as_ref()), text(member.user.name.as_ref()));
            let (id, plan, customer) = (disarmed(&member.user.id), disarmed(&member.plan), text(customer.as_ref()));
            csv.write_record([id, email, name, total, remaining, plan, customer]).map_err(failed)?;
        }
        after = page.next;
        if after.is_none() {
            return csv.flush().map_err(|cause| Fault::new("cannot write the users", cause).into());
        }
    }
}

fn failed(cause: csv::Error) -> Error {
    Fault::new("cannot write the users", cause).into()
}
