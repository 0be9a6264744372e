//! `GET /v1/catalog`: what is on sale, for a shop's own pages and for programs that ask which keys there are.

use axum::extract::State;
use axum::http::HeaderMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::catalog::{Catalog, Expiry, Interval, Pack, Plan};
use crate::http::description::operation::{Access, Chapter, Header, IF_NONE_MATCH, Operation, Success, schema_of};
use crate::http::etag::TaggedBody;
use crate::http::guard::Bearer;
use crate::http::problem::HandlerResult;
use crate::http::state::AppState;

/// What is on sale.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Catalog")]
pub(crate) struct CatalogShape {
    /// Of every amount: three lower-case letters.
    currency: String,
    /// What a unit is called.
    unit: UnitShape,
    /// Subscriptions, and the free plan where there is one.
    plans: Vec<PlanShape>,
    /// One-time top-ups.
    packs: Vec<PackShape>,
}

/// What a unit is called.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "UnitWords")]
pub(crate) struct UnitShape {
    /// For one.
    singular: String,
    /// For none and for many.
    plural: String,
}

/// A plan.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub(crate) struct PlanShape {
    /// What a checkout is asked for.
    key: String,
    /// For people to read.
    name: String,
    /// The price of one interval in the currency's minor unit; 0 for the free plan, which nobody buys.
    amount: i64,
    /// How often it is paid.
    #[schemars(extend("enum" = ["month", "year"]))]
    interval: &'static str,
    /// Units that come each month.
    units: i64,
    /// How many days a month's units live; null where they live for ever, or as long as the paid period.
    expires_in_days: Option<i64>,
    /// Whether what is left ends with the paid period.
    expires_with_period: bool,
    /// What the plan switches on.
    features: Vec<String>,
    /// Whether its Stripe price is known, so that a checkout can be made.
    available: bool,
}

/// A pack.
#[derive(Debug, Serialize, JsonSchema)]
#[schemars(rename = "Pack")]
pub(crate) struct PackShape {
    /// What a checkout is asked for.
    key: String,
    /// For people to read.
    name: String,
    /// The price in the currency's minor unit.
    amount: i64,
    /// Units that one purchase gives.
    units: i64,
    /// How many days its units live; null where they live for ever.
    expires_in_days: Option<i64>,
    /// What the pack switches on.
    features: Vec<String>,
    /// Whether its Stripe price is known, so that a checkout can be made.
    available: bool,
}

impl CatalogShape {
    /// Without what was taken off sale.
    pub(crate) fn of(catalog: &Catalog) -> CatalogShape {
        let is_shown = |price_id: &Option<String>, older: &[String]| price_id.is_some() || older.is_empty();
        let plans = catalog.plans.iter().filter(|plan| is_shown(&plan.price_id, &plan.older_price_ids));
        let packs = catalog.packs.iter().filter(|pack| is_shown(&pack.price_id, &pack.older_price_ids));
        CatalogShape {
            currency: catalog.currency.clone(),
            unit: UnitShape { singular: catalog.unit.singular.to_string(), plural: catalog.unit.plural.to_string() },
            plans: plans.map(PlanShape::of).collect(),
            packs: packs.map(PackShape::of).collect(),
        }
    }
}

impl PlanShape {
    fn of(plan: &Plan) -> PlanShape {
        PlanShape {
            key: plan.key.clone(),
            name: plan.name.to_string(),
            amount: plan.amount,
            interval: match plan.interval {
                Interval::Month => "month",
                Interval::Year => "year",
            },
            units: plan.units,
            expires_in_days: plan.expiry.days(),
            expires_with_period: plan.expiry == Expiry::PeriodEnd,
            features: plan.features.clone(),
            available: plan.price_id.is_some(),
        }
    }
}

impl PackShape {
    fn of(pack: &Pack) -> PackShape {
        PackShape {
            key: pack.key.clone(),
            name: pack.name.to_string(),
            amount: pack.amount,
            units: pack.units,
            expires_in_days: pack.expiry.days(),
            features: pack.features.clone(),
            available: pack.price_id.is_some(),
        }
    }
}

pub(crate) const SHOW: Operation = Operation {
    name: "getCatalog",
    chapter: Chapter::People,
    summary: "Show what is on sale",
    text: "Plans and packs with their keys, prices and units, as the pricing page shows them. It changes only when the \
           operator restarts till with another catalogue.",
    access: Access::AnyToken,
    parameters: &[IF_NONE_MATCH],
    body: None,
    answers: &[
        Success {
            status: 200,
            text: "What is on sale.",
            content: Some((
                schema_of::<CatalogShape>,
                r#"{"currency":"usd","unit":{"singular":"picture","plural":"pictures"},
                "plans":[{"key":"starter","name":"Starter","amount":900,"interval":"month","units":100,
                "expires_in_days":null,"expires_with_period":false,"features":[],"available":true}],
                "packs":[{"key":"topup_100","name":"100 pictures","amount":900,"units":100,"expires_in_days":null,
                "features":[],"available":true}]}"#,
            )),
            headers: &[Header::ETag],
        },
        Success { status: 304, text: "You have this answer already.", content: None, headers: &[Header::ETag] },
    ],
    problems: &[],
};

pub(in crate::http) async fn show(State(state): State<AppState>, _bearer: Bearer, headers: HeaderMap) -> HandlerResult {
    Ok(TaggedBody::of(&CatalogShape::of(state.catalog()))?.private_answer(&headers))
}
