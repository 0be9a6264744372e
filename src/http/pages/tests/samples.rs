//! Every page in its variants, for the tests beside this file.

use crate::catalog::{Catalog, Pack, UnitWords};
use crate::clock::{DAY_MILLIS, DAY_SECONDS, Timestamp};
use crate::http::pages::account::{AccountPage, Done, LetterRow, SessionRow, TokenRow};
use crate::http::pages::dashboard::DashboardPage;
use crate::http::pages::dashboard::billing::{BillingView, ReceiptView};
use crate::http::pages::dashboard::chart::Chart;
use crate::http::pages::dashboard::entries::{DayView, EntryView};
use crate::http::pages::dashboard::notices::{Notice, NoticeButton};
use crate::http::pages::dashboard::plan::{PlanView, SubscriptionView};
use crate::http::pages::dashboard::units::UnitsView;
use crate::http::pages::error::ErrorPage;
use crate::http::pages::letters::{LettersPage, LettersState};
use crate::http::pages::login::{Confirmation, LoginPage, LoginState};
use crate::http::pages::offers::{PackCard, PlanCard, PlanState, allotment};
use crate::http::pages::pricing::{PricingPage, questions};
use crate::http::pages::returned::ReturnedPage;
use crate::http::pages::shell::{Link, Person, Shell, Site};
use crate::http::pages::unsubscribe::{UnsubscribePage, UnsubscribeState};
use crate::http::pages::words::Moment;
use crate::language::Language;
use crate::money::Currency;
use crate::store::codes::CodePurpose;
use crate::store::open_invoices::OpenInvoice;
use crate::usecase::checkout::confirm::PurchaseState;

/// 24 November 2026, 05:23 UTC.
pub fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_497_780)
}

/// Text that would be a script, were it not escaped.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'&";

pub fn words() -> UnitWords {
    Catalog::built_in().unit
}

/// The built-in catalogue with these packs: units, price in cents, and whether it has a price at Stripe.
pub fn catalog(packs: &[(i64, i64, bool)]) -> Catalog {
    let pack = |(units, amount, is_for_sale): &(i64, i64, bool)| Pack {
        key: format!("topup_{units}"),
        name: format!("{units} pictures").into(),
        units: *units,
        amount: *amount,
        price_id: is_for_sale.then(|| format!("price_{units}")),
        ..Catalog::built_in().packs.remove(0)
    };
    Catalog { packs: packs.iter().map(pack).collect(), ..Catalog::built_in() }
}

pub fn packs() -> Vec<PackCard> {
    PackCard::all(&catalog(&[(100, 900, true), (250, 2000, true)]), Language::En).unwrap()
}

pub fn plans(free: PlanState, starter: PlanState, pro: PlanState) -> Vec<PlanCard> {
    let (mut catalog, usd) = (Catalog::built_in(), Currency::new("usd").unwrap());
    catalog.plans[2].features = vec!["priority_queue".to_owned()];
    let states = [free, starter, pro];
    catalog
        .plans
        .iter()
        .zip(states)
        .map(|(plan, state)| PlanCard::of(plan, state, usd, &catalog.unit, Language::En))
        .collect()
}

pub fn shell(title: &str) -> Shell {
    let email = Some("ada@example.org".to_owned());
    let person = Person { id: "u_1".to_owned(), name: Some("Ada Lovelace".to_owned()), email };
    Shell { csrf: "csrf-token".to_owned(), person: Some(person), ..visitor(title) }
}

/// For somebody who is not signed in.
pub fn visitor(title: &str) -> Shell {
    let (site, language) = (Site::of(&Catalog::built_in(), false, Language::En), Language::En);
    let (title, csrf) = (title.to_owned(), String::new());
    Shell { site, language, title, csrf, person: None, is_operator: false, offers_sign_in: true }
}

