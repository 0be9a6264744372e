//! The words of each letter, from `templates/words/` in the reader's language. A letter has one form: a title, sentences, rows
//! of facts, one button, and notes. What a stranger can choose, such as a user's name, is in none of them: letters also go to
//! addresses that a stranger typed.

use super::letter::{Letter, PackReceipt, PaymentFailure};
use crate::catalog::{Catalog, MailKind};
use crate::clock::Timestamp;
use crate::language::Language;

/// What letters say about the shop, and in which language.
#[derive(Clone, Debug)]
pub struct ShopWords<'a> {
    pub catalog: &'a Catalog,
    pub language: Language,
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

    fn units(&self, count: i64) -> String {
        self.catalog.unit.count(count, self.language)
    }

    fn date(&self, millis: i64) -> String {
        self.language.date(Timestamp::from_millis(millis))
    }

    fn money(&self, amount: i64, currency: &str) -> String {
        self.language.amount_in(amount, currency)
    }

    /// What a plan or pack is called; its key where it is not in the catalogue any more.
    fn offer(&self, key: &str) -> String {
        let offer = self.catalog.offer(key);
        offer.map_or_else(|| key.to_owned(), |offer| offer.title(&self.catalog.unit, self.language))
    }
}

/// A letter in words.
#[derive(Clone, PartialEq, Eq)]
pub struct LetterWords {
    pub title: String,
    pub sentences: Vec<String>,
    /// A label and what it says.
    pub rows: Vec<(&'static str, String)>,
    /// A label and where it leads.
    pub button: Option<(&'static str, String)>,
    pub notes: Vec<&'static str>,
}

impl LetterWords {
    pub fn of(shop: &ShopWords<'_>, letter: &Letter) -> LetterWords {
        let mut words = match letter {
            Letter::SignIn { url, minutes } => sign_in(shop, url, *minutes),
            Letter::SignUp { url, minutes } => sign_up(shop, url, *minutes),
            Letter::PasswordReset { url, minutes } => password_reset(shop, url, *minutes),
            Letter::AddressChange { url, minutes } => address_change(shop, url, *minutes),
            Letter::AddressChanged { new_address } => address_changed(shop, new_address),
            Letter::Invite { url } => invite(shop, url),
            Letter::Welcome {} => welcome(shop),
            Letter::Receipt(paid) => receipt(shop, paid),
            Letter::PaymentFailed(failure) => payment_failed(shop, failure),
            Letter::PlanEnds { plan, at, has_ended } => plan_ends(shop, plan, *at, *has_ended),
            Letter::UnitsExpire { units, at } => units_expire(shop, *units, *at),
            Letter::LowBalance { remaining, threshold } => low_balance(shop, *remaining, *threshold),
            Letter::Test {} => check(shop),
        };
        if shop.is_test && matches!(letter, Letter::Receipt(_) | Letter::PaymentFailed(_)) {
            words.notes.push(shop.language.mail_test_mode());
        }
        words
    }

    fn new(title: String, sentences: impl IntoIterator<Item = String>) -> LetterWords {
        let sentences = sentences.into_iter().collect();
        LetterWords { title, sentences, rows: vec![], button: None, notes: vec![] }
    }

    fn with_button(self, label: &'static str, url: &str) -> LetterWords {
        LetterWords { button: Some((label, url.to_owned())), ..self }
    }

    fn leading_to_dashboard(self, shop: &ShopWords<'_>) -> LetterWords {
        self.with_button(shop.language.shell_to_dashboard(), &shop.dashboard_url)
    }

    fn with_note(self, note: &'static str) -> LetterWords {
        LetterWords { notes: vec![note], ..self }
    }
}

/// What somebody does who refuses a kind of letter.
pub fn refusal_in_words(kind: MailKind, language: Language) -> &'static str {
    match kind {
        MailKind::Welcome => language.unsubscribe_welcome(),
        MailKind::PlanEnds => language.unsubscribe_plan_ends(),
        MailKind::UnitsExpire => language.unsubscribe_units_expire(),
        MailKind::LowBalance => language.unsubscribe_low_balance(),
        _ => language.unsubscribe_other(),
    }
}

fn sign_in(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_somebody_asked().to_owned(), language.mail_link_works(minutes)];
    LetterWords::new(language.mail_sign_in_title(shop.name()), sentences)
        .with_button(language.shell_sign_in(), url)
        .with_note(language.mail_not_you())
}

fn sign_up(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_sign_up_sentence().to_owned(), language.mail_link_works(minutes)];
    LetterWords::new(language.mail_sign_up_title(shop.name()), sentences)
        .with_button(language.letters_make_button(), url)
        .with_note(language.mail_sign_up_note())
}

