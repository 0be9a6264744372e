//! Reads the operator's catalogue from TOML. Only the shape is checked here; `rules` checks the values. Every fault names
//! its line and what was expected there.

use std::fmt;

use serde::{Deserialize, Deserializer, de};
use toml::Spanned;

use super::default_names::{pack_name, plan_name};
use super::rules::DAYS_LIMIT;
use super::{
    Catalog, Expiry, Interval, LocalText, MailSwitches, PACKS_TAKE_CODES, PLANS_TAKE_CODES, Pack, Place, Plan, Selling,
    Shop, UnitWords, breaches,
};

/// Faults in the shape of a file that are listed.
const FAULTS_LIMIT: usize = 50;

/// What is wrong with a catalogue file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatalogFault {
    /// Counted from 1; `None` where the whole file is meant.
    pub line: Option<usize>,
    /// What was found and what was expected.
    pub text: String,
}

impl fmt::Display for CatalogFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            Some(line) => write!(f, "line {line}: {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// A catalogue file that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FaultyCatalog {
    /// What is wrong with it: at least one.
    pub faults: Vec<CatalogFault>,
    /// What could be read of it, so that the faults elsewhere can be told with these; `None` if it is no TOML.
    pub rest: Option<Box<Catalog>>,
}

/// Reads a catalogue. What the file leaves out of `[unit]`, `currency` and `low_balance` is as in the built-in catalogue;
/// its plans and packs are the only ones. A fault in the TOML itself is reported alone, those in its shape and its values all at
/// once.
pub fn parse(text: &str) -> Result<Catalog, FaultyCatalog> {
    let (rows, mut faults) = match toml::from_str::<CatalogRows>(text) {
        Ok(rows) => (rows, vec![]),
        Err(first) => match faults_of_shape(text, first) {
            (Some(rows), faults) => (rows, faults),
            (None, faults) => return Err(FaultyCatalog { faults, rest: None }),
        },
    };
    let lines = |keys: Vec<&Spanned<String>>| -> Vec<usize> {
        keys.iter().map(|key| line_of(text, key.span().start)).collect()
    };
    let plan_lines = lines(rows.plan.iter().map(|row| &row.key).collect());
    let pack_lines = lines(rows.pack.iter().map(|row| &row.key).collect());

    let catalog = rows.into_catalog();
    let line = |place| match place {
        Place::Plan(index) => plan_lines.get(index).copied(),
        Place::Pack(index) => pack_lines.get(index).copied(),
        Place::Whole => None,
    };
    // Where lines were left out, nothing can be said of the whole.
    let is_whole = faults.is_empty();
    let found = breaches(&catalog).into_iter().filter(|breach| is_whole || breach.place != Place::Whole);
    faults.extend(found.map(|breach| CatalogFault { line: line(breach.place), text: breach.text }));
    if faults.is_empty() { Ok(catalog) } else { Err(FaultyCatalog { faults, rest: Some(Box::new(catalog)) }) }
}

