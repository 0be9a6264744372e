//! One row of each kind, for the statements that need one: what is in them need not mean anything.

use till::actor::Actor;
use till::clock::Timestamp;
use till::error::Result;
use till::ledger::{Cost, Credit, Currency, EntryNote, Kind, Spend, Units, credit, spend};
use till::secret::Secret;
use till::store::allotments::{DueAllotment, PlanPeriod};
use till::store::customers::{ChangeOutcome, Customer, CustomerChange};
use till::store::entries::LoadedAccount;
use till::store::holds::Hold;
use till::store::inbox::{Decision, IncomingEvent, Status};
use till::store::mails::{MailOutcome, NewMail};
use till::store::open_invoices::OpenInvoice;
use till::store::orders::{OfferKind, Order};
use till::store::outbox::{Attempt, DeliveryKey, DeliveryOutcome, DueDelivery, Message};
use till::store::payments::{
    CreditNoteRecord, DisputeStage, DisputeState, Payment, RefundRecord, RefundState, StripeIds,
};
use till::store::receipts::{ChargeRecord, PaymentMeans};
use till::store::scheduled_changes::ScheduledChange;
use till::store::stripe_account::BoundAccount;
use till::store::subscriptions::Subscription;
use till::store::webhook_endpoints::WebhookEndpoint;
use till::store::{Tx, access, entries, mails, outbox};

use super::NOW;

/// When a hold is made, and when it ends.
pub const TIMES: [Timestamp; 2] = [NOW, Timestamp::from_millis(1_790_000_900_000)];

/// The account's first units, bought by `payment` or given.
pub fn give(tx: &mut dyn Tx, account: i64, payment: Option<&str>) -> Result<()> {
    let before = LoadedAccount::open(account);
    let gift = Credit {
        kind: Kind::Grant,
        units: Units::new(100).unwrap(),
        reason: "grant_1".into(),
        note: Some(EntryNote::new("a gift".into(), [7; 16])),
        expires_at: Some(NOW),
        cost: payment.map(|_| Cost { amount: 901, currency: Currency::new("usd").unwrap() }),
    };
    assert!(entries::post(tx, &before, &credit(&before.account, gift, NOW).unwrap(), payment, &Actor::till())?);
    Ok(())
}

pub fn post(tx: &mut dyn Tx) -> Result<()> {
    give(tx, 1, Some("pi_1"))
}

pub fn with_lots(tx: &mut dyn Tx, payment: Option<&str>) -> Result<()> {
    let row = entries::find_of_user(tx, "user_1")?.unwrap();
    row.with_lots(tx, payment).map(drop)
}

/// A spend for which the front lot is enough.
pub fn spend_one(tx: &mut dyn Tx, account: i64, key: &str) -> Result<()> {
    let before = entries::find(tx, account)?.unwrap().with_front_only();
    let wanted = Spend { units: Units::new(1).unwrap(), reason: format!("spend_{key}"), note: None };
    assert!(entries::post(tx, &before, &spend(&before.account, wanted, NOW).unwrap(), None, &Actor::till())?);
    Ok(())
}

pub fn post_from_front(tx: &mut dyn Tx) -> Result<()> {
    spend_one(tx, 1, "1")
}

pub fn hold() -> Hold {
    let [created_at, expires_at] = TIMES;
    Hold {
        account: 1,
        number: 1,
        units: 5,
        captured: 0,
        note: None,
        note_erased_at: None,
        created_at,
        expires_at,
        closed: None,
    }
}

pub fn customer() -> Customer {
    let (request_key, request_body) = ("cust_1".to_owned(), String::new());
    Customer { account: 1, generation: 1, request_key, request_body, stripe_id: None }
}

pub fn change() -> CustomerChange {
    let (request_key, request_body) = ("change_1".to_owned(), String::new());
    CustomerChange { account: 1, number: 1, request_key, request_body, attempts: 0, stripe_id: "cus_1".into() }
}

pub fn postponed() -> ChangeOutcome {
    ChangeOutcome::Postponed { until: NOW, key: "change_2".to_owned() }
}

pub fn order() -> Order {
    let no: Option<Timestamp> = None;
    Order {
        id: "ord_1".into(),
        account: 1,
        offer: "topup_100".into(),
        kind: OfferKind::Pack,
        units: 100,
        amount: 900,
        currency: "usd".into(),
        price: "price_1".into(),
        expires_in_days: None,
        return_url: None,
        request_body: String::new(),
        session: None,
        subtotal: None,
        created_at: NOW,
        pending_at: no,
        paid_at: no,
        failed_at: no,
        expired_at: no,
    }
}

/// For the entry that [`post`] makes.
pub fn payment() -> Payment {
    Payment {
        reference: "pi_1".into(),
        account: 1,
        kind: OfferKind::Pack,
        units_granted: 100,
        units_reversed: 0,
        amount: 900,
        cost: 901,
        currency: "usd".into(),
        offer: "topup_100".into(),
        out_of_band: false,
        session: Some("cs_1".into()),
        payment_intent: Some("pi_1".into()),
        charge: None,
        invoice: None,
        refunded_total: 0,
        reversals: 0,
        paid_at: NOW,
    }
}

pub fn charge() -> StripeIds<'static> {
    StripeIds { charge: Some("ch_1"), ..StripeIds::default() }
}

pub fn dispute() -> DisputeState<'static> {
    DisputeState {
        id: "dp_1",
        disputed: 900,
        withheld: 900,
        stage: DisputeStage::Open,
        moves: 1,
        currency: "usd",
        moved_at: [Some(NOW), None],
    }
}

