//! What programs of others send and read: what only Stripe's dashboard shows, fields that are null, lists that are
//! empty, and the words of older libraries.

use serde_json::{Value, json};

use super::fixture::{BUY, Fixture, id};

#[test]
fn booleans_of_older_libraries_for_python_are_booleans() {
    let fixture = Fixture::new();
    let product = fixture.call("POST", "/v1/products", "name=P&active=False&shippable=True", None).json();
    assert_eq!((&product["active"], &product["shippable"]), (&json!(false), &json!(true)));
    let listed = fixture.call("GET", "/v1/products", "active=False", None).json();
    assert_eq!(id(&listed["data"][0]), id(&product));
    assert_eq!(fixture.call("POST", "/v1/products", "name=P&active=TRUE", None).status, 400);
}

#[test]
fn what_is_null_at_stripe_is_there() {
    let fixture = Fixture::new();
    let form = "mode=payment&line_items[0][price]=price_100&line_items[0][quantity]=1&success_url=https://shop.test/";
    let session = fixture.ok("POST", "/v1/checkout/sessions", form);
    for name in
        ["payment_intent", "customer", "client_reference_id", "cancel_url", "subscription", "customer_email", "locale"]
    {
        assert_eq!(session.get(name), Some(&Value::Null), "{name}");
    }
    let intent = fixture.pay_new_session("card=4242424242424242");
    let intent = fixture.ok("GET", &format!("/v1/payment_intents/{intent}"), "expand[]=latest_charge");
    assert_eq!(
        (intent.get("customer"), intent["latest_charge"].get("customer")),
        (Some(&Value::Null), Some(&Value::Null))
    );
    let plan = fixture.subscribe("4242424242424242", "");
    for name in ["schedule", "cancel_at", "trial_end", "pause_collection", "default_tax_rates", "pending_update"] {
        assert!(plan.get(name).is_some(), "{name}");
    }
}

#[test]
fn a_customer_is_made_with_a_card_that_is_the_default_by_its_test_name() {
    let fixture = Fixture::new();
    let form = "email=a@example.org&payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_visa";
    let customer = fixture.ok("POST", "/v1/customers", form);
    let card = customer["invoice_settings"]["default_payment_method"].as_str().expect("a card");
    assert_eq!(fixture.get(&format!("/v1/payment_methods/{card}"))["customer"], customer["id"]);
    let plan = format!("customer={}&items[0][price]=price_month", id(&customer));
    assert_eq!(fixture.ok("POST", "/v1/subscriptions", &plan)["status"], "active");
    let foreign = "payment_method=pm_card_visa&invoice_settings[default_payment_method]=pm_card_mastercard";
    assert_eq!(fixture.error("POST", "/v1/customers", foreign), (400, "resource_missing".to_owned()));
}

#[test]
fn what_is_only_kept_is_shown() {
    let fixture = Fixture::new();
    let form = "address[city]=Bonn&shipping[name]=Al&shipping[address][city]=Rome&phone=%2B49&preferred_locales[]=de\
                &tax_exempt=reverse&invoice_settings[footer]=bye&invoice_settings[custom_fields][0][name]=PO\
                &invoice_settings[custom_fields][0][value]=7&tax_id_data[0][type]=eu_vat&tax_id_data[0][value]=DE123456789";
    let customer = fixture.ok("POST", "/v1/customers", form);
    assert_eq!(
        (&customer["shipping"]["phone"], &customer["shipping"]["address"]["city"]),
        (&Value::Null, &json!("Rome"))
    );
    assert_eq!((&customer["address"]["country"], &customer["preferred_locales"]), (&Value::Null, &json!(["de"])));
    assert_eq!(customer["invoice_settings"]["custom_fields"], json!([{ "name": "PO", "value": "7" }]));
    let path = format!("/v1/customers/{}", id(&customer));
    assert_eq!(fixture.get(&format!("{path}/tax_ids"))["data"][0]["value"], "DE123456789");
    let changed = fixture.ok("POST", &path, "shipping=&invoice_settings[footer]=&address[line1]=x");
    assert_eq!((&changed["shipping"], &changed["invoice_settings"]["footer"]), (&Value::Null, &Value::Null));
    assert_eq!(changed["address"]["city"], Value::Null, "an address is replaced as a whole");

    let form = "name=P&images[]=https://x.test/a.png&marketing_features[0][name]=fast&package_dimensions[height]=1\
                &package_dimensions[length]=2.5&package_dimensions[weight]=3&package_dimensions[width]=4&shippable=true\
                &statement_descriptor=SHOP&tax_code=txcd_10000000&url=https://x.test";
    let product = fixture.ok("POST", "/v1/products", form);
    assert_eq!(
        (&product["images"][0], &product["package_dimensions"]["length"]),
        (&json!("https://x.test/a.png"), &json!(2.5))
    );

    let more = "&phone_number_collection[enabled]=true&shipping_address_collection[allowed_countries][]=DE&locale=de\
                &custom_text[submit][message]=hi&payment_intent_data[statement_descriptor]=SHOP\
                &payment_intent_data[shipping][name]=Al&payment_intent_data[shipping][address][line1]=x\
                &after_expiration[recovery][enabled]=true&consent_collection[terms_of_service]=required";
    let session = fixture.session(&fixture.new_session(more));
    assert_eq!(session["custom_text"]["submit"], json!({ "message": "hi" }));
    assert_eq!(session["shipping_address_collection"]["allowed_countries"], json!(["DE"]));
    assert_eq!(fixture.pay(&id(&session), "card=4242424242424242").status, 303);
    let intent = fixture.session(&id(&session))["payment_intent"].as_str().expect("an intent").to_owned();
    let intent = fixture.get(&format!("/v1/payment_intents/{intent}"));
    assert_eq!((&intent["shipping"]["name"], &intent["statement_descriptor"]), (&json!("Al"), &json!("SHOP")));
    fixture.event_types("");
}

