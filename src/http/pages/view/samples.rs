//! Every page in its variants, for the tests beside this file.

use super::*;
use crate::clock::Timestamp;
use crate::http::chart::{Chart, DayUse};
use crate::money::{Currency, Money};

/// 24 November 2026, 05:23 UTC.
pub fn now() -> Timestamp {
    Timestamp::from_seconds(1_795_497_780)
}

/// Text that would be a script, were it not escaped.
pub const HOSTILE: &str = "<script>alert(1)</script>\"'&";

pub fn words() -> UnitWords {
    UnitWords::new("picture", "pictures")
}

pub fn usd(amount: i64) -> Money {
    Money::new(amount, Currency::new("usd").unwrap())
}

fn pack(key: &str, units: i64, amount: i64, is_for_sale: bool) -> PackOffer {
    PackOffer { key: key.to_owned(), units, price: usd(amount), is_for_sale }
}

pub fn packs() -> Vec<PackCard> {
    PackCard::shelf(&[pack("topup_100", 100, 900, true), pack("topup_250", 250, 2000, true)], &words())
}

fn plan(key: &str, amount: i64, units: i64, feature: Option<&str>, state: PlanState) -> PlanCard {
    let offer = PlanOffer {
        key: key.to_owned(),
        name: super::words::capitalised(key),
        price: usd(amount),
        interval: Interval::Month,
        units,
        features: feature.map(str::to_owned).into_iter().collect(),
        state,
    };
    PlanCard::of(&offer, &words())
}

pub fn plans(free: PlanState, starter: PlanState, pro: PlanState) -> Vec<PlanCard> {
    vec![
        plan("free", 0, 0, Some("byok"), free),
        plan("starter", 900, 100, None, starter),
        plan("pro", 2900, 500, Some("priority_queue"), pro),
    ]
}

pub fn shell(title: &str) -> Shell {
    let email = Some("ada@example.org".to_owned());
    Shell::signed_in(title, "csrf-token", Person { id: "u_1".to_owned(), name: Some("Ada Lovelace".to_owned()), email })
}

fn units(remaining: i64, held: i64, total: i64) -> UnitsView {
    UnitsView { words: words(), remaining, held, total }
}

fn entries() -> Vec<EntryView> {
    let row = |(kind, delta, note, balance, ago): (&str, i64, Option<&str>, i64, i64)| {
        EntryView::of(kind, delta, note, balance, now().plus_seconds(-3600 * ago), &words())
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

fn uses(days: i64) -> Vec<DayUse> {
    let today = now().millis() / 86_400_000;
    (0..days)
        .map(|ago| DayUse { day: today - ago, used: if ago % 6 == 5 { 0 } else { (ago * 37 + 11) % 29 } })
        .collect()
}

/// The usual case: something left, a subscription, much use.
pub fn dashboard() -> DashboardPage {
    DashboardPage {
        shell: shell("Dashboard"),
        notice: None,
        units: units(412, 0, 1060),
        plan: PlanView {
            name: "Pro".to_owned(),
            allotment: allotment(500, &words()),
            subscription: Some(SubscriptionView::of("active", Some(now().plus_seconds(86_400 * 9)), false, true)),
        },
        packs: packs(),
        plans: plans(PlanState::Free, PlanState::InPortal, PlanState::Current),
        entries: entries(),
        chart: Chart::of(now(), &uses(30), &words()),
        status_url: None,
    }
}

/// Nothing bought yet, nothing used, one pack without a price at Stripe.
pub fn fresh_dashboard() -> DashboardPage {
    DashboardPage {
        units: units(0, 0, 0),
        plan: free_plan(),
        packs: PackCard::shelf(&[pack("topup_100", 100, 900, true), pack("topup_250", 250, 2000, false)], &words()),
        plans: plans(PlanState::Current, PlanState::ForSale, PlanState::NotAvailable),
        entries: vec![],
        chart: Chart::of(now(), &[], &words()),
        ..dashboard()
    }
}

/// A debt, and a slow payment on its way that will repay it.
pub fn debt_dashboard() -> DashboardPage {
    DashboardPage {
        notice: Some(Notice::pending("100 pictures")),
        units: units(-20, 0, 100),
        plan: free_plan(),
        status_url: Some("/v1/me".to_owned()),
        plans: plans(PlanState::Current, PlanState::ForSale, PlanState::ForSale),
        chart: Chart::of(now(), &uses(1), &words()),
        ..dashboard()
    }
}

/// All of it there, some of it held, just bought, payment overdue, and a user who tries to break the page.
pub fn full_dashboard() -> DashboardPage {
    let note = EntryView::of("spend", -1, Some(HOSTILE), 9, now(), &words());
    DashboardPage {
        shell: Shell::signed_in(
            "Dashboard",
            "t",
            Person { id: "x".to_owned(), name: Some(HOSTILE.to_owned()), email: None },
        ),
        notice: Some(Notice::added("1,000 pictures")),
        units: units(1000, 250, 1000),
        plan: PlanView {
            subscription: Some(SubscriptionView::of("past_due", Some(now()), false, true)),
            name: HOSTILE.to_owned(),
            ..free_plan()
        },
        entries: vec![note],
        ..dashboard()
    }
}

fn free_plan() -> PlanView {
    PlanView { name: "Free".to_owned(), allotment: allotment(0, &words()), subscription: None }
}

pub fn pricing(shell: Shell) -> PricingPage {
    PricingPage {
        shell,
        words: words(),
        plans: plans(PlanState::Free, PlanState::ForSale, PlanState::ForSale),
        packs: packs(),
    }
}

pub fn returned(outcome: Outcome) -> ReturnedPage {
    let links = [Link::back_to("https://studio.example.com/albums?x=1&y=2"), Some(Link::dashboard())];
    let mut page = ReturnedPage {
        shell: shell(""),
        words: words(),
        outcome,
        status_url: "/billing/return?session_id=cs_test_1".to_owned(),
        links: links.into_iter().flatten().collect(),
    };
    page.shell.title = page.title();
    page
}

pub fn outcomes() -> [(&'static str, Outcome); 8] {
    [
        ("credited", Outcome::Credited { added: 100, remaining: 112 }),
        ("subscribed", Outcome::Subscribed { plan: "Starter".to_owned(), remaining: 100 }),
        ("confirming", Outcome::Confirming),
        ("pending", Outcome::Pending { units: 100 }),
        ("failed", Outcome::Failed),
        ("expired", Outcome::Expired),
        ("not-completed", Outcome::NotCompleted),
        ("stripe-unavailable", Outcome::StripeUnavailable),
    ]
}

pub fn login(state: LoginState) -> LoginPage {
    LoginPage { shell: Shell::visitor("Sign in"), state }
}

pub fn error() -> ErrorPage {
    ErrorPage {
        shell: Shell::visitor("Not found"),
        status: 404,
        title: "This page does not exist".to_owned(),
        sentence: format!("There is nothing at {HOSTILE}."),
        advice: "Check the address, or start from your dashboard.".to_owned(),
        links: vec![Link::dashboard(), Link::to("/", "See the prices")],
    }
}
