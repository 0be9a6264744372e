//! Lists, their pages, and what is expanded in them.

use serde_json::{Value, json};

use super::fixture::Fixture;

fn ids(page: &Value) -> Vec<String> {
    page["data"].as_array().expect("a list").iter().map(|row| row["id"].as_str().expect("an id").to_owned()).collect()
}

/// Three of everything that is listed.
fn three_of_each() -> (Fixture, String) {
    let fixture = Fixture::new();
    let customer = fixture.customer("pm_card_visa", None);
    for _ in 0..3 {
        let intent = fixture.pay_new_session("card=4242424242424242");
        fixture.ok("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=100"));
        fixture.control(&format!("charges/{intent}/dispute"), "");
        fixture.ok("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]=price_month"));
        fixture.ok("POST", "/v1/coupons", "percent_off=10&duration=once");
        fixture.ok("POST", "/v1/promotion_codes", "promotion[type]=coupon&promotion[coupon]=FREE100");
        fixture.ok("POST", "/v1/products", "name=Thing&metadata[app]=till");
        fixture.ok("POST", "/v1/prices", "currency=usd&unit_amount=100&product_data[name]=Thing");
        fixture.ok("POST", "/v1/customers", "name=Another");
        fixture.ok("POST", "/v1/payment_methods/pm_card_visa/attach", &format!("customer={customer}"));
        fixture.ok("POST", "/v1/test_helpers/test_clocks", "frozen_time=1790000000");
        fixture.ok("POST", "/v1/billing_portal/configurations", "features[invoice_history][enabled]=true");
        fixture.ok("POST", "/v1/webhook_endpoints", "url=http://127.0.0.1:1/&enabled_events[]=coupon.created");
        let balance = format!("/v1/customers/{customer}/balance_transactions");
        fixture.ok("POST", &balance, "amount=-100&currency=usd");
    }
    (fixture, customer)
}

#[test]
fn every_list_has_pages_in_both_directions() {
    let (fixture, customer) = three_of_each();
    let of_customer = |name: &str| format!("/v1/customers/{customer}/{name}");
    for path in [
        "/v1/charges",
        "/v1/checkout/sessions",
        "/v1/coupons",
        "/v1/customers",
        "/v1/disputes",
        "/v1/events",
        "/v1/invoice_payments",
        "/v1/invoices",
        "/v1/payment_intents",
        "/v1/payment_methods",
        "/v1/prices",
        "/v1/products",
        "/v1/promotion_codes",
        "/v1/refunds",
        "/v1/subscriptions",
        "/v1/test_helpers/test_clocks",
        "/v1/billing_portal/configurations",
        "/v1/webhook_endpoints",
        &of_customer("balance_transactions"),
        &of_customer("payment_methods"),
        &of_customer("subscriptions"),
    ] {
        let all = ids(&fixture.ok("GET", path, "limit=100"));
        assert!(all.len() >= 3, "{path}");
        let first = fixture.ok("GET", path, "limit=1");
        assert_eq!((ids(&first), &first["has_more"], &first["url"]), (all[..1].to_vec(), &json!(true), &json!(path)));
        let next = fixture.ok("GET", path, &format!("limit=1&starting_after={}", all[0]));
        assert_eq!(ids(&next), all[1..2], "{path}");
        let back = fixture.ok("GET", path, &format!("limit=1&ending_before={}", all[2]));
        assert_eq!((ids(&back), &back["has_more"]), (all[1..2].to_vec(), &json!(true)), "{path}");
        let last = fixture.ok("GET", path, &format!("starting_after={}", all[all.len() - 1]));
        assert_eq!((ids(&last).len(), &last["has_more"]), (0, &json!(false)), "{path}");
        assert_eq!(fixture.error("GET", path, "limit=0").0, 400, "{path}");
    }
}

#[test]
fn ids_are_expanded_in_lists_and_along_paths() {
    let (fixture, customer) = three_of_each();
    for (path, form, place) in [
        (
            "/v1/subscriptions",
            "expand[]=data.customer&expand[]=data.latest_invoice.payments",
            "/data/0/latest_invoice/payments/data/0/id",
        ),
        ("/v1/subscriptions", "expand[]=data.default_payment_method&expand[]=data.customer", "/data/0/customer/id"),
        (
            "/v1/invoice_payments",
            "expand[]=data.invoice&expand[]=data.payment.payment_intent.latest_charge",
            "/data/0/payment/payment_intent/latest_charge/id",
        ),
        ("/v1/refunds", "expand[]=data.charge&expand[]=data.payment_intent", "/data/0/charge/id"),
        ("/v1/disputes", "expand[]=data.charge", "/data/0/charge/id"),
        ("/v1/charges", "expand[]=data.refunds", "/data/2/refunds/object"),
        (
            "/v1/invoices",
            "expand[]=data.parent.subscription_details.subscription",
            "/data/0/parent/subscription_details/subscription/id",
        ),
    ] {
        let found = fixture.ok("GET", path, form);
        assert!(found.pointer(place).is_some_and(Value::is_string), "{path} {form}: {place}");
    }
    let found =
        fixture.ok("GET", &format!("/v1/customers/{customer}"), "expand[]=invoice_settings.default_payment_method");
    let plan = ids(&fixture.get("/v1/subscriptions")).remove(0);
    let plan = fixture.ok("GET", &format!("/v1/subscriptions/{plan}"), "expand[]=items.data.price.product");
    assert_eq!(plan["items"]["data"][0]["price"]["product"]["object"], "product");
    assert_eq!(plan["default_payment_method"], Value::Null, "the customer's card pays");
    assert_eq!(found["invoice_settings"]["default_payment_method"]["type"], "card");
    assert_eq!(fixture.error("GET", "/v1/subscriptions", "expand[]=data.a.b.c.d").0, 400);
}
