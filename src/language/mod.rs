//! The languages of pages and mails. The words are in `templates/words/`, one file for each language; `build/words.rs` makes
//! a method of [`Language`] of each message, so that the compiler finds one that is missing or unused. Here is how numbers,
//! money and dates are written. No request and no catalogue.

mod negotiation;
mod plural;
pub mod refusal;

use std::borrow::Borrow;
use std::fmt::Display;

use jiff::civil::DateTime;

use crate::clock::{self, Timestamp};
use crate::money::{self, Currency, Money, NumberFormat};
use plural::{PluralForm, PluralRule};

include!(concat!(env!("OUT_DIR"), "/words.rs"));

/// The head of a language's file.
struct Grammar {
    tag: &'static str,
    name: &'static str,
    is_right_to_left: bool,
    plural: PluralRule,
    numbers: NumberFormat,
    /// Short and long names, from January on.
    months: [&'static str; 12],
    long_months: [&'static str; 12],
    /// With `{day}`, `{month}` and `{year}`.
    date: &'static str,
    /// A day of a year that is known.
    day: &'static str,
    /// A month with its year.
    month: &'static str,
    /// With `{date}` and `{time}`.
    time: &'static str,
}

impl Language {
    /// Its tag (BCP 47): `de`.
    pub fn tag(self) -> &'static str {
        self.grammar().tag
    }

    /// Its name in itself: `Deutsch`.
    pub fn name(self) -> &'static str {
        self.grammar().name
    }

    /// `rtl` or `ltr`, as HTML's attribute `dir` has it.
    pub fn direction(self) -> &'static str {
        if self.grammar().is_right_to_left { "rtl" } else { "ltr" }
    }

    /// The language with this tag, whatever region or script follows it.
    pub fn of_tag(tag: &str) -> Option<Language> {
        let primary = tag.split(['-', '_']).next()?;
        Language::ALL.into_iter().find(|language| language.tag().eq_ignore_ascii_case(primary))
    }

    /// A count with its digits in groups: `1,000`.
    pub fn number(self, count: i64) -> String {
        money::grouped_by(count, &self.grammar().numbers)
    }

    /// A number with these tenths: `1.5`.
    pub fn decimal(self, whole: i64, tenths: i64) -> String {
        format!("{}{}{tenths}", self.number(whole), self.grammar().numbers.decimal)
    }

    /// A price, without decimals where they are zero: `$9`, `9,50 €`.
    pub fn price(self, price: Money) -> String {
        price.short(&self.grammar().numbers)
    }

    /// An amount as an invoice writes it: `$9.00`.
    pub fn amount(self, amount: Money) -> String {
        amount.long(&self.grammar().numbers)
    }

    /// The same of a currency's code. Stripe's have three letters; any other text is shown as it is.
    pub fn amount_in(self, amount: i64, currency: &str) -> String {
        match Currency::new(currency) {
            Some(currency) => self.amount(Money::new(amount, currency)),
            None => format!("{} {currency}", self.number(amount)),
        }
    }

    /// The price of one of `units`: `9¢`, and whether it is exact.
    pub fn price_per_unit(self, price: Money, units: i64) -> Option<(String, bool)> {
        price.per_unit_by(units, &self.grammar().numbers)
    }

    /// `24 Nov 2026`, in UTC.
    pub fn date(self, at: Timestamp) -> String {
        self.written(at, self.grammar().date, &self.grammar().months)
    }

    /// `24 Nov`, in UTC.
    pub fn day(self, at: Timestamp) -> String {
        self.written(at, self.grammar().day, &self.grammar().months)
    }

    /// `November 2026`, in UTC.
    pub fn month(self, at: Timestamp) -> String {
        self.written(at, self.grammar().month, &self.grammar().long_months)
    }

    /// `Nov 2026`, in UTC.
    pub fn short_month(self, at: Timestamp) -> String {
        self.written(at, self.grammar().month, &self.grammar().months)
    }

    /// `24 Nov 2026, 05:23 UTC`.
    pub fn time(self, at: Timestamp) -> String {
        self.grammar().time.replace("{date}", &self.date(at)).replace("{time}", &self.clock(at))
    }

    /// `05:23`, in UTC.
    pub fn clock(self, at: Timestamp) -> String {
        civil(at).strftime("%H:%M").to_string()
    }

    fn written(self, at: Timestamp, pattern: &str, months: &[&str; 12]) -> String {
        let at = civil(at);
        let month = usize::try_from(at.month()).ok().and_then(|month| months.get(month.saturating_sub(1)));
        let pattern = pattern.replace("{day}", &at.day().to_string());
        pattern.replace("{month}", month.copied().unwrap_or_default()).replace("{year}", &at.year().to_string())
    }

    fn plural_form(self, count: i64) -> PluralForm {
        self.grammar().plural.form(count)
    }
}

fn civil(at: Timestamp) -> DateTime {
    clock::civil(at).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_money_and_dates_are_written_as_each_language_does() {
        let at = Timestamp::from_seconds(1_795_497_780);
        let usd = |amount| Money::new(amount, Currency::new("usd").unwrap());
        let eur = |amount| Money::new(amount, Currency::new("eur").unwrap());
        let written = |language: Language| {
            [
                language.number(-1_234_567),
                language.price(usd(900)),
                language.price(eur(950)),
                language.amount(eur(123_456)),
                language.price_per_unit(usd(2900), 500).unwrap().0,
                language.date(at),
                language.day(at),
                language.month(at),
                language.time(at),
            ]
        };
        let english = [
            "-1,234,567",
            "$9",
            "€9.50",
            "€1,234.56",
            "5.8¢",
            "24 Nov 2026",
            "24 Nov",
            "November 2026",
            "24 Nov 2026, 05:23 UTC",
        ];
        assert_eq!(written(Language::En), english);
        let german = [
            "-1.234.567",
            "9\u{a0}$",
            "9,50\u{a0}€",
            "1.234,56\u{a0}€",
            "0,058\u{a0}$",
            "24. Nov. 2026",
            "24. Nov.",
            "November 2026",
            "24. Nov. 2026, 05:23 UTC",
        ];
        assert_eq!(written(Language::De), german);
    }

    #[test]
    fn a_language_is_found_by_its_tag() {
        for (tag, found) in [
            ("de", Some(Language::De)),
            ("DE-at", Some(Language::De)),
            ("en_US", Some(Language::En)),
            ("deu", None),
            ("", None),
        ] {
            assert_eq!(Language::of_tag(tag), found, "{tag}");
        }
    }
}
