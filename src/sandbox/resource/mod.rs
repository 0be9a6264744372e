//! Stripe's resources, one file each: its calls, their parameters, and what they do. A new resource is a new file, its
//! table in `State`, and its `ROUTES` in the list here.

pub mod account;
pub mod account_transactions;
pub mod balance_transactions;
pub mod charges;
pub mod checkout_create;
mod checkout_params;
mod checkout_plan;
pub mod checkout_sessions;
mod checkout_terms;
pub mod coupons;
pub mod credit_notes;
pub mod customers;
mod discounts;
pub mod disputes;
pub mod empty_lists;
pub mod events;
pub mod invoice_items;
pub mod invoice_payments;
pub mod invoice_preview;
pub mod invoices;
pub mod payment_intents;
pub mod payment_links;
pub mod payment_methods;
pub mod plans;
pub mod portal_configurations;
pub mod portal_sessions;
pub mod prices;
pub mod products;
pub mod promotion_codes;
pub mod refunds;
pub mod subscription_items;
mod subscription_params;
pub mod subscription_schedules;
pub mod subscription_update;
pub mod subscriptions;
pub mod tax_ids;
pub mod test_clocks;
pub mod webhook_endpoints;

use crate::sandbox::call::Route;

const ALL: &[&[Route]] = &[
    account::ROUTES,
    account_transactions::ROUTES,
    empty_lists::ROUTES,
    plans::ROUTES,
    subscription_items::ROUTES,
    subscription_schedules::ROUTES,
    customers::ROUTES,
    tax_ids::ROUTES,
    products::ROUTES,
    prices::ROUTES,
    coupons::ROUTES,
    promotion_codes::ROUTES,
    checkout_sessions::ROUTES,
    payment_links::ROUTES,
    payment_intents::ROUTES,
    payment_methods::ROUTES,
    charges::ROUTES,
    refunds::ROUTES,
    disputes::ROUTES,
    test_clocks::ROUTES,
    subscriptions::ROUTES,
    invoices::ROUTES,
    invoice_items::ROUTES,
    invoice_payments::ROUTES,
    credit_notes::ROUTES,
    balance_transactions::ROUTES,
    portal_configurations::ROUTES,
    portal_sessions::ROUTES,
    events::ROUTES,
    webhook_endpoints::ROUTES,
];

/// Calls that Stripe has and the stand-in does not, at addresses where an id could stand.
const NOT_BUILT: &[&str] = &[
    "/v1/charges/search",
    "/v1/customers/search",
    "/v1/invoices/search",
    "/v1/invoices/upcoming",
    "/v1/invoices/upcoming/lines",
    "/v1/payment_intents/search",
    "/v1/prices/search",
    "/v1/products/search",
    "/v1/subscriptions/search",
];

/// Whether this is a call that Stripe has and the stand-in does not, although an id could stand where its last word does.
pub fn is_not_built(method: &str, path: &str) -> bool {
    let is_preview = method == "GET" && path == "/v1/invoices/create_preview";
    is_preview || method == "GET" && NOT_BUILT.contains(&path)
}

/// Finds the call of this method and path, and the values in the path.
pub fn find(method: &str, path: &str) -> Option<(&'static Route, Vec<String>)> {
    let rows = ALL.iter().copied().flatten().filter(|route| route.method == method);
    rows.filter_map(|route| Some((route, match_path(route.path, path)?))).next()
}

fn match_path(pattern: &str, path: &str) -> Option<Vec<String>> {
    let (mut found, mut parts) = (Vec::new(), path.split('/'));
    for part in pattern.split('/') {
        let name = parts.next()?;
        match part {
            "{}" if !name.is_empty() => found.push(name.to_owned()),
            _ if part == name => {}
            _ => return None,
        }
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_finds_its_call_and_no_other() {
        for (method, path, expected) in [
            ("GET", "/v1/customers", Some("")),
            ("GET", "/v1/customers/cus_1", Some("cus_1")),
            ("GET", "/v1/checkout/sessions/cs_1/line_items", Some("cs_1")),
            ("GET", "/v1/customers/", None),
            ("GET", "/v1/customers/cus_1/x", None),
            ("PUT", "/v1/customers", None),
            ("GET", "/v1/nothing", None),
        ] {
            assert_eq!(find(method, path).map(|(_, names)| names.concat()).as_deref(), expected, "{method} {path}");
        }
    }
}
