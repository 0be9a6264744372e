//! A program uses units: once for each idempotency key, for ever, and never more than there are.

use std::sync::Arc;

use prometheus_client::metrics::counter::Counter;

use crate::app::App;
use crate::error::{Error, Fault, Refused, Result};
use crate::ledger::{self, Entry, Kind, Units};
use crate::store::entries::Lots;
use crate::store::{AccountName, Tx, entries, users};

use crate::usecase::units::posting::{self, PostingContext};
use crate::usecase::units::request::{IdempotencyKey, Note, parse_units, refused};

/// The most spends in one batch.
pub const BATCH_LIMIT: usize = 1000;

/// A spend as a caller asks for it, checked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendRequest {
    pub user_id: String,
    pub units: Units,
    pub note: Option<Note>,
    pub key: IdempotencyKey,
}

impl SpendRequest {
    /// Checks units and note; the refusal says what is wrong with them.
    pub fn new(
        user_id: String,
        units: i64,
        note: Option<String>,
        key: IdempotencyKey,
    ) -> Result<SpendRequest, Refused> {
        let units = parse_units(units)?;
        let note = note.map(Note::parse).transpose()?;
        Ok(SpendRequest { user_id, units, note, key })
    }

    /// The reason of its entry, which the ledger takes once for each account.
    fn reason(&self) -> String {
        format!("spend_{}", self.key)
    }

    fn read_ahead(&self, tx: &mut dyn Tx) -> Result<()> {
        entries::read_ahead(tx, &self.user_id, &self.reason(), Lots::FrontOnly)
    }
}

/// The entry that a spend made, now or by an earlier call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SpendResult {
    pub user_id: String,
    pub entry: Entry,
    /// Whether an earlier call with the same key and body made the entry.
    pub replayed: bool,
}

/// Spends units. `then` gets the result after the commit.
pub fn spend(app: &App, request: SpendRequest, then: impl FnOnce(Result<SpendResult>) + Send + 'static) {
    let context = PostingContext::now(app);
    let topup_url = app.topup_url();
    let units_spent = app.metrics.units_spent.clone();
    let request = Arc::new(request);
    let expected = Arc::clone(&request);
    posting::write_then(
        app,
        vec![AccountName::User(request.user_id.clone())],
        context,
        move |tx| expected.read_ahead(tx),
        move |tx, context| post_spend(tx, context, &request, &topup_url),
        move |result| {
            result.iter().for_each(|spend| count(&units_spent, spend));
            then(result);
        },
    );
}

/// Spends of any users in one transaction, each with a result of its own: a refused one does not stop the others. Where the
/// database fails, all of them fail, and sending the same request again is safe.
pub fn batch(
    app: &App,
    requests: Vec<Result<SpendRequest, Refused>>,
    then: impl FnOnce(Result<Vec<Result<SpendResult, Refused>>>) + Send + 'static,
) {
    let context = PostingContext::now(app);
    let topup_url = app.topup_url();
    let units_spent = app.metrics.units_spent.clone();
    let requests = Arc::new(requests);
    let expected = Arc::clone(&requests);
    let users = requests.iter().flatten().map(|request| AccountName::User(request.user_id.clone()));
    posting::write_then(
        app,
        users.collect(),
        context,
        move |tx| expected.iter().flatten().try_for_each(|request| request.read_ahead(tx)),
        move |tx, context| {
            let mut results = Vec::with_capacity(requests.len());
            for request in requests.iter() {
                let request = match request {
                    Ok(request) => request,
                    Err(refused) => {
                        results.push(Err(refused.clone()));
                        continue;
                    }
                };
                results.push(match post_spend(tx, context, request, &topup_url) {
                    Ok(spend) => Ok(spend),
                    Err(Error::Refused(refused)) => Err(refused),
                    Err(fault) => return Err(fault),
                });
            }
            Ok(results)
        },
        move |results| {
            results.iter().flatten().flatten().for_each(|spend| count(&units_spent, spend));
            then(results);
        },
    );
}

/// One spend. It refuses before its first write, so that nothing of a refused one has to be undone.
fn post_spend(
    tx: &mut dyn Tx,
    context: &mut PostingContext,
    request: &SpendRequest,
    topup_url: &str,
) -> Result<SpendResult> {
    let Some(account) = posting::open_to_spend(tx, context, &request.user_id, request.units.count())? else {
        return Err(users::unknown(&request.user_id).into());
    };
    let note = request.note.as_ref().map(Note::to_entry_note).transpose()?;
    let spend = ledger::Spend { units: request.units, reason: request.reason(), note };
    let posting = match ledger::spend(&account.account, spend, context.now) {
        Ok(posting) => posting,
        Err(refusal) => return replay(tx, account.account.number, request)?.ok_or_else(|| refused(refusal, topup_url)),
    };
    match posting::post(tx, context, &account, &posting, None)? {
        Some(entry) => Ok(SpendResult { user_id: request.user_id.clone(), entry, replayed: false }),
        None => replay(tx, account.account.number, request)?
            .ok_or_else(|| Fault::bare("a spend's reason is claimed, but its entry is missing").into()),
    }
}

/// The entry that an earlier call with this key made, if there was one. A call with another body is refused.
fn replay(tx: &mut dyn Tx, account: i64, request: &SpendRequest) -> Result<Option<SpendResult>> {
    let Some(entry) = entries::by_reason(tx, account, &request.reason())? else { return Ok(None) };
    let note = request.note.as_ref().map(Note::as_str);
    if entry.kind != Kind::Spend || entry.delta != -request.units.count() || !entry.may_have_note(note) {
        return Err(request.key.reused("spend").into());
    }
    Ok(Some(SpendResult { user_id: request.user_id.clone(), entry, replayed: true }))
}

fn count(units_spent: &Counter, spend: &SpendResult) {
    if !spend.replayed {
        units_spent.inc_by(spend.entry.delta.unsigned_abs());
    }
}
