//! The operator's pages: who may open them, what they find and show, and what their buttons do.

mod access;
mod actions;
mod browser;
mod lists;

use serde_json::{Value, json};

use crate::harness::webhook::event;
use crate::harness::{Answer, Client, Shop};

/// Every page, with a user `alice`, who is shown on some of them.
const PAGES: [&str; 15] = [
    "/admin",
    "/admin/users",
    "/admin/users?q=ali",
    "/admin/users/alice",
    "/admin/users/alice/ledger",
    "/admin/payments",
    "/admin/payments?doubtful",
    "/admin/events",
    "/admin/events?status=unmatched",
    "/admin/reconciliation",
    "/admin/messages",
    "/admin/catalog",
    "/admin/tokens",
    "/admin/audit",
    "/admin/health",
];

/// The addresses of all buttons.
const BUTTONS: [&str; 20] = [
    "/admin/users/alice/data.json",
    "/admin/users/alice/grant",
    "/admin/users/alice/sign-in",
    "/admin/users/alice/sessions",
    "/admin/users/alice/customer",
    "/admin/users/alice/erase",
    "/admin/payments/pi_1/reverse",
    "/admin/events/evt_1/replay",
    "/admin/events/evt_1/assign",
    "/admin/events/evt_1/dismiss",
    "/admin/events/evt_1/payload",
    "/admin/reconciliation",
    "/admin/messages/retry",
    "/admin/messages/hook_1/test",
    "/admin/messages/hook_1/roll",
    "/admin/messages/hook_1/enable",
    "/admin/messages/hook_1/disable",
    "/admin/catalog",
    "/admin/health",
    "/admin/tokens/tok_1/revoke",
];

/// A shop with an operator, signed in.
fn shop_with_operator() -> (Shop, Client) {
    let shop = Shop::open();
    let operator = operator_of(&shop);
    (shop, operator)
}

fn operator_of(shop: &Shop) -> Client {
    shop.user("olga");
    shop.till_prints(&["user", "admin", "olga"]);
    shop.sign_in("olga")
}

/// A payment of which nobody knows whose it is arrives. Returns the event's id.
fn unmatched_payment(shop: &Shop, id: &str) -> String {
    let row = json!({"id": "li_1", "price": {"id": "price_topup_100", "product": "prod_1"}, "quantity": 1});
    let session = json!({"id": id, "object": "checkout.session", "mode": "payment", "status": "complete",
        "payment_status": "paid", "amount_total": 900, "currency": "usd", "metadata": {"by": "<script>alert(1)</script>"},
        "line_items": {"object": "list", "has_more": false, "data": [row]}});
    let told = event("checkout.session.completed", &session);
    shop.webhook(&told).must(200);
    told["id"].as_str().unwrap().to_owned()
}

/// The audit's rows of this action, newest first.
fn audit(shop: &Shop, action: &str) -> Vec<Value> {
    let listed = shop.till_prints(&["audit", "list", "--json", "--action", action]);
    serde_json::from_str::<Value>(&listed).unwrap()["data"].as_array().unwrap().clone()
}

/// The page with a space for each tag.
fn words(page: &Answer) -> String {
    let text = page.body.split('<').map(|part| part.split_once('>').map_or(part, |(_, text)| text));
    text.collect::<Vec<_>>().join(" ").split_whitespace().collect::<Vec<_>>().join(" ")
}
