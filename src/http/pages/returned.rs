//! `GET /billing/return`: the buyer comes back from Stripe's checkout. The page says what is known, promises only what
//! the books keep, and never suggests to pay a second time. The same address answers JSON to the page's script.

use askama::Template;
use axum::Json;
use axum::extract::{Extension, RawQuery, State};
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde::Serialize;

use super::dashboard::billing::means_words;

use super::shell::{Link, Shell};
use super::{html, single_query_field};
use crate::catalog::Catalog;
use crate::error::{Refused, Result};
use crate::http::audience::prefers_json;
use crate::http::guard::{OwnVisitor, not_signed_in};
use crate::http::problem::HandlerResult;
use crate::http::rates::Costly;
use crate::http::request::ClientAddress;
use crate::http::state::{AppState, Pool};
use crate::language::Language;
use crate::money::{Currency, Money};
use crate::usecase::checkout::confirm::{self, Purchase, PurchaseLookup, PurchaseState};

#[derive(Debug, Template)]
#[template(path = "returned.html")]
pub(super) struct ReturnedPage<'a> {
    pub shell: Shell,
    pub catalog: &'a Catalog,
    pub state: PurchaseState,
    /// Whether nobody is signed in here: the buyer paid in another browser. Then no account is shown.
    pub is_elsewhere: bool,
    /// A path that answers [`ReturnStatus`] as JSON. The script asks it while the purchase is undecided.
    pub status_url: String,
    /// What was paid: labels with words. Empty until it is in the books, and where nobody is signed in.
    pub receipt: Vec<(&'static str, String)>,
    /// The most likely one first.
    pub links: Vec<Link>,
}

/// The same words as the page's, for its script.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct ReturnStatus {
    /// `credited`, `confirming`, `pending` or `failed`.
    pub state: &'static str,
    pub title: String,
    pub sentence: String,
}

