//! The words of each letter, in English. A letter has one form: a title, sentences, rows of facts, one button, and notes.
//! What a stranger can choose, such as a user's name, is in none of them: letters also go to addresses that a stranger typed.

use jiff::tz::TimeZone;

use super::letter::Letter;
use crate::catalog::{Catalog, MailKind};
use crate::money::{Currency, Money, grouped};

/// What letters say about the shop.
#[derive(Clone, Debug)]
pub struct ShopWords<'a> {
    pub catalog: &'a Catalog,
    /// Where units are bought.
    pub dashboard_url: String,
    /// Whether no real money moves.
    pub is_test: bool,
}

impl ShopWords<'_> {
    /// What the shop is called.
    pub fn name(&self) -> &str {
        self.catalog.shop.name.as_deref().unwrap_or("till")
    }
}

/// A letter in words.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterWords {
    pub subject: String,
    pub title: String,
    pub sentences: Vec<String>,
    /// A label and what it says.
    pub rows: Vec<(&'static str, String)>,
    /// A label and where it leads.
    pub button: Option<(String, String)>,
    pub notes: Vec<String>,
}

impl LetterWords {
    pub fn of(shop: &ShopWords<'_>, letter: &Letter) -> LetterWords {
        let words = match letter {
            Letter::SignIn { url, minutes } => sign_in(shop, url, *minutes),
            Letter::PasswordReset { url, minutes } => password_reset(shop, url, *minutes),
            Letter::AddressChange { url, minutes } => address_change(shop, url, *minutes),
            Letter::AddressChanged { new_address } => address_changed(shop, new_address),
            Letter::Invite { url } => invite(shop, url),
            Letter::Welcome {} => welcome(shop),
            Letter::Receipt { .. } => receipt(shop, letter),
            Letter::PaymentFailed { .. } => payment_failed(shop, letter),
            Letter::PlanEnds { plan, at, has_ended } => plan_ends(shop, plan, *at, *has_ended),
            Letter::UnitsExpire { units, at } => units_expire(shop, *units, *at),
            Letter::LowBalance { remaining, threshold } => low_balance(shop, *remaining, *threshold),
            Letter::Test {} => test(shop),
        };
        let is_about_money = matches!(letter, Letter::Receipt { .. } | Letter::PaymentFailed { .. });
        let test = (is_about_money && shop.is_test).then(|| "Test mode: no real money moved.".to_owned());
        LetterWords { notes: words.notes.into_iter().chain(test).collect(), ..words }
    }

    fn new(subject: String, sentences: &[&str]) -> LetterWords {
        let sentences = sentences.iter().map(|&sentence| sentence.to_owned()).collect();
        LetterWords { title: subject.clone(), subject, sentences, rows: vec![], button: None, notes: vec![] }
    }

    fn with_button(self, label: &str, url: &str) -> LetterWords {
        LetterWords { button: Some((label.to_owned(), url.to_owned())), ..self }
    }

    fn with_note(mut self, note: &str) -> LetterWords {
        self.notes.push(note.to_owned());
        self
    }
}

/// The letters of a kind, after "no more".
pub fn kind_in_words(kind: MailKind) -> &'static str {
    match kind {
        MailKind::Welcome => "welcome letters",
        MailKind::PlanEnds => "letters about the end of your plan",
        MailKind::UnitsExpire => "letters before something expires",
        MailKind::LowBalance => "letters about a low balance",
        MailKind::Receipt => "receipts",
        MailKind::PaymentFailed => "letters about payments that failed",
        MailKind::SignIn => "sign-in links",
        MailKind::PasswordReset => "links to a new password",
        MailKind::AddressChange | MailKind::AddressChanged => "letters about your address",
        MailKind::Invite => "invitations",
        MailKind::Test => "tests",
    }
}

fn sign_in(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let works = format!("The link works once, for {}.", minutes_in_words(minutes));
    LetterWords::new(format!("Sign in to {}", shop.name()), &["Somebody asked to sign in with this address.", &works])
        .with_button("Sign in", url)
        .with_note("That was not you? Then do nothing. Do not pass the link on: it lets its reader in.")
}

fn password_reset(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let works = format!("The link works once, for {}.", minutes_in_words(minutes));
    LetterWords::new(
        format!("A new password for {}", shop.name()),
        &["Somebody asked for a new password for the account with this address.", &works],
    )
    .with_button("Choose a new password", url)
    .with_note("That was not you? Then do nothing: the old password stays. Do not pass the link on.")
}

fn address_change(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let works = format!("The link works once, for {}.", minutes_in_words(minutes));
    LetterWords::new(
        format!("Confirm your address for {}", shop.name()),
        &["Somebody gave this address as that of their account. Confirm it if that was you.", &works],
    )
    .with_button("Confirm the address", url)
    .with_note("That was not you? Then do nothing, and the address is not used.")
}

fn address_changed(shop: &ShopWords<'_>, new_address: &str) -> LetterWords {
    let now = format!("Your account's address is now {new_address}. Letters go there from now on.");
    LetterWords::new(format!("Your address at {} was changed", shop.name()), &[&now])
        .with_note("That was not you? Write to the support at once.")
}