/// The first fault and those behind it: what is faulty is left out, and the rest is read again. With it comes what was read at last.
fn faults_of_shape(text: &str, first: toml::de::Error) -> (Option<CatalogRows>, Vec<CatalogFault>) {
    let (mut left, mut error, mut found) = (text.to_owned(), first, vec![]);
    loop {
        let span = error.span();
        let line = span.as_ref().map(|span| line_of(text, span.start));
        let missing = error.message().strip_prefix("missing field `").and_then(|rest| rest.split('`').next());
        let begin = span.as_ref().map_or(0, |span| span.start);
        let lines = lines_around(text, begin, span.map_or(begin, |span| span.end));
        // Without the head of a table the lines below it would belong to the table above.
        let is_head = text.get(lines.0..).is_some_and(|line| line.trim_start().starts_with('['));
        let (begin, end) = if missing.is_some() || is_head { section(text, begin) } else { lines };
        // One that was left out here is there, and was told of.
        let is_left_out = missing.is_some_and(|name| {
            let lines = text.get(begin..end).unwrap_or_default().lines();
            lines.into_iter().any(|line| line.split('=').next().is_some_and(|key| key.trim() == name))
        });
        if !is_left_out {
            found.push(CatalogFault { line, text: with_nearest(error.message()) });
        }
        let blank: String = text.get(begin..end).unwrap_or_default().chars().filter(|letter| *letter == '\n').collect();
        let kept = left.len();
        // As long as it was, so that each place in it stays the same.
        let spaces = " ".repeat(end.saturating_sub(begin).saturating_sub(blank.len()));
        let (before, behind) = (left.get(..begin).unwrap_or_default(), left.get(end..).unwrap_or_default());
        let next = format!("{before}{spaces}{blank}{behind}");
        if next == left
            || next.len() != kept
            || found.len() >= FAULTS_LIMIT
            || toml::from_str::<toml::Table>(&next).is_err()
        {
            return (None, found);
        }
        left = next;
        match toml::from_str::<CatalogRows>(&left) {
            Ok(rows) => return (Some(rows), found),
            Err(next) => error = next,
        }
    }
}

/// The whole lines from one place to another.
fn lines_around(text: &str, begin: usize, end: usize) -> (usize, usize) {
    let before = text.get(..begin).unwrap_or_default();
    let behind = text.get(end..).unwrap_or_default();
    let begin = before.rfind('\n').map_or(0, |at| at + 1);
    (begin, end + behind.find('\n').unwrap_or(behind.len()))
}

/// From the line of this place to where the next table begins.
fn section(text: &str, place: usize) -> (usize, usize) {
    let (begin, end_of_line) = lines_around(text, place, place);
    let behind = text.get(end_of_line..).unwrap_or_default();
    (begin, end_of_line + behind.find("\n[").unwrap_or(behind.len()))
}