/// Confirms the purchase with Stripe and says how it stands. Stripe may lead a buyer back to another browser than the one in
/// which they are signed in, such as that of their bank's app. Who knows the session's id may know how its payment stands,
/// and nothing of the account.
pub(crate) async fn show(
    State(state): State<AppState>,
    OwnVisitor(visitor): OwnVisitor,
    Extension(client): Extension<ClientAddress>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> HandlerResult {
    let session = single_query_field(query.as_deref(), "session_id")?.ok_or_else(|| {
        Refused::InvalidRequest("The query field session_id is missing: open this page from Stripe's checkout.".into())
    })?;
    let wanted = session.clone();
    let own = visitor.signed_in.as_ref().map(|signed_in| signed_in.member.user.account);
    let account = match own {
        // The script of a page that is signed in, or a front end: without a session it gets nothing.
        None if prefers_json(&headers) => None,
        None => state.run(Pool::Db, move |app| confirm::buyer(app, &wanted)).await?,
        own => own,
    };
    let account = account.ok_or_else(not_signed_in)?;
    let escaped: String = form_urlencoded::byte_serialize(session.as_bytes()).collect();
    let purchase = purchase_of(&state, account, session, state.charge(Costly::Question, own, client)).await?;
    let (is_elsewhere, language) = (own.is_none(), visitor.language);
    let page = ReturnedPage {
        shell: Shell::for_visitor(state.app(), language.returned_title(), &visitor)?,
        catalog: state.catalog(),
        links: match own {
            None => vec![Link::to("/login", language.shell_sign_in())],
            Some(_) => links(&purchase, language, state.catalog()),
        },
        receipt: if is_elsewhere { vec![] } else { receipt(&purchase, state.catalog(), language) },
        state: purchase.state,
        is_elsewhere,
        status_url: format!("/billing/return?session_id={escaped}"),
    };
    if prefers_json(&headers) {
        return Ok(Json(page.status()).into_response());
    }
    Ok(html(StatusCode::OK, &page)?)
}

/// The purchase as far as it can be told now. What the books have decided waits for nothing. What is refused to be asked
/// about does not wait for its turn either: of a checkout that began here the books tell what they know.
async fn purchase_of(
    state: &AppState,
    account: i64,
    session: String,
    charge: impl Future<Output = Result<()>>,
) -> Result<Purchase> {
    let wanted = session.clone();
    let is_known = match state.run(Pool::Db, move |app| confirm::look_up(app, account, &wanted)).await? {
        PurchaseLookup::Decided(purchase) => return Ok(*purchase),
        PurchaseLookup::Undecided { is_known } => is_known,
    };
    match charge.await {
        Ok(()) => {
            state.ask_stripe(account, move |app, deadline| confirm::confirm(app, account, &session, deadline)).await
        }
        Err(_) if is_known => state.run(Pool::Db, move |app| confirm::unconfirmed(app, account, &session)).await,
        Err(refused) => Err(refused),
    }
}

/// The purchase as a receipt.
fn receipt(purchase: &Purchase, catalog: &Catalog, language: Language) -> Vec<(&'static str, String)> {
    let (PurchaseState::Credited { remaining, .. } | PurchaseState::Subscribed { remaining, .. }) = &purchase.state
    else {
        return vec![];
    };
    let Some(paid) = &purchase.receipt else { return vec![] };
    let amount = Currency::new(&paid.currency).map(|currency| language.amount(Money::new(paid.amount, currency)));
    let lines = [
        Some((language.returned_units(), catalog.unit.count(paid.units, language))),
        amount.map(|amount| (language.returned_amount(), amount)),
        means_words(&paid.means).map(|card| (language.returned_card(), card)),
        Some((language.returned_date(), language.date(paid.paid_at))),
        Some((language.returned_balance(), catalog.unit.count(*remaining, language))),
    ];
    lines.into_iter().flatten().collect()
}

fn links(purchase: &Purchase, language: Language, catalog: &Catalog) -> Vec<Link> {
    let back = purchase.return_url.as_deref().and_then(|url| Link::back_to(url, language));
    let app = || Link::to_app(catalog.shop.app_url.as_deref()?, catalog.shop.name.as_deref(), language);
    let back = back.or_else(app);
    let dashboard = Link::dashboard(language);
    match purchase.state {
        PurchaseState::Failed | PurchaseState::Expired | PurchaseState::Open => {
            [Some(dashboard), back].into_iter().flatten().collect()
        }
        _ => [back, Some(dashboard)].into_iter().flatten().collect(),
    }
}

impl ReturnedPage<'_> {
    /// One word for script and stylesheet.
    pub(super) fn state(&self) -> &'static str {
        match self.state {
            PurchaseState::Credited { .. } | PurchaseState::Subscribed { .. } => "credited",
            PurchaseState::Unmatched | PurchaseState::StripeUnavailable => "confirming",
            PurchaseState::Pending { .. } => "pending",
            PurchaseState::Failed | PurchaseState::Expired | PurchaseState::Open => "failed",
        }
    }

    /// Whether the answer may change while the buyer waits.
    pub(super) fn is_undecided(&self) -> bool {
        self.state() == "confirming"
    }

    pub(super) fn status(&self) -> ReturnStatus {
        ReturnStatus { state: self.state(), title: self.title(), sentence: self.sentence() }
    }

    pub(super) fn title(&self) -> String {
        let language = self.shell.language;
        match &self.state {
            PurchaseState::Credited { .. } | PurchaseState::Subscribed { .. } if self.is_elsewhere => {
                language.returned_paid().to_owned()
            }
            PurchaseState::Credited { added, .. } => language.returned_added(self.catalog.unit.count(*added, language)),
            PurchaseState::Subscribed { plan, .. } => language.returned_subscribed(self.plan_name(plan)),
            PurchaseState::Unmatched => language.returned_confirming().to_owned(),
            PurchaseState::Pending { .. } => language.returned_pending().to_owned(),
            PurchaseState::Failed => language.returned_failed().to_owned(),
            PurchaseState::Expired => language.returned_expired().to_owned(),
            PurchaseState::Open => language.returned_not_completed().to_owned(),
            PurchaseState::StripeUnavailable => language.returned_safe().to_owned(),
        }
    }

    fn plan_name<'p>(&'p self, key: &'p str) -> &'p str {
        self.catalog.plan(key).map_or(key, |plan| plan.name.in_language(self.shell.language))
    }

    pub(super) fn sentence(&self) -> String {
        let language = self.shell.language;
        let (words, many) = (&self.catalog.unit, self.catalog.unit.many(language));
        match &self.state {
            PurchaseState::Credited { .. } if self.is_elsewhere => language.returned_elsewhere_pack(many),
            PurchaseState::Subscribed { .. } if self.is_elsewhere => language.returned_elsewhere_plan().to_owned(),
            PurchaseState::Pending { .. } if self.is_elsewhere => language.returned_elsewhere_pending(many),
            PurchaseState::Credited { remaining, .. } => language.returned_now_have(words.count(*remaining, language)),
            PurchaseState::Subscribed { remaining, .. } => {
                language.returned_now_have_plan(words.count(*remaining, language), many)
            }
            PurchaseState::Unmatched => language.returned_confirming_sentence(many),
            PurchaseState::Pending { units } => language.returned_pending_sentence(words.count(*units, language)),
            PurchaseState::Failed => language.returned_failed_sentence(many),
            PurchaseState::Expired => language.returned_expired_sentence(many),
            PurchaseState::Open => language.returned_not_completed_sentence(many),
            PurchaseState::StripeUnavailable => language.returned_safe_sentence(many),
        }
    }
}