fn invite(shop: &ShopWords<'_>, url: &str) -> LetterWords {
    LetterWords::new(format!("You are invited to {}", shop.name()), &["Make your account with the link below."])
        .with_button("Make an account", url)
        .with_note("You did not expect this? Then do nothing. Do not pass the link on.")
}

fn welcome(shop: &ShopWords<'_>) -> LetterWords {
    LetterWords::new(
        format!("Welcome to {}", shop.name()),
        &["Your account is ready, and this address belongs to it.", "Receipts and notices come here."],
    )
    .with_button("Go to your dashboard", &shop.dashboard_url)
}

fn receipt(shop: &ShopWords<'_>, letter: &Letter) -> LetterWords {
    let Letter::Receipt { offers, units, amount, currency, paid_at, balance } = letter else {
        return LetterWords::new(String::new(), &[]);
    };
    let unit = &shop.catalog.unit;
    let bought = unit.count(*units);
    let rows = vec![
        ("Bought", offers.join(", ")),
        ("Credited", bought.clone()),
        ("Paid", money(*amount, currency)),
        ("Date", date(*paid_at)),
        ("Balance", unit.count(*balance)),
    ];
    let words = LetterWords::new(
        format!("Your receipt from {}: {bought}", shop.name()),
        &["Thank you. What you paid for is on your account."],
    );
    LetterWords { rows, ..words }.with_button("Go to your dashboard", &shop.dashboard_url)
}

fn payment_failed(shop: &ShopWords<'_>, letter: &Letter) -> LetterWords {
    let Letter::PaymentFailed { plan, amount, currency, next_attempt_at } = letter else {
        return LetterWords::new(String::new(), &[]);
    };
    let failed = format!("{} for {plan} could not be charged.", money(*amount, currency));
    let next = match next_attempt_at {
        Some(at) => format!("It is tried again on {}.", date(*at)),
        None => "It is not tried again by itself.".to_owned(),
    };
    LetterWords::new(
        format!("Your payment to {} failed", shop.name()),
        &[&failed, &next, "Check your means of payment, or take another one, to keep your plan."],
    )
    .with_button("Go to your dashboard", &shop.dashboard_url)
}

fn plan_ends(shop: &ShopWords<'_>, plan: &str, at: i64, has_ended: bool) -> LetterWords {
    let on = date(at);
    let words = match has_ended {
        true => LetterWords::new(
            format!("Your plan {plan} at {} has ended", shop.name()),
            &[&format!("It ended on {on} and is not charged again."), "Your account and your history stay."],
        ),
        false => LetterWords::new(
            format!("Your plan {plan} at {} ends on {on}", shop.name()),
            &[&format!("Until {on} nothing changes. After that it is not charged again.")],
        ),
    };
    words.with_button("Go to your dashboard", &shop.dashboard_url)
}

fn units_expire(shop: &ShopWords<'_>, units: i64, at: i64) -> LetterWords {
    let (count, on) = (shop.catalog.unit.count(units), date(at));
    let verb = if units == 1 { "expires" } else { "expire" };
    LetterWords::new(
        format!("{count} at {} {verb} on {on}", shop.name()),
        &[&format!("{count} on your account {verb} on {on} if not used before.")],
    )
    .with_button("Go to your dashboard", &shop.dashboard_url)
}

fn low_balance(shop: &ShopWords<'_>, remaining: i64, threshold: i64) -> LetterWords {
    let unit = &shop.catalog.unit;
    let subject = match remaining {
        1.. => format!("{} left at {}", unit.count(remaining), shop.name()),
        _ => format!("No {} left at {}", unit.plural, shop.name()),
    };
    let balance = format!("Your balance is {}. It fell below {}.", unit.count(remaining), grouped(threshold));
    LetterWords::new(subject, &[&balance]).with_button("Buy more", &shop.dashboard_url)
}

fn test(shop: &ShopWords<'_>) -> LetterWords {
    LetterWords::new(
        format!("Mail from {} works", shop.name()),
        &["The command till check sent this letter.", "Letters to buyers look like it."],
    )
    .with_button("Go to the dashboard", &shop.dashboard_url)
}

fn minutes_in_words(minutes: i64) -> String {
    if minutes == 1 { "1 minute".to_owned() } else { format!("{minutes} minutes") }
}

/// An amount with all its decimals. Stripe's codes are of three letters; any other text is shown as it is.
fn money(amount: i64, currency: &str) -> String {
    match Currency::new(currency) {
        Some(currency) => Money::new(amount, currency).to_the_cent(),
        None => format!("{} {currency}", grouped(amount)),
    }
}

/// `24 November 2026`, in UTC.
fn date(millis: i64) -> String {
    let instant = jiff::Timestamp::from_millisecond(millis).unwrap_or_default();
    TimeZone::UTC.to_datetime(instant).strftime("%-d %B %Y").to_string()
}
