//! What is on sale: plans, packs and the words for a unit. Here are the catalogue's types, the
//! built-in catalogue, look-ups, and how long units live. `file` reads the operator's file, `rules` says what every
//! catalogue must satisfy. No environment (that is `config`), no Stripe calls, no money arithmetic.

mod default_names;
mod file;
mod local_text;
mod mail;
mod rules;
mod selling;
mod shop;
mod unit_words;

pub use default_names::{price_id_variable, units_variable};
pub use file::{CatalogFault, FaultyCatalog, parse};
pub use local_text::LocalText;
pub use mail::{MailKind, MailSwitches};
pub use rules::{Breach, Field, LOW_BALANCE_LIMIT, Place, breaches, price_id_fault};
pub use selling::Selling;
pub use shop::Shop;
pub use unit_words::UnitWords;

use crate::clock::{DAY_SECONDS, Timestamp};
use crate::language::Language;
use default_names::{pack_name, plan_name};

/// The threshold of the built-in catalogue.
const LOW_BALANCE: i64 = 10;

/// Whether promotion codes are taken where the catalogue does not say. A code is mostly meant for the first month of a
/// plan. With it, a pack could be bought for nothing again and again.
const PLANS_TAKE_CODES: bool = true;
const PACKS_TAKE_CODES: bool = false;

/// Everything that is on sale.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Catalog {
    pub unit: UnitWords,
    /// The three-letter currency of every amount, lower case as Stripe writes it.
    pub currency: String,
    /// Units below which a balance is low, where a user has no threshold of their own.
    pub low_balance: i64,
    /// Who sells.
    pub shop: Shop,
    /// The terms of every sale.
    pub selling: Selling,
    /// Which letters are sent.
    pub mail: MailSwitches,
    /// Subscriptions, in the order in which pages show them.
    pub plans: Vec<Plan>,
    /// One-time top-ups, in the order in which pages show them.
    pub packs: Vec<Pack>,
}

/// A monthly or yearly subscription.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// What callers write, `[a-z0-9_]{1,40}`.
    pub key: String,
    pub name: LocalText,
    /// The price of one interval in the currency's minor unit; 0 for the free plan.
    pub amount: i64,
    /// Units allotted each month, also when the interval is a year.
    pub units: i64,
    pub interval: Interval,
    /// Stripe's price, once it is known.
    pub price_id: Option<String>,
    /// Earlier prices at Stripe whose subscriptions still run.
    pub older_price_ids: Vec<String>,
    /// What the plan switches on in the calling program, such as `byok`.
    pub features: Vec<String>,
    /// Other keys by which callers may ask for it.
    pub aliases: Vec<String>,
    pub expiry: Expiry,
    /// Whether the buyer may enter a promotion code in the checkout.
    pub promotion_codes: bool,
}

/// A one-time top-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pack {
    /// What callers write, `[a-z0-9_]{1,40}`.
    pub key: String,
    pub name: LocalText,
    /// The price in the currency's minor unit.
    pub amount: i64,
    /// Units that one purchase credits.
    pub units: i64,
    /// Stripe's price, once it is known.
    pub price_id: Option<String>,
    /// Earlier prices at Stripe that old payments may still name.
    pub older_price_ids: Vec<String>,
    /// What the pack switches on in the calling program.
    pub features: Vec<String>,
    /// Other keys by which callers may ask for it.
    pub aliases: Vec<String>,
    pub expiry: Expiry,
    /// Whether the buyer may enter a promotion code in the checkout.
    pub promotion_codes: bool,
}

/// How often a plan is charged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Interval {
    #[default]
    Month,
    /// Its units still come month by month.
    Year,
}

/// How long units live after they were credited.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Expiry {
    #[default]
    Never,
    /// Until the paid period ends; plans only.
    PeriodEnd,
    Days(u32),
}

impl Expiry {
    /// The expiry that an order kept as a number of days.
    pub fn of_days(days: Option<i64>) -> Expiry {
        days.and_then(|days| u32::try_from(days).ok()).map_or(Expiry::Never, Expiry::Days)
    }

    /// How many days units live; `None` where they live for ever, or where the paid period decides.
    pub fn days(self) -> Option<i64> {
        match self {
            Expiry::Days(days) => Some(i64::from(days)),
            Expiry::Never | Expiry::PeriodEnd => None,
        }
    }

