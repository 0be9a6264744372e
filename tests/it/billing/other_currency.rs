//! The catalogue moved to another currency, and Stripe has bound a customer to the old one: the buyer gets another
//! customer, or reads what keeps the old one.

use serde_json::{Value, json};

use crate::harness::shop::{CATALOG, GOOD_CARD};
use crate::harness::{Client, Folder, Shop, eventually};

fn ask(shop: &Shop, method: &str, path: &str, form: &str) -> Value {
    let client = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    client.send(method, path, &headers, form.as_bytes()).must(200).json()
}

/// Begins to sell in euros.
fn move_to_euros(shop: Shop, folder: &Folder) -> Shop {
    let catalog = folder.path("euros.toml");
    std::fs::write(&catalog, CATALOG.replace("currency = \"usd\"", "currency = \"eur\"")).unwrap();
    let mut variables = vec![("SPRITE_CATALOG".to_owned(), catalog.to_str().unwrap().to_owned())];
    for (key, amount, more) in [
        ("STARTER", 900, "&recurring[interval]=month"),
        ("PRO", 2_900, "&recurring[interval]=month"),
        ("TOPUP_100", 900, ""),
        ("TOPUP_250", 2_000, ""),
    ] {
        let form = format!("currency=eur&unit_amount={amount}&product_data[name]={key}{more}");
        let id = ask(&shop, "POST", "/v1/prices", &form)["id"].as_str().unwrap().to_owned();
        variables.push((format!("SPRITE_STRIPE_{key}_PRICE_ID"), id));
    }
    let variables: Vec<(&str, &str)> = variables.iter().map(|(name, id)| (name.as_str(), id.as_str())).collect();
    shop.crash_and_restart_with(&variables)
}

fn customers(shop: &Shop) -> usize {
    ask(shop, "GET", "/v1/customers?limit=100", "")["data"].as_array().unwrap().len()
}

#[test]
fn a_customer_who_is_bound_by_what_has_ended_is_replaced() {
    let folder = Folder::new();
    let shop = Shop::open();
    shop.user("alice");
    let (session, page) = shop.checkout("alice", "starter");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 100);
    let session = ask(&shop, "GET", &format!("/v1/checkout/sessions/{session}"), "");
    let text = |field: &str| session[field].as_str().unwrap().to_owned();
    let plan = |shop: &Shop| shop.api.get("/v1/users/alice").must(200).json()["plan"].clone();
    eventually("the plan", || (plan(&shop) == "starter").then_some(()));
    ask(&shop, "DELETE", &format!("/v1/subscriptions/{}", text("subscription")), "");
    eventually("the plan's end", || (plan(&shop) == "free").then_some(()));
    let shop = move_to_euros(shop, &folder);
    // An item for the next invoice is one of what binds a customer.
    ask(&shop, "POST", "/v1/invoiceitems", &format!("customer={}&amount=500&currency=usd", text("customer")));

    let (session, page) = shop.checkout("alice", "pro");
    assert_eq!(customers(&shop), 2);
    let second = ask(&shop, "GET", &format!("/v1/checkout/sessions/{session}"), "");
    assert_eq!(second["currency"], "eur");
    assert_ne!(second["customer"], text("customer").as_str());
    shop.till.wait_for_log("customer_of_other_currency", |line| line["event"] == "customer_of_other_currency");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units("alice", 600);
    shop.checkout("alice", "topup_100");
    assert_eq!(customers(&shop), 2, "the new one stays");
    shop.verify_books();
}

#[test]
fn a_customer_with_a_plan_in_the_old_currency_is_told_to_end_it_first() {
    let folder = Folder::new();
    let shop = Shop::open();
    shop.user("alice");
    let (session, page) = shop.checkout("alice", "starter");
    shop.pay(&page, &[("card", GOOD_CARD)]).must(303);
    let session = ask(&shop, "GET", &format!("/v1/checkout/sessions/{session}"), "");
    let plan = |shop: &Shop| shop.api.get("/v1/users/alice").must(200).json()["plan"].clone();
    eventually("the plan", || (plan(&shop) == "starter").then_some(()));
    // The old price is still the plan's, so that those who have it keep it.
    let shop = move_to_euros(shop, &folder);

    let press = || shop.api.call("POST", "/v1/users/alice/checkout", &json!({ "plan": "topup_100" }));
    let refused = press().must(409).json();
    assert_eq!(refused["code"], "already_subscribed");
    let detail = refused["detail"].as_str().unwrap();
    for words in ["100 pictures is sold in EUR", "End Starter in the customer portal", "buy again"] {
        assert!(detail.contains(words), "{words}: {detail}");
    }
    assert!(refused["portal_url"].as_str().unwrap().starts_with(&shop.stripe.url()));
    let browser = shop.sign_in("alice");
    let csrf = browser.get("/dashboard").form("/billing/portal")[0].1.clone();
    let page = browser.post_form("/billing/checkout?plan=topup_100", &[("csrf", &csrf)]).must(409);
    assert!(page.body.contains("End Starter in the customer portal"), "{}", page.body);
    assert_eq!(customers(&shop), 1);

    ask(&shop, "DELETE", &format!("/v1/subscriptions/{}", session["subscription"].as_str().unwrap()), "");
    eventually("the plan's end", || (plan(&shop) == "free").then_some(()));
    press().must(200);
    assert_eq!(customers(&shop), 1, "nothing binds the customer any more");
}