#[test]
fn a_credit_note_names_the_lines_that_it_credits() {
    let fixture = Fixture::new();
    let plan = fixture.subscribe("4242424242424242", "");
    let invoice = fixture.get(&format!("/v1/invoices/{}", plan["latest_invoice"].as_str().expect("an invoice")));
    let line = id(&invoice["lines"]["data"][0]);
    let form = format!(
        "invoice={}&lines[0][type]=invoice_line_item&lines[0][invoice_line_item]={line}&lines[0][amount]=300\
         &lines[1][type]=custom_line_item&lines[1][description]=sorry&lines[1][unit_amount]=50&lines[1][quantity]=2\
         &credit_amount=400",
        id(&invoice)
    );
    let note = fixture.call("POST", "/v1/credit_notes", &form, None);
    assert_eq!(note.status, 200, "{}", note.text);
    let note = note.json();
    let lines = note["lines"]["data"].as_array().expect("lines");
    let rows: Vec<(&Value, &Value)> = lines.iter().map(|line| (&line["type"], &line["amount"])).collect();
    assert_eq!(note["amount"], 400);
    assert_eq!(rows, [(&json!("invoice_line_item"), &json!(300)), (&json!("custom_line_item"), &json!(100))]);
    let wrong = form.replace("&credit_amount=400", "&credit_amount=400&amount=5");
    assert_eq!(fixture.error("POST", "/v1/credit_notes", &wrong).0, 400);
}

#[test]
fn subscriptions_on_clocks_are_listed_apart_and_a_clock_moves_two_intervals_at_most() {
    let fixture = Fixture::new();
    let clock = id(&fixture.ok("POST", "/v1/test_helpers/test_clocks", "frozen_time=1790000000"));
    let customer = fixture.customer("pm_card_visa", Some(&clock));
    let plan =
        id(&fixture.ok("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]=price_month")));
    let own = id(&fixture.subscribe("4242424242424242", ""));
    let listed = |form: &str| -> Vec<String> {
        fixture.ok("GET", "/v1/subscriptions", form)["data"].as_array().expect("a list").iter().map(id).collect()
    };
    assert_eq!(listed(""), [own]);
    assert_eq!(listed(&format!("test_clock={clock}")), [plan.as_str()]);
    assert_eq!(listed(&format!("customer={customer}")), [plan.as_str()]);
    let advance = format!("/v1/test_helpers/test_clocks/{clock}/advance");
    // 21 September, and two months later.
    assert_eq!(fixture.error("POST", &advance, "frozen_time=1795270401").0, 400);
    fixture.ok("POST", &advance, "frozen_time=1795270400");
}

#[test]
fn a_cancelled_subscription_keeps_notes_and_nothing_else() {
    let fixture = Fixture::new();
    let path = format!("/v1/subscriptions/{}", id(&fixture.subscribe("4242424242424242", "")));
    fixture.ok("DELETE", &path, "");
    let noted = fixture.ok("POST", &path, "metadata[a]=b&cancellation_details[comment]=bye");
    assert_eq!((&noted["metadata"], &noted["cancellation_details"]["comment"]), (&json!({ "a": "b" }), &json!("bye")));
    assert_eq!(fixture.error("POST", &path, "metadata[a]=b&cancel_at_period_end=true").0, 400);
}