fn password_reset(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_password_sentence().to_owned(), language.mail_link_works(minutes)];
    LetterWords::new(language.mail_password_title(shop.name()), sentences)
        .with_button(language.mail_password_button(), url)
        .with_note(language.mail_password_note())
}

fn address_change(shop: &ShopWords<'_>, url: &str, minutes: i64) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_confirm_sentence().to_owned(), language.mail_link_works(minutes)];
    LetterWords::new(language.mail_confirm_title(shop.name()), sentences)
        .with_button(language.mail_confirm_button(), url)
        .with_note(language.mail_confirm_note())
}

fn address_changed(shop: &ShopWords<'_>, new_address: &str) -> LetterWords {
    let language = shop.language;
    LetterWords::new(language.mail_changed_title(shop.name()), [language.mail_changed_sentence(new_address)])
        .with_note(language.mail_changed_note())
}

fn invite(shop: &ShopWords<'_>, url: &str) -> LetterWords {
    let language = shop.language;
    LetterWords::new(language.mail_invite_title(shop.name()), [language.mail_invite_sentence().to_owned()])
        .with_button(language.mail_invite_button(), url)
        .with_note(language.mail_invite_note())
}

fn welcome(shop: &ShopWords<'_>) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_welcome_sentence().to_owned(), language.mail_welcome_more().to_owned()];
    LetterWords::new(language.mail_welcome_title(shop.name()), sentences).leading_to_dashboard(shop)
}

fn receipt(shop: &ShopWords<'_>, paid: &PackReceipt) -> LetterWords {
    let language = shop.language;
    let bought: Vec<String> = paid.offers.iter().map(|key| shop.offer(key)).collect();
    let rows = vec![
        (language.mail_bought(), bought.join(", ")),
        (language.mail_credited(), shop.units(paid.units)),
        (language.mail_paid(), shop.money(paid.amount, &paid.currency)),
        (language.mail_date(), shop.date(paid.paid_at)),
        (language.mail_balance(), shop.units(paid.balance)),
    ];
    let title = language.mail_receipt_title(shop.name(), shop.units(paid.units));
    let words = LetterWords::new(title, [language.mail_receipt_sentence().to_owned()]);
    LetterWords { rows, ..words }.leading_to_dashboard(shop)
}

fn payment_failed(shop: &ShopWords<'_>, failure: &PaymentFailure) -> LetterWords {
    let language = shop.language;
    let next = match failure.next_attempt_at {
        Some(at) => language.mail_failed_again(shop.date(at)),
        None => language.mail_failed_last().to_owned(),
    };
    let failed =
        language.mail_failed_sentence(shop.money(failure.amount, &failure.currency), shop.offer(&failure.plan));
    let sentences = [failed, next, language.mail_failed_advice().to_owned()];
    LetterWords::new(language.mail_failed_title(shop.name()), sentences).leading_to_dashboard(shop)
}

fn plan_ends(shop: &ShopWords<'_>, plan: &str, at: i64, has_ended: bool) -> LetterWords {
    let (language, plan, on) = (shop.language, shop.offer(plan), shop.date(at));
    let words = match has_ended {
        true => {
            let sentences = [language.mail_ended_sentence(&on), language.mail_ended_more().to_owned()];
            LetterWords::new(language.mail_ended_title(plan, shop.name()), sentences)
        }
        false => {
            let title = language.mail_ends_title(plan, shop.name(), &on);
            LetterWords::new(title, [language.mail_ends_sentence(&on)])
        }
    };
    words.leading_to_dashboard(shop)
}

fn units_expire(shop: &ShopWords<'_>, units: i64, at: i64) -> LetterWords {
    let (language, count, on) = (shop.language, shop.units(units), shop.date(at));
    let title = language.mail_expire_title(units, &count, shop.name(), &on);
    LetterWords::new(title, [language.mail_expire_sentence(units, &count, &on)]).leading_to_dashboard(shop)
}

fn low_balance(shop: &ShopWords<'_>, remaining: i64, threshold: i64) -> LetterWords {
    let language = shop.language;
    let title = match remaining {
        1.. => language.mail_low_title(shop.units(remaining), shop.name()),
        _ => language.mail_low_title_none(shop.catalog.unit.many(language), shop.name()),
    };
    let balance = language.mail_low_sentence(shop.units(remaining), language.number(threshold));
    LetterWords::new(title, [balance]).with_button(language.mail_low_button(), &shop.dashboard_url)
}

fn check(shop: &ShopWords<'_>) -> LetterWords {
    let language = shop.language;
    let sentences = [language.mail_check_sentence().to_owned(), language.mail_check_more().to_owned()];
    LetterWords::new(language.mail_check_title(shop.name()), sentences).leading_to_dashboard(shop)
}
