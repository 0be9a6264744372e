//! What was paid and what will be: the plan in one line, the next payment, the card, the last payments. All of it is in the
//! books; Stripe is not asked.

use crate::catalog::{Catalog, Interval, Offer};
use crate::http::pages::words::{Moment, capitalised};
use crate::language::Language;
use crate::money::{Currency, Money};
use crate::store::orders::OfferKind;
use crate::store::receipts::{PaymentMeans, Receipt};
use crate::usecase::users::UserSnapshot;
use crate::usecase::users::statement::Overview;

#[derive(Clone, Debug)]
pub(crate) struct BillingView {
    /// `Starter · $9 a month`; `None` without a plan that is paid for.
    pub plan: Option<String>,
    /// `$9.00 on 3 Dec 2026`.
    pub next: Option<String>,
    /// `Visa •••• 4242`.
    pub card: Option<String>,
    /// Newest first.
    pub receipts: Vec<ReceiptView>,
}

/// A payment in a line.
#[derive(Clone, Debug)]
pub(crate) struct ReceiptView {
    pub at: Moment,
    /// What was bought: `250 pictures`, `Starter`.
    pub what: String,
    /// `$9.00`.
    pub amount: String,
    /// `$4.50 refunded`.
    pub refunded: Option<String>,
    /// `Invoice ABCD-0001`, `Receipt`.
    pub label: String,
    /// A path of ours that leads to Stripe's page; `None` where Stripe named none.
    pub href: Option<String>,
}

impl BillingView {
    pub(crate) fn of(overview: &Overview, member: &UserSnapshot, catalog: &Catalog, language: Language) -> BillingView {
        let subscription = member.subscription.as_ref();
        let plan = subscription.and_then(|subscription| catalog.plan(&subscription.offer));
        let plan = plan.zip(Currency::new(&catalog.currency)).map(|(plan, currency)| {
            let every = match plan.interval {
                Interval::Month => language.offers_a_month(),
                Interval::Year => language.offers_a_year(),
            };
            let price = language.price(Money::new(plan.amount, currency));
            language.dashboard_plan_at(plan.name.in_language(language), price, every)
        });
        let renews = subscription.filter(|subscription| subscription.ends_at.is_none());
        let renews = renews.filter(|subscription| matches!(subscription.status.as_str(), "active" | "trialing"));
        let next = renews.and_then(|subscription| subscription.period_end).zip(overview.next_payment.as_ref());
        BillingView {
            plan,
            next: next.and_then(|(at, (amount, currency))| {
                let amount = language.amount(Money::new(*amount, Currency::new(currency)?));
                Some(language.dashboard_amount_on(amount, language.date(at)))
            }),
            card: overview.means.as_ref().and_then(means_words),
            receipts: ReceiptView::all(&overview.receipts, catalog, language),
        }
    }
}

impl ReceiptView {
    /// Payments of which some money was taken.
    pub(crate) fn all(receipts: &[Receipt], catalog: &Catalog, language: Language) -> Vec<ReceiptView> {
        receipts.iter().filter_map(|receipt| ReceiptView::of(receipt, Some(catalog), language)).collect()
    }

    /// `None` for an amount in no currency.
    pub(crate) fn of(receipt: &Receipt, catalog: Option<&Catalog>, language: Language) -> Option<ReceiptView> {
        let currency = Currency::new(&receipt.currency)?;
        let money = |amount: i64| language.amount(Money::new(amount, currency));
        let escaped: String = form_urlencoded::byte_serialize(receipt.reference.as_bytes()).collect();
        Some(ReceiptView {
            at: Moment::of(receipt.paid_at, language),
            what: catalog.map(|catalog| bought(receipt, catalog, language)).unwrap_or_default(),
            amount: money(receipt.amount),
            refunded: (receipt.refunded > 0).then(|| language.dashboard_refunded(money(receipt.refunded))),
            label: match &receipt.number {
                Some(number) => language.dashboard_invoice(number),
                None => language.dashboard_receipt().to_owned(),
            },
            href: receipt.url.as_ref().map(|_| format!("/dashboard/receipts/{escaped}")),
        })
    }
}

/// What a payment bought, by today's catalogue.
pub(crate) fn bought(receipt: &Receipt, catalog: &Catalog, language: Language) -> String {
    match (catalog.offer(&receipt.offer), receipt.kind) {
        (Some(offer @ Offer::Plan(_)), OfferKind::Plan) => offer.title(&catalog.unit, language),
        (Some(offer @ Offer::Pack(pack)), OfferKind::Pack) if pack.own_name(&catalog.unit).is_some() => {
            offer.title(&catalog.unit, language)
        }
        (_, OfferKind::Plan) => language.offers_another_plan().to_owned(),
        (_, OfferKind::Pack) => catalog.unit.count(receipt.units, language),
    }
}

/// `Visa •••• 4242`.
pub(crate) fn means_words(means: &PaymentMeans) -> Option<String> {
    let brand = means.brand.as_deref()?;
    let brand = match brand {
        "amex" => "American Express".to_owned(),
        "diners" => "Diners Club".to_owned(),
        "jcb" => "JCB".to_owned(),
        "unionpay" => "UnionPay".to_owned(),
        "mastercard" => "Mastercard".to_owned(),
        other => capitalised(&other.replace('_', " ")),
    };
    Some(match &means.last4 {
        Some(last4) => format!("{brand} •••• {last4}"),
        None => brand,
    })
}