fn units(remaining: i64, held: i64, total: i64) -> UnitsView {
    let (lots, expiring) = (None, vec![]);
    UnitsView { words: words(), language: Language::En, remaining, held, total, full: total, lots, expiring }
}

fn days() -> Vec<DayView> {
    let row = |(kind, delta, note, balance, ago): (&str, i64, Option<&str>, i64, i64)| {
        let at = now().plus_seconds(-3600 * ago);
        let view = EntryView::of((kind, delta, note), balance, at, (&words(), Language::En));
        DayView { at: view.at.clone(), entries: vec![view] }
    };
    [
        ("spend", -3, Some("Spring catalogue, cover"), 412, 1),
        ("topup", 250, None, 415, 5),
        ("spend", -1, None, 165, 30),
        ("refund", -100, None, 166, 50),
        ("grant", 10, Some("Sorry for the wait"), 266, 100),
        ("expiry", -20, None, 256, 200),
        ("subscription", 500, None, 276, 400),
    ]
    .map(row)
    .to_vec()
}

fn billing() -> BillingView {
    let receipt = ReceiptView {
        at: Moment::of(now(), Language::En),
        what: HOSTILE.to_owned(),
        amount: "$20.00".to_owned(),
        refunded: Some("$5.00 refunded".to_owned()),
        label: "Invoice A-1".to_owned(),
        href: Some("/dashboard/receipts/pi_1".to_owned()),
    };
    BillingView {
        plan: Some("Pro · $29 a month".to_owned()),
        next: Some("$29.00 on 3 Dec 2026".to_owned()),
        card: Some("Visa •••• 4242".to_owned()),
        receipts: vec![receipt],
    }
}

fn usage(days: i64) -> Vec<(Timestamp, i64)> {
    let used = |ago: i64| if ago % 6 == 5 { 0 } else { (ago * 37 + 11) % 29 };
    (0..days).map(|ago| (Timestamp::from_millis(now().millis() - ago * DAY_MILLIS), used(ago))).collect()
}

/// The usual case: something left, a subscription, much use.
pub fn dashboard() -> DashboardPage {
    DashboardPage {
        shell: shell("Dashboard"),
        pending: None,
        notices: vec![],
        units: UnitsView {
            lots: Some("162 of 500 this month · 250 from packs until 3 Dec 2026".to_owned()),
            expiring: vec!["250 pictures expire on 3 Dec 2026.".to_owned()],
            full: 750,
            ..units(412, 0, 1060)
        },
        plan: PlanView {
            name: "Pro".to_owned(),
            allotment: allotment(500, &words(), Language::En),
            stays: None,
            subscription: Some(SubscriptionView::of(
                "active",
                Some(now().plus_seconds(DAY_SECONDS * 9)),
                false,
                None,
                Language::En,
            )),
        },
        has_portal: true,
        packs: packs(),
        plans: plans(PlanState::Free, PlanState::InPortal, PlanState::Current),
        billing: billing(),
        days: days(),
        chart: Chart::of(now(), &usage(30), &words(), Language::En),
    }
}

/// Nothing bought yet, nothing used, one pack without a price at Stripe.
pub fn fresh_dashboard() -> DashboardPage {
    DashboardPage {
        units: units(0, 0, 0),
        plan: free_plan(),
        has_portal: false,
        packs: PackCard::all(&catalog(&[(100, 900, true), (250, 2000, false)]), Language::En).unwrap(),
        plans: plans(PlanState::Current, PlanState::ForSale, PlanState::NotAvailable),
        billing: BillingView { plan: None, next: None, card: None, receipts: vec![] },
        days: vec![],
        chart: Chart::of(now(), &[], &words(), Language::En),
        ..dashboard()
    }
}