#[test]
fn a_currency_that_stripe_has_not_is_refused_everywhere() {
    let fixture = Fixture::new();
    let customer = fixture.customer("pm_card_visa", None);
    for (path, form) in [
        ("/v1/prices", "currency=xxx&unit_amount=100&product_data[name]=x".to_owned()),
        ("/v1/payment_intents", "currency=xxx&amount=100".to_owned()),
        ("/v1/coupons", "currency=xxx&amount_off=100".to_owned()),
        ("/v1/checkout/sessions", format!("{BUY}&currency=xxx")),
        (&format!("/v1/customers/{customer}/balance_transactions"), "currency=xxx&amount=100".to_owned()),
    ] {
        let (status, message) = fixture.error("POST", path, &form);
        assert!(status == 400 && message.starts_with("Invalid currency: xxx"), "{path}: {message}");
    }
}

#[test]
fn what_stripe_includes_on_request_is_included() {
    let fixture = Fixture::new();
    let intent = fixture.pay_new_session("card=4242424242424242");
    let refund =
        fixture.ok("POST", "/v1/refunds", &format!("payment_intent={intent}&amount=100&expand[]=balance_transaction"));
    assert_eq!(
        (&refund["balance_transaction"]["type"], &refund["balance_transaction"]["amount"]),
        (&json!("refund"), &json!(-100))
    );
    let expand = "expand[]=latest_charge.balance_transaction.source";
    let paid = fixture.ok("GET", &format!("/v1/payment_intents/{intent}"), expand);
    let moved = &paid["latest_charge"]["balance_transaction"];
    assert_eq!((&moved["amount"], &moved["fee"], &moved["net"]), (&json!(1800), &json!(82), &json!(1718)));
    assert_eq!(moved["source"]["id"], paid["latest_charge"]["id"]);
    let one = fixture.get(&format!("/v1/balance_transactions/{}", moved["id"].as_str().expect("an id")));
    assert_eq!(one["source"], paid["latest_charge"]["id"]);
    assert_eq!(fixture.get("/v1/balance_transactions")["data"].as_array().map(Vec::len), Some(2));

    let customer = fixture.customer("pm_card_visa", None);
    fixture.ok("POST", "/v1/subscriptions", &format!("customer={customer}&items[0][price]=price_month"));
    let expand = "expand[]=sources&expand[]=subscriptions&expand[]=tax_ids";
    let customer = fixture.ok("GET", &format!("/v1/customers/{customer}"), expand);
    assert_eq!(
        (&customer["sources"]["data"], &customer["subscriptions"]["data"][0]["status"]),
        (&json!([]), &json!("active"))
    );
    fixture.ok("GET", "/v1/prices", "expand[]=data.tiers&expand[]=data.currency_options");
    fixture.ok("GET", "/v1/coupons", "expand[]=data.applies_to");

    let form = "&automatic_tax[enabled]=true";
    let session = fixture.new_session(form);
    assert_eq!(fixture.pay(&session, "country=DE&action=apply&promotion_code=FREE100").status, 200);
    let shown = fixture.ok("GET", &format!("/v1/checkout/sessions/{session}"), "expand[]=total_details.breakdown");
    assert_eq!(shown["total_details"]["breakdown"]["discounts"][0]["amount"], 1800);
    assert_eq!(shown["total_details"]["breakdown"]["taxes"][0]["amount"], 0);
}

#[test]
fn every_list_that_a_program_may_read_is_there() {
    let fixture = Fixture::new();
    let customer = fixture.customer("pm_card_visa", None);
    let sources = format!("/v1/customers/{customer}/sources");
    for path in [
        "/v1/accounts",
        "/v1/payouts",
        "/v1/quotes",
        "/v1/radar/early_fraud_warnings",
        "/v1/reviews",
        "/v1/setup_intents",
        "/v1/shipping_rates",
        "/v1/subscription_schedules",
        "/v1/tax_ids",
        "/v1/tax_rates",
        "/v1/topups",
        "/v1/transfers",
        "/v1/payment_links",
        &sources,
    ] {
        let page = fixture.ok("GET", path, "limit=3");
        assert_eq!((&page["object"], &page["data"], &page["url"]), (&json!("list"), &json!([]), &json!(path)));
    }
    let plans = fixture.get("/v1/plans");
    assert_eq!((&plans["data"][0]["id"], &plans["data"][0]["interval"]), (&json!("price_month"), &json!("month")));
    assert_eq!(plans["data"].as_array().map(Vec::len), Some(1), "a one-time price is no plan");
    let plan = fixture.subscribe("4242424242424242", "");
    let items = fixture.ok("GET", "/v1/subscription_items", &format!("subscription={}", id(&plan)));
    assert_eq!(items["data"], plan["items"]["data"]);
    let item = id(&items["data"][0]);
    assert_eq!(fixture.get(&format!("/v1/subscription_items/{item}")), items["data"][0]);
    assert_eq!(fixture.error("GET", "/v1/subscription_items", ""), (400, "parameter_missing".to_owned()));
    let account = id(&fixture.get("/v1/account"));
    assert_eq!(id(&fixture.get(&format!("/v1/accounts/{account}"))), account);
    assert_eq!(fixture.error("GET", "/v1/accounts/acct_other", "").0, 403);
}

