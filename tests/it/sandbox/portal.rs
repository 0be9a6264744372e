//! The portal page: what a subscriber can do without the seller.

use serde_json::{Value, json};

use super::fixture::{Fixture, id};

/// The path of a new portal session for a customer.
fn open(fixture: &Fixture, customer: &Value, more: &str) -> String {
    let customer = customer.as_str().expect("an id");
    let form = format!("customer={customer}&return_url=https://shop.test/account{more}");
    let session = fixture.ok("POST", "/v1/billing_portal/sessions", &form);
    let url = session["url"].as_str().expect("a URL");
    url.strip_prefix(&fixture.sandbox.url()).expect("a page here").to_owned()
}

#[test]
fn a_subscriber_changes_cancels_resumes_and_pays_with_another_card() {
    let fixture = Fixture::new();
    let form = "currency=usd&unit_amount=2900&recurring[interval]=month&product_data[name]=Pro";
    let pro = id(&fixture.ok("POST", "/v1/prices", form));
    let plan = fixture.subscribe("4242424242424242", "");
    let path = format!("/v1/subscriptions/{}", id(&plan));
    let page = open(&fixture, &plan["customer"], "");
    let named = format!("subscription={}", id(&plan));
    let shown = fixture.page("GET", &page, "");
    for part in ["100 pictures", "Pro, $29.00 a month", "https://shop.test/account", "No money moves", "ending in 4242"]
    {
        assert!(shown.text.contains(part), "{part}");
    }
    assert!(!shown.text.contains("<script"));
    let press = |form: &str| {
        let answer = fixture.page("POST", &page, form);
        assert_eq!((answer.status, answer.header("location")), (303, page.as_str()), "{form}: {}", answer.text);
        fixture.get(&path)
    };

    let ending = press(&format!("action=cancel&{named}"));
    assert_eq!(ending["cancel_at"], ending["items"]["data"][0]["current_period_end"]);
    assert_eq!(ending["cancel_at_period_end"], false, "flexible billing mode sets the time only");
    assert!(fixture.page("GET", &page, "").text.contains("Keep the plan"));
    assert_eq!(press(&format!("action=resume&{named}"))["cancel_at"], Value::Null);
    let changed = press(&format!("action=change&{named}&price={pro}"));
    assert_eq!(changed["items"]["data"][0]["price"]["id"], pro.as_str());

    let refused = fixture.page("POST", &page, "action=card&card=4000000000000002");
    assert!(refused.status == 402 && refused.text.contains("Your card was declined"), "{}", refused.text);
    let failing = press("action=card&card=4000000000000341&exp=12/34&cvc=123");
    let card =
        fixture.get(&format!("/v1/payment_methods/{}", failing["default_payment_method"].as_str().expect("a card")));
    assert_eq!(card["card"]["last4"], "0341");
    fixture.control("clock/advance", "by=month");
    assert_eq!(fixture.get(&path)["status"], "past_due");
    press("action=card&card=4242424242424242");
    let open_invoice = id(&fixture.ok("GET", "/v1/invoices", "status=open")["data"][0]);
    assert_eq!(press(&format!("action=pay&invoice={open_invoice}"))["status"], "active");

    for (form, status) in [
        ("action=change&subscription=sub_no&price=price_month".to_owned(), 400),
        (format!("action=change&{named}&price=price_100"), 400),
        ("action=pay&invoice=in_no".to_owned(), 400),
        ("action=dance".to_owned(), 400),
    ] {
        assert_eq!(fixture.page("POST", &page, &form).status, status, "{form}");
    }
    assert_eq!(fixture.page("GET", "/p/session/no", "").status, 404);
    let foreign = fixture.send("POST", &page, "action=resume", &[("Sec-Fetch-Site", "cross-site")]).expect("a page");
    assert_eq!(foreign.status, 403);
    fixture.event_types("");
}

#[test]
fn a_configuration_says_what_is_allowed() {
    let fixture = Fixture::new();
    let configurations = "/v1/billing_portal/configurations";
    let plan = fixture.subscribe("4242424242424242", "");
    let named = format!("subscription={}", id(&plan));
    assert_eq!(fixture.ok("GET", configurations, "is_default=true")["data"].as_array().map(Vec::len), Some(1));
    let form = "features[subscription_cancel][enabled]=true&features[subscription_cancel][mode]=immediately\
                &features[subscription_update][enabled]=true&features[subscription_update][default_allowed_updates][]=price\
                &features[subscription_update][proration_behavior]=always_invoice\
                &features[payment_method_update][enabled]=false&metadata[app]=till&business_profile[headline]=Till";
    let own = fixture.ok("POST", configurations, form);
    assert_eq!((&own["is_default"], &own["features"]["invoice_history"]["enabled"]), (&json!(false), &json!(false)));
    let form = "currency=usd&unit_amount=2900&recurring[interval]=month&product_data[name]=Pro";
    let (pro, other) = (fixture.ok("POST", "/v1/prices", form), id(&fixture.ok("POST", "/v1/prices", form)));
    let form = format!(
        "features[subscription_update][products][0][product]={}&features[subscription_update][products][0][prices][0]={}",
        pro["product"].as_str().expect("a product"),
        id(&pro)
    );
    let path = format!("{configurations}/{}", id(&own));
    let updated = fixture.ok("POST", &path, &form);
    assert_eq!(updated["features"]["subscription_update"]["products"][0]["prices"], json!([id(&pro)]));
    assert_eq!(fixture.get(&path), updated);
    let page = open(&fixture, &plan["customer"], &format!("&configuration={}", id(&own)));
    assert_eq!(fixture.page("POST", &page, "action=card&card=4242424242424242").status, 400);
    assert_eq!(fixture.page("POST", &page, &format!("action=change&{named}&price={other}")).status, 400);
    assert_eq!(fixture.page("POST", &page, &format!("action=change&{named}&price={}", id(&pro))).status, 303);
    assert_eq!(fixture.invoices(&id(&plan))[1], "subscription_update paid 2000 2000 2000");
    assert_eq!(fixture.page("POST", &page, &format!("action=cancel&{named}")).status, 303);
    assert_eq!(fixture.get(&format!("/v1/subscriptions/{}", id(&plan)))["status"], "canceled");
    fixture.ok("POST", &path, "active=false");
    for (path, form, code) in [
        (configurations, String::new(), "parameter_missing"),
        (
            configurations,
            "features[subscription_update][products][0][prices][0]=price_100".to_owned(),
            "resource_missing",
        ),
        ("/v1/billing_portal/sessions", "customer=cus_no".to_owned(), "resource_missing"),
        (
            "/v1/billing_portal/sessions",
            format!("customer={}&configuration={}", plan["customer"].as_str().expect("id"), id(&own)),
            "resource_missing",
        ),
    ] {
        assert_eq!(fixture.error("POST", path, &form), (400, code.to_owned()), "{path} {form}");
    }
}