/// The words of a fault; of an unknown name also the known one that is nearest to it.
fn with_nearest(message: &str) -> String {
    let mut names = message.split('`').skip(1).step_by(2);
    let unknown = message.strip_prefix("unknown field `").and_then(|_| names.next());
    let nearest = unknown.and_then(|unknown| names.min_by_key(|known| strsim::levenshtein(unknown, known)));
    nearest.map_or_else(|| message.to_owned(), |nearest| format!("{message}; the nearest known name is `{nearest}`"))
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CatalogRows {
    unit: Option<UnitRow>,
    currency: Option<String>,
    #[serde(default, deserialize_with = "some_units")]
    low_balance: Option<i64>,
    #[serde(default)]
    shop: Shop,
    #[serde(default)]
    selling: Selling,
    #[serde(default)]
    mail: MailSwitches,
    #[serde(default)]
    plan: Vec<PlanRow>,
    #[serde(default)]
    pack: Vec<PackRow>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct UnitRow {
    singular: LocalText,
    plural: LocalText,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PlanRow {
    key: Spanned<String>,
    name: Option<LocalText>,
    #[serde(deserialize_with = "amount")]
    amount: i64,
    #[serde(deserialize_with = "units")]
    units: i64,
    #[serde(default)]
    interval: Interval,
    price_id: Option<String>,
    #[serde(default)]
    older_price_ids: Vec<String>,
    #[serde(default)]
    features: Vec<String>,
    alias: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "expiry")]
    expiry: Expiry,
    promotion_codes: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PackRow {
    key: Spanned<String>,
    name: Option<LocalText>,
    #[serde(deserialize_with = "amount")]
    amount: i64,
    #[serde(deserialize_with = "units")]
    units: i64,
    price_id: Option<String>,
    #[serde(default)]
    older_price_ids: Vec<String>,
    #[serde(default)]
    features: Vec<String>,
    alias: Option<String>,
    #[serde(default)]
    aliases: Vec<String>,
    #[serde(default, deserialize_with = "expiry")]
    expiry: Expiry,
    promotion_codes: Option<bool>,
}

impl CatalogRows {
    fn into_catalog(self) -> Catalog {
        let built_in = Catalog::built_in();
        let unit =
            self.unit.map(|row| UnitWords { singular: row.singular, plural: row.plural }).unwrap_or(built_in.unit);
        let currency = self.currency.map(|code| code.to_ascii_lowercase()).unwrap_or(built_in.currency);
        let low_balance = self.low_balance.unwrap_or(built_in.low_balance);
        let plans = self.plan.into_iter().map(PlanRow::into_plan).collect();
        let packs = self.pack.into_iter().map(|row| row.into_pack(&unit)).collect();
        Catalog { unit, currency, low_balance, shop: self.shop, selling: self.selling, mail: self.mail, plans, packs }
    }
}

impl PlanRow {
    fn into_plan(self) -> Plan {
        let key = self.key.into_inner();
        Plan {
            name: self.name.unwrap_or_else(|| plan_name(&key).into()),
            key,
            amount: self.amount,
            units: self.units,
            interval: self.interval,
            price_id: self.price_id.filter(|id| !id.is_empty()),
            older_price_ids: self.older_price_ids,
            features: self.features,
            aliases: self.alias.into_iter().chain(self.aliases).collect(),
            expiry: self.expiry,
            promotion_codes: self.promotion_codes.unwrap_or(PLANS_TAKE_CODES),
        }
    }
}

impl PackRow {
    fn into_pack(self, unit: &UnitWords) -> Pack {
        Pack {
            key: self.key.into_inner(),
            name: self.name.unwrap_or_else(|| pack_name(self.units, unit).into()),
            amount: self.amount,
            units: self.units,
            price_id: self.price_id.filter(|id| !id.is_empty()),
            older_price_ids: self.older_price_ids,
            features: self.features,
            aliases: self.alias.into_iter().chain(self.aliases).collect(),
            expiry: self.expiry,
            promotion_codes: self.promotion_codes.unwrap_or(PACKS_TAKE_CODES),
        }
    }
}

fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|&byte| byte == b'\n').count() + 1
}

/// A whole number whose refusal says what it counts.
struct Whole(&'static str);

impl de::Visitor<'_> for Whole {
    type Value = i64;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.0)
    }

    fn visit_i64<E: de::Error>(self, count: i64) -> Result<i64, E> {
        Ok(count)
    }

    fn visit_u64<E: de::Error>(self, count: u64) -> Result<i64, E> {
        i64::try_from(count).map_err(|_| E::invalid_value(de::Unexpected::Unsigned(count), &self))
    }
}

fn amount<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_i64(Whole("an amount in the currency's minor unit, such as 900 for $9.00"))
}

fn units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<i64, D::Error> {
    deserializer.deserialize_i64(Whole("a whole number of units, such as 100"))
}

fn some_units<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<i64>, D::Error> {
    units(deserializer).map(Some)
}

struct ExpiryVisitor;

impl de::Visitor<'_> for ExpiryVisitor {
    type Value = Expiry;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "\"never\", \"period_end\" or a number of days from 1 to {DAYS_LIMIT}, such as 90")
    }

    fn visit_str<E: de::Error>(self, word: &str) -> Result<Expiry, E> {
        match word {
            "never" => Ok(Expiry::Never),
            "period_end" => Ok(Expiry::PeriodEnd),
            _ => Err(E::invalid_value(de::Unexpected::Str(word), &self)),
        }
    }

    fn visit_i64<E: de::Error>(self, days: i64) -> Result<Expiry, E> {
        let refusal = |_| E::invalid_value(de::Unexpected::Signed(days), &self);
        u32::try_from(days).map(Expiry::Days).map_err(refusal)
    }
}

fn expiry<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Expiry, D::Error> {
    deserializer.deserialize_any(ExpiryVisitor)
}