/// A debt, and a slow payment on its way that will repay it.
pub fn debt_dashboard() -> DashboardPage {
    DashboardPage {
        pending: Some("Your bank payment is on its way; no need to pay again.".to_owned()),
        notices: vec![Notice {
            title: "Your payment for Pro did not arrive.".to_owned(),
            sentence: HOSTILE.to_owned(),
            button: Some(NoticeButton { label: "Try again", action: "/billing/checkout?plan=pro".to_owned() }),
        }],
        units: units(-20, 0, 100),
        plan: free_plan(),
        plans: plans(PlanState::Current, PlanState::ForSale, PlanState::PaymentPending),
        chart: Chart::of(now(), &usage(1), &words(), Language::En),
        ..dashboard()
    }
}

/// All of it there, some of it held, payment overdue, and a user who tries to break the page.
pub fn full_dashboard() -> DashboardPage {
    let note = EntryView::of(("spend", -1, Some(HOSTILE)), 9, now(), (&words(), Language::En));
    DashboardPage {
        shell: Shell {
            person: Some(Person { id: "x".to_owned(), name: Some(HOSTILE.to_owned()), email: None }),
            csrf: "t".to_owned(),
            ..shell("Dashboard")
        },
        units: units(1000, 250, 1000),
        plan: PlanView {
            subscription: Some(SubscriptionView::of(
                "past_due",
                Some(now()),
                false,
                Some(&open_invoice()),
                Language::En,
            )),
            name: HOSTILE.to_owned(),
            ..free_plan()
        },
        days: vec![DayView { at: note.at.clone(), entries: vec![note] }],
        ..dashboard()
    }
}

fn open_invoice() -> OpenInvoice {
    OpenInvoice { id: "in_1".to_owned(), open: Some((900, "usd".to_owned())), due_at: now() }
}

fn free_plan() -> PlanView {
    let allotment = allotment(0, &words(), Language::En);
    PlanView { name: "Free".to_owned(), allotment, subscription: None, stays: None }
}

pub fn pricing(catalog: &Catalog, shell: Shell) -> PricingPage<'_> {
    PricingPage {
        shell,
        address: "https://pay.example.com/".to_owned(),
        picture: "https://pay.example.com/preview.png".to_owned(),
        words: &catalog.unit,
        plans: plans(PlanState::Free, PlanState::ForSale, PlanState::ForSale),
        packs: packs(),
        questions: questions(catalog, Language::En),
        support: None,
    }
}

pub fn returned(catalog: &Catalog, state: PurchaseState) -> ReturnedPage<'_> {
    let links =
        [Link::back_to("https://studio.example.com/albums?x=1&y=2", Language::En), Some(Link::dashboard(Language::En))];
    let mut page = ReturnedPage {
        shell: shell(""),
        catalog,
        state,
        is_elsewhere: false,
        status_url: "/billing/return?session_id=cs_test_1".to_owned(),
        receipt: vec![("Paid", "$9.00".to_owned())],
        links: links.into_iter().flatten().collect(),
    };
    page.shell.title = page.title();
    page
}