#[test]
fn a_payment_link_makes_sessions_that_carry_the_visitors_reference() {
    let fixture = Fixture::new();
    let form = "line_items[0][price]=price_100&line_items[0][quantity]=1&metadata[a]=b&allow_promotion_codes=true";
    let link = fixture.ok("POST", "/v1/payment_links", form);
    let path =
        link["url"].as_str().and_then(|url| url.strip_prefix(&fixture.sandbox.url())).expect("a page here").to_owned();
    let visit = |query: &str| {
        let answer = fixture.page("GET", &path, query);
        assert_eq!(answer.status, 303, "{}", answer.text);
        let session = answer.header("location").rsplit('/').next().expect("an id").to_owned();
        fixture.session(&session)
    };
    let session = visit("client_reference_id=alice-1_A&prefilled_email=a%40example.org&utm_source=x");
    assert_eq!(
        (&session["client_reference_id"], &session["customer_email"]),
        (&json!("alice-1_A"), &json!("a@example.org"))
    );
    assert_eq!((&session["payment_link"], &session["metadata"]), (&link["id"], &json!({ "a": "b" })));
    assert_eq!(fixture.pay(&id(&session), "card=4242424242424242").status, 303);
    assert_eq!(fixture.session(&id(&session))["payment_status"], "paid");
    // What Stripe does not take as a reference is dropped, and the page works.
    for reference in ["alice%40example.org", "a.b", &"x".repeat(201)] {
        assert_eq!(
            visit(&format!("client_reference_id={reference}"))["client_reference_id"],
            Value::Null,
            "{reference}"
        );
    }
    assert_eq!(fixture.page("GET", &format!("{path}/done"), "").status, 200);
    let api = format!("/v1/payment_links/{}", id(&link));
    assert_eq!(fixture.get(&format!("{api}/line_items"))["data"][0]["price"]["id"], "price_100");
    fixture.ok("POST", &api, "active=false&inactive_message=Gone");
    let gone = fixture.page("GET", &path, "");
    assert!(gone.status == 410 && gone.text.contains("Gone"), "{}", gone.text);

    let form = "line_items[0][price]=price_month&line_items[0][quantity]=1&subscription_data[metadata][user_id]=bob\
                &after_completion[type]=redirect&after_completion[redirect][url]=https://shop.test/";
    let link = fixture.ok("POST", "/v1/payment_links", form);
    let path =
        link["url"].as_str().and_then(|url| url.strip_prefix(&fixture.sandbox.url())).expect("a page here").to_owned();
    let page = fixture.page("GET", &path, "client_reference_id=bob");
    let session = page.header("location").rsplit('/').next().expect("an id").to_owned();
    assert_eq!(fixture.pay(&session, "card=4242424242424242").status, 303);
    let subscription = fixture.session(&session)["subscription"].as_str().expect("a subscription").to_owned();
    assert_eq!(fixture.get(&format!("/v1/subscriptions/{subscription}"))["metadata"]["user_id"], "bob");
    assert_eq!(
        fixture.event_types("payment_link."),
        ["payment_link.created", "payment_link.updated", "payment_link.created"]
    );
}

#[test]
fn an_archived_price_is_not_for_sale() {
    let fixture = Fixture::new();
    let product = fixture.get("/v1/prices/price_100")["product"].as_str().expect("a product").to_owned();
    fixture.ok("POST", "/v1/prices/price_100", "active=false");
    let (status, message) = fixture.error("POST", "/v1/checkout/sessions", BUY);
    assert!(status == 400 && message.contains("inactive"), "{message}");
    fixture.ok("POST", "/v1/prices/price_100", "active=true");
    fixture.ok("POST", &format!("/v1/products/{product}"), "active=false");
    let (status, message) = fixture.error("POST", "/v1/checkout/sessions", BUY);
    assert!(status == 400 && message.contains("not active"), "{message}");
}

#[test]
fn the_control_page_stays_small_and_says_who_paid_and_who_subscribes() {
    let fixture = Fixture::new();
    for _ in 0..40 {
        fixture.pay_new_session("card=4242424242424242&email=payer@example.org");
    }
    fixture.subscribe("4242424242424242", "&customer_email=plan@example.org");
    let page = fixture.page("GET", "/", "");
    assert!(page.text.len() < 45_000, "{} bytes", page.text.len());
    for part in ["payer@example.org", "plan@example.org", "Subscriptions", "Period ends", "2026-09-21"] {
        assert!(page.text.contains(part), "{part}");
    }
}
