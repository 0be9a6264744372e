//! Prices in several currencies, and what follows from the currency that a session or a subscription chooses.

use serde_json::{Value, json};

use super::fixture::{Fixture, id};

const PRO: &str = "currency=usd&unit_amount=2900&recurring[interval]=month&product_data[name]=Pro\
                   &currency_options[eur][unit_amount]=2700&currency_options[jpy][unit_amount]=4300";

/// Amount and currency of an invoice's lines, and of the invoice.
fn billed(fixture: &Fixture, subscription: &str, form: &str) -> Vec<(i64, String)> {
    let page = fixture.ok("GET", "/v1/invoices", &format!("subscription={subscription}{form}"));
    let invoice = page["data"][0].clone();
    let row = |object: &Value, field: &str| {
        (object[field].as_i64().expect("an amount"), object["currency"].as_str().expect("a currency").to_owned())
    };
    let lines = invoice["lines"]["data"].as_array().expect("lines");
    lines.iter().map(|line| row(line, "amount")).chain([row(&invoice, "total")]).collect()
}

#[test]
fn a_price_shows_its_currency_options_when_asked() {
    let fixture = Fixture::new();
    let price = fixture.ok("POST", "/v1/prices", PRO);
    assert!(price.get("currency_options").is_none());
    let path = format!("/v1/prices/{}", id(&price));
    let shown = |price: &Value| -> Vec<(String, Value)> {
        let options = price["currency_options"].as_object().expect("options").clone();
        options.into_iter().map(|(currency, option)| (currency, option["unit_amount"].clone())).collect()
    };
    let own = |currency: &str, amount: i64| (currency.to_owned(), json!(amount));
    let price = fixture.ok("GET", &path, "expand[]=currency_options");
    assert_eq!(shown(&price), [own("eur", 2_700), own("jpy", 4_300), own("usd", 2_900)]);
    let form = "currency_options[eur][unit_amount]=2800&currency_options[gbp][unit_amount]=2500\
                &currency_options[gbp][tax_behavior]=inclusive&expand[]=currency_options";
    let price = fixture.ok("POST", &path, form);
    assert_eq!(shown(&price), [own("eur", 2_800), own("gbp", 2_500), own("jpy", 4_300), own("usd", 2_900)]);
    assert_eq!(price["currency_options"]["gbp"]["tax_behavior"], "inclusive");
    let listed = fixture.ok("GET", "/v1/prices", "expand[]=data.currency_options");
    assert_eq!(listed["data"][0]["currency_options"]["gbp"]["unit_amount"], 2_500);
    for form in ["currency_options[usd][unit_amount]=1", "currency_options[euro][unit_amount]=1"] {
        assert_eq!(fixture.error("POST", &path, form).0, 400, "{form}");
    }
}

#[test]
fn a_session_in_another_currency_makes_subscription_and_invoices_in_it() {
    let fixture = Fixture::new();
    let pro = id(&fixture.ok("POST", "/v1/prices", PRO));
    let plus = id(&fixture.ok("POST", "/v1/prices", &PRO.replace("2700", "9900").replace("4300", "15500")));
    let session = |currency: &str| {
        format!(
            "mode=subscription&line_items[0][price]={pro}&line_items[0][quantity]=2&success_url=https://shop.test/{currency}"
        )
    };
    let opened = fixture.ok("POST", "/v1/checkout/sessions", &session("&currency=jpy"));
    assert_eq!((&opened["currency"], &opened["amount_total"]), (&json!("jpy"), &json!(8_600)));
    let items = fixture.get(&format!("/v1/checkout/sessions/{}/line_items", id(&opened)));
    assert_eq!(items["data"][0]["currency"], "jpy");
    assert!(fixture.page("GET", &format!("/c/pay/{}", id(&opened)), "").text.contains("¥8600"));
    assert_eq!(fixture.pay(&id(&opened), "card=4242424242424242").status, 303);
    let paid = fixture.session(&id(&opened));
    let plan = fixture.get(&format!("/v1/subscriptions/{}", paid["subscription"].as_str().expect("a subscription")));
    let (plan_id, item) = (id(&plan), id(&plan["items"]["data"][0]));
    let yen = |amount: i64| (amount, "jpy".to_owned());
    assert_eq!(plan["currency"], "jpy");
    assert_eq!(plan["items"]["data"][0]["price"]["currency"], "usd", "the price itself stays what it is");
    assert_eq!(billed(&fixture, &plan_id, ""), [yen(8_600), yen(8_600)]);
    fixture.control("clock/advance", "by=month");
    assert_eq!(billed(&fixture, &plan_id, "&limit=1"), [yen(8_600), yen(8_600)]);
    let form = format!("items[0][id]={item}&items[0][price]={plus}&proration_behavior=always_invoice");
    fixture.ok("POST", &format!("/v1/subscriptions/{plan_id}"), &form);
    let change = billed(&fixture, &plan_id, "&limit=1");
    assert!(change.iter().all(|(_, currency)| currency == "jpy"), "{change:?}");
    assert!(change[0].0 < -8_000 && change[1].0 > 30_000, "two hours of a month are over: {change:?}");

    // Neither a price without the currency, nor a second currency for the customer.
    let form = format!("items[0][id]={item}&items[0][price]=price_month");
    assert_eq!(fixture.error("POST", &format!("/v1/subscriptions/{plan_id}"), &form).0, 400);
    assert_eq!(fixture.error("POST", "/v1/checkout/sessions", &session("&currency=gbp")).0, 400);
    let customer = plan["customer"].as_str().expect("a customer");
    let refused = fixture.error("POST", "/v1/checkout/sessions", &session(&format!("&customer={customer}")));
    assert!(refused.0 == 400 && refused.1.contains("combine currencies on a single customer"), "{refused:?}");
    let refused =
        fixture.error("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]=price_month"));
    assert!(refused.0 == 400 && refused.1.contains("combine currencies on a single customer"), "{refused:?}");
    fixture.ok("POST", "/v1/checkout/sessions", &session(&format!("&customer={customer}&currency=jpy")));
    fixture.event_types("");
}

#[test]
fn a_subscription_is_started_in_the_currency_that_is_asked_for() {
    let fixture = Fixture::new();
    let pro = id(&fixture.ok("POST", "/v1/prices", PRO));
    let customer = fixture.customer("pm_card_visa", None);
    let form = format!("customer={customer}&items[0][price]={pro}&currency=eur");
    let plan = fixture.ok("POST", "/v1/subscriptions", &form);
    assert_eq!(billed(&fixture, &id(&plan), ""), [(2_700, "eur".to_owned()), (2_700, "eur".to_owned())]);
    assert_eq!(fixture.error("POST", "/v1/subscriptions", &form.replace("eur", "chf")).0, 400);
}