pub fn refund(state: RefundState) -> RefundRecord<'static> {
    RefundRecord { id: "re_1", amount: 1, state, times: [NOW; 2] }
}

pub fn credit_note(voided_at: Option<Timestamp>) -> CreditNoteRecord<'static> {
    CreditNoteRecord { id: "cn_1", returned: 1, made_at: NOW, voided_at }
}

pub fn subscription() -> Subscription {
    Subscription {
        id: "sub_1".into(),
        account: 1,
        customer: Some("cus_1".into()),
        status: "active".into(),
        offer: "starter".into(),
        period_end: None,
        ends_at: None,
        ended_at: None,
        as_of: NOW,
        created_at: NOW,
        billed: Some((900, "usd".into())),
        pause: None,
    }
}

pub fn scheduled_change() -> ScheduledChange {
    ScheduledChange { subscription: "sub_1".into(), offer: "starter".into(), starts_at: NOW }
}

pub fn open_invoice() -> OpenInvoice {
    OpenInvoice { id: "in_2".into(), open: Some((900, "usd".into())), due_at: NOW }
}

pub fn charge_record() -> ChargeRecord {
    let means = PaymentMeans { brand: Some("visa".into()), last4: Some("4242".into()) };
    ChargeRecord {
        id: "ch_1".into(),
        payment_intent: Some("pi_1".into()),
        customer: "cus_1".into(),
        means,
        receipt_url: Some("https://pay.stripe.com/receipts/x".into()),
        made_at: NOW,
    }
}

pub fn event() -> IncomingEvent {
    IncomingEvent {
        id: "evt_1".into(),
        kind: "charge.refunded".into(),
        api_version: None,
        livemode: false,
        object: Some("ch_1".into()),
        customer: Some("cus_1".into()),
        invoice: None,
        body: Some("{}".into()),
        created_at: NOW,
        received_at: NOW,
    }
}

pub fn waiting() -> Decision {
    let (detail, waits_for) = ("no payment yet".to_owned(), Some("cs_1".to_owned()));
    Decision { status: Status::Waiting, ignore_reason: None, detail, waits_for, next_attempt_at: Some(NOW) }
}

pub fn endpoint() -> WebhookEndpoint {
    WebhookEndpoint {
        id: "hook_1".into(),
        url: "https://a.example/".into(),
        kinds: "*".into(),
        secret: Secret::new("whsec_1"),
        older_secret: None,
        created_at: NOW,
        disabled_at: None,
    }
}

pub fn message() -> Message<'static> {
    let [now, give_up_at] = TIMES;
    Message { id: "msg_1", account: 1, kind: "user.low_balance", body: "{}", now, give_up_at }
}

pub fn account() -> BoundAccount {
    BoundAccount { id: Some("acct_1".to_owned()), is_live: false, bound_at: NOW }
}

/// Records an attempt at the message that was written, or at one that there is not.
pub fn record_attempt(tx: &mut dyn Tx) -> Result<()> {
    let written = outbox::due(tx, "hook_1", NOW, 1)?.pop();
    let (endpoint, message, kind, body) = ("hook_1".into(), "msg_1".into(), "user.low_balance".into(), "{}".into());
    let none = DueDelivery { endpoint, number: 1, message, account: 1, kind, body, attempts: 0, give_up_at: NOW };
    outbox::record_attempt(tx, &written.unwrap_or(none), &attempt())
}

/// Opens its delivery again.
pub fn reopen(tx: &mut dyn Tx) -> Result<()> {
    let none = DeliveryKey { endpoint: "hook_1".into(), message: 1, account: 1 };
    let written = outbox::not_delivered(tx, "msg_1")?.and_then(|mut found| found.pop());
    outbox::reopen(tx, &written.unwrap_or(none), NOW, NOW)
}

/// Records an attempt at the letter that was written, or at one that there is not.
pub fn record_mail(tx: &mut dyn Tx, error: Option<&str>, outcome: MailOutcome) -> Result<()> {
    let number = mails::due(tx, NOW, 1)?.pop().map_or(1, |due| due.number);
    mails::record_attempt(tx, number, NOW, error, outcome)
}

pub fn attempt() -> Attempt {
    Attempt { at: NOW, status: Some(500), error: Some("no".into()), outcome: DeliveryOutcome::Again(NOW) }
}

pub fn token() -> access::Token {
    access::Token {
        id: "tok_1".into(),
        name: "a token".into(),
        scopes: "read".into(),
        owner: None,
        created_at: NOW,
        last_used_at: None,
        revoked_at: None,
    }
}

pub fn part() -> DueAllotment {
    DueAllotment { reference: "pi_1".into(), month: 1, units: 5, cost: 5, due_at: NOW, expires_at: None }
}

pub fn plan_period() -> PlanPeriod {
    let [starts_at, ends_at] = TIMES;
    PlanPeriod {
        invoice: "in_1".into(),
        line: "il_1".into(),
        account: 1,
        subscription: None,
        price: "price_1".into(),
        quantity: 1,
        units: 100,
        starts_at,
        ends_at,
        covers_from: starts_at,
    }
}

pub fn mail() -> NewMail<'static> {
    NewMail {
        reason: "welcome_1",
        account: Some(1),
        to_address: "a@b.example",
        kind: "welcome",
        locale: "en",
        fields: "{}",
        now: NOW,
        give_up_at: NOW,
    }
}