    /// For a buyer, before buying: `valid for 365 days`. `None` where units live for ever.
    pub fn words(self, language: Language) -> Option<String> {
        match self {
            Expiry::Never => None,
            Expiry::PeriodEnd => Some(language.offers_valid_for_period().to_owned()),
            Expiry::Days(days) => Some(language.offers_valid_for_days(i64::from(days))),
        }
    }

    /// When units that are credited at `from` expire; `None` where they never do, or where the paid period decides.
    pub fn end(self, from: Timestamp) -> Option<Timestamp> {
        self.days().map(|days| from.plus_seconds(days.saturating_mul(DAY_SECONDS)))
    }
}

/// Something that a buyer can ask for by key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offer<'a> {
    Plan(&'a Plan),
    Pack(&'a Pack),
}

impl Catalog {
    /// The catalogue where the operator gives no file, exactly as the contract states it.
    pub fn built_in() -> Catalog {
        let unit = UnitWords {
            singular: LocalText::from("picture").with(Language::En, "picture").with(Language::De, "Bild"),
            plural: LocalText::from("pictures").with(Language::En, "pictures").with(Language::De, "Bilder"),
        };
        let plan = |key: &str, amount, units, features: &[&str], aliases: &[&str]| Plan {
            key: key.to_owned(),
            name: plan_name(key).into(),
            amount,
            units,
            interval: Interval::Month,
            price_id: None,
            older_price_ids: Vec::new(),
            features: features.iter().map(|&word| word.to_owned()).collect(),
            aliases: aliases.iter().map(|&word| word.to_owned()).collect(),
            expiry: Expiry::Never,
            promotion_codes: PLANS_TAKE_CODES,
        };
        let pack = |key: &str, amount, units| Pack {
            key: key.to_owned(),
            name: pack_name(units, &unit).into(),
            amount,
            units,
            price_id: None,
            older_price_ids: Vec::new(),
            features: Vec::new(),
            aliases: Vec::new(),
            expiry: Expiry::Never,
            promotion_codes: PACKS_TAKE_CODES,
        };
        let plans = vec![
            plan("free", 0, 0, &["byok"], &[]),
            plan("starter", 900, 100, &[], &["tier1"]),
            plan("pro", 2_900, 500, &[], &["tier2"]),
        ];
        let packs = vec![pack("topup_100", 900, 100), pack("topup_250", 2_000, 250)];
        Catalog {
            currency: "usd".to_owned(),
            low_balance: LOW_BALANCE,
            shop: Shop::default(),
            selling: Selling::default(),
            mail: MailSwitches::default(),
            plans,
            packs,
            unit,
        }
    }

    /// Plans first, then packs.
    pub fn offers(&self) -> impl Iterator<Item = Offer<'_>> {
        self.plans.iter().map(Offer::Plan).chain(self.packs.iter().map(Offer::Pack))
    }

    /// The plan or pack with this key or alias.
    pub fn offer(&self, key: &str) -> Option<Offer<'_>> {
        self.offers().find(|offer| offer.key() == key || offer.aliases().iter().any(|alias| alias == key))
    }

    /// The plan or pack that Stripe sells by this price, today's or an older one.
    pub fn by_price(&self, price_id: &str) -> Option<Offer<'_>> {
        self.offers().find(|offer| offer.price_ids().any(|id| id == price_id))
    }

    /// The plan with this key; an alias is not enough.
    pub fn plan(&self, key: &str) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.key == key)
    }

    /// The plan of everyone who does not pay for one.
    pub fn free_plan(&self) -> Option<&Plan> {
        self.plans.iter().find(|plan| plan.amount == 0)
    }

    /// What costs something and was not taken off sale, whether or not its Stripe price is known.
    pub fn for_sale(&self) -> impl Iterator<Item = Offer<'_>> {
        self.offers().filter(|offer| offer.amount() > 0 && !offer.is_retired())
    }

    /// What cannot be sold yet because its Stripe price is not known: its key, and the variable that would name the price.
    pub fn missing_price_ids(&self) -> Vec<(String, String)> {
        let missing = self.for_sale().filter(|offer| offer.price_id().is_none());
        missing.map(|offer| (offer.key().to_owned(), price_id_variable(offer.key()))).collect()
    }

    /// Sets what the plan or pack with this key costs, in the currency's minor unit.
    pub fn set_amount(&mut self, key: &str, amount: i64) {
        let plans = self.plans.iter_mut().filter(|plan| plan.key == key);
        plans.for_each(|plan| plan.amount = amount);
        let packs = self.packs.iter_mut().filter(|pack| pack.key == key);
        packs.for_each(|pack| pack.amount = amount);
    }

    /// Sets the Stripe price of one entry.
    pub fn set_price_id(&mut self, place: Place, price_id: String) {
        let slot = match place {
            Place::Plan(index) => self.plans.get_mut(index).map(|plan| &mut plan.price_id),
            Place::Pack(index) => self.packs.get_mut(index).map(|pack| &mut pack.price_id),
            Place::Whole => None,
        };
        if let Some(slot) = slot {
            *slot = Some(price_id);
        }
    }

    /// Sets the units of one entry. A pack that was named after its units is named after the new ones.
    pub fn set_units(&mut self, place: Place, units: i64) {
        match place {
            Place::Plan(index) => {
                if let Some(plan) = self.plans.get_mut(index) {
                    plan.units = units;
                }
            }
            Place::Pack(index) => {
                if let Some(pack) = self.packs.get_mut(index) {
                    if pack.own_name(&self.unit).is_none() {
                        pack.name = pack_name(units, &self.unit).into();
                    }
                    pack.units = units;
                }
            }
            Place::Whole => {}
        }
    }
}