pub fn purchase_states() -> [(&'static str, PurchaseState); 8] {
    [
        ("credited", PurchaseState::Credited { added: 100, remaining: 112 }),
        ("subscribed", PurchaseState::Subscribed { plan: "starter".to_owned(), remaining: 100 }),
        ("confirming", PurchaseState::Unmatched),
        ("pending", PurchaseState::Pending { units: 100 }),
        ("failed", PurchaseState::Failed),
        ("expired", PurchaseState::Expired),
        ("not-completed", PurchaseState::Open),
        ("stripe-unavailable", PurchaseState::StripeUnavailable),
    ]
}

pub fn login(state: LoginState) -> LoginPage {
    LoginPage { shell: visitor("Sign in"), state }
}

/// Ada follows a link in a browser in which bob is signed in.
pub fn confirmation() -> Confirmation {
    Confirmation {
        person: Person {
            id: "ada".to_owned(),
            name: Some("Ada Lovelace".to_owned()),
            email: Some("ada@example.org".to_owned()),
        },
        replaced: Some(Person { id: "bob".to_owned(), name: None, email: None }),
        token: "secret".to_owned(),
        csrf: "t".to_owned(),
    }
}

pub fn unsubscribe(state: UnsubscribeState) -> UnsubscribePage {
    UnsubscribePage { shell: visitor("Letters"), state }
}

pub fn error() -> ErrorPage {
    ErrorPage {
        shell: visitor("Not found"),
        status: 404,
        title: "This page does not exist".to_owned(),
        sentence: format!("There is nothing at {HOSTILE}."),
        assurance: "Nothing was charged.",
        link: Link::dashboard(Language::En),
    }
}

fn session(number: i64, agent: &str) -> SessionRow {
    SessionRow {
        number,
        is_this: number == 1,
        agent: Some(agent.to_owned()),
        address: Some("192.0.2.1".to_owned()),
        since: Moment::of(now(), Language::En),
        last_used: Moment::of(now(), Language::En),
    }
}

/// Of somebody who signed in long ago in two browsers, and who pays.
pub fn account() -> AccountPage {
    AccountPage {
        connections: vec![],
        provider: Some(HOSTILE.to_owned()),
        shell: Shell { is_operator: true, ..shell("Account") },
        done: Some(Done::Name),
        id: "u_1".to_owned(),
        name: "Ada Lovelace".to_owned(),
        address: Some("ada@example.org".to_owned()),
        has_password: false,
        is_fresh: false,
        wants_proof: false,
        sessions: vec![session(1, "this"), session(2, HOSTILE)],
        tokens: vec![],
        new_token: None,
        has_subscription: true,
        has_mail: true,
        letters: vec![LetterRow { word: "low_balance", label: "letters about a low balance", is_wanted: true }],
        passkeys: vec![],
        offers_passkeys: true,
        has_second_factor: true,
    }
}

/// Of somebody who has just signed in and made a token.
pub fn fresh_account() -> AccountPage {
    let token =
        TokenRow { id: "tok_1".to_owned(), name: HOSTILE.to_owned(), last_used: Some(Moment::of(now(), Language::En)) };
    AccountPage {
        done: None,
        name: HOSTILE.to_owned(),
        has_password: true,
        is_fresh: true,
        wants_proof: false,
        tokens: vec![token],
        new_token: Some("till_secret".to_owned()),
        has_subscription: false,
        passkeys: vec![super::factor_samples::passkey()],
        ..account()
    }
}

/// Each page about letters by a name.
pub fn letters() -> Vec<(&'static str, LettersPage)> {
    let person = || Some(shell("Letter").person.unwrap());
    let confirm = |purpose| LettersState::Confirm {
        code: "secret".to_owned(),
        person: person(),
        replaced: person(),
        purpose,
        address: HOSTILE.to_owned(),
        is_same_browser: false,
        has_password: true,
    };
    let sign_up = LettersState::SignUp {
        invite: HOSTILE.to_owned(),
        welcome: Some("5 pictures".to_owned()),
        has_mail: true,
        provider: Some(HOSTILE.to_owned()),
    };
    let page = |(name, state)| (name, LettersPage { shell: visitor("Letter"), state, csrf: "t".to_owned() });
    [
        ("sign-up", sign_up),
        ("closed", LettersState::SignUpClosed),
        ("invitation", LettersState::SignUpByInvitation),
        ("invite-spent", LettersState::InviteSpent),
        ("reset", LettersState::Reset),
        ("asked", LettersState::Asked { form: "/signup?invite=%3Cb%3E".to_owned() }),
        ("confirm-sign-in", confirm(CodePurpose::SignIn)),
        ("confirm-sign-up", confirm(CodePurpose::SignUp)),
        ("confirm-reset", confirm(CodePurpose::Reset)),
        ("confirm-address", confirm(CodePurpose::Address)),
        ("sign-in-first", LettersState::SignInFirst { person: shell("Letter").person.unwrap() }),
        ("spent", LettersState::CodeSpent),
    ]
    .map(page)
    .into()
}