impl Pack {
    /// The name that the operator gave it; `None` if it is named after its units.
    pub fn own_name(&self, unit: &UnitWords) -> Option<&LocalText> {
        (self.name.as_str() != pack_name(self.units, unit)).then_some(&self.name)
    }

    /// What a page calls it: `Big box`, `100 pictures`.
    pub fn title(&self, unit: &UnitWords, language: Language) -> String {
        let own_name = self.own_name(unit).map(|name| name.in_language(language).to_owned());
        own_name.unwrap_or_else(|| unit.count(self.units, language))
    }
}

impl<'a> Offer<'a> {
    pub fn key(self) -> &'a str {
        match self {
            Offer::Plan(plan) => &plan.key,
            Offer::Pack(pack) => &pack.key,
        }
    }

    pub fn name(self) -> &'a str {
        self.names().as_str()
    }

    /// What a page or a letter calls it.
    pub fn title(self, unit: &UnitWords, language: Language) -> String {
        match self {
            Offer::Plan(plan) => plan.name.in_language(language).to_owned(),
            Offer::Pack(pack) => pack.title(unit, language),
        }
    }

    /// The name in each language.
    pub(crate) fn names(self) -> &'a LocalText {
        match self {
            Offer::Plan(plan) => &plan.name,
            Offer::Pack(pack) => &pack.name,
        }
    }

    /// The price in the currency's minor unit.
    pub fn amount(self) -> i64 {
        match self {
            Offer::Plan(plan) => plan.amount,
            Offer::Pack(pack) => pack.amount,
        }
    }

    /// Units a month for a plan, units at once for a pack.
    pub fn units(self) -> i64 {
        match self {
            Offer::Plan(plan) => plan.units,
            Offer::Pack(pack) => pack.units,
        }
    }

    /// Stripe's price, once it is known.
    pub fn price_id(self) -> Option<&'a str> {
        match self {
            Offer::Plan(plan) => plan.price_id.as_deref(),
            Offer::Pack(pack) => pack.price_id.as_deref(),
        }
    }

    /// Today's price at Stripe and the older ones.
    pub fn price_ids(self) -> impl Iterator<Item = &'a str> {
        let older: &'a [String] = match self {
            Offer::Plan(plan) => &plan.older_price_ids,
            Offer::Pack(pack) => &pack.older_price_ids,
        };
        self.price_id().into_iter().chain(older.iter().map(String::as_str))
    }

    /// Whether it was taken off sale: it has only earlier prices. Users who have it keep it, with its units.
    pub fn is_retired(self) -> bool {
        self.price_id().is_none() && self.price_ids().next().is_some()
    }

    /// What it switches on in the calling program.
    pub fn features(self) -> &'a [String] {
        match self {
            Offer::Plan(plan) => &plan.features,
            Offer::Pack(pack) => &pack.features,
        }
    }

    pub fn aliases(self) -> &'a [String] {
        match self {
            Offer::Plan(plan) => &plan.aliases,
            Offer::Pack(pack) => &pack.aliases,
        }
    }

    pub fn expiry(self) -> Expiry {
        match self {
            Offer::Plan(plan) => plan.expiry,
            Offer::Pack(pack) => pack.expiry,
        }
    }

    /// Whether the buyer may enter a promotion code in the checkout.
    pub fn takes_promotion_codes(self) -> bool {
        match self {
            Offer::Plan(plan) => plan.promotion_codes,
            Offer::Pack(pack) => pack.promotion_codes,
        }
    }
}

#[cfg(test)]
mod tests;
