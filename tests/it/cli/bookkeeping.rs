//! A month's bookkeeping: `till revenue export` and `/admin/export.csv`, of a shop that was paid in three currencies and gave
//! some of it back.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::harness::shop::GOOD_CARD;
use crate::harness::wait::eventually;
use crate::harness::{Client, Shop};

/// The rows of a file, each by the names of its columns.
fn rows(csv: &str) -> Vec<BTreeMap<String, String>> {
    let mut reader = csv::Reader::from_reader(csv.as_bytes());
    let names: Vec<String> = reader.headers().unwrap().iter().map(str::to_owned).collect();
    let read = reader.records().map(|row| names.iter().cloned().zip(row.unwrap().iter().map(str::to_owned)).collect());
    read.collect()
}

/// Some columns of the rows of a kind.
fn of(rows: &[BTreeMap<String, String>], kind: &str, columns: &[&str]) -> Vec<String> {
    let found = rows.iter().filter(|row| row["kind"] == kind);
    let mut found: Vec<String> =
        found.map(|row| columns.iter().map(|name| row[*name].as_str()).collect::<Vec<_>>().join(" ")).collect();
    found.sort();
    found
}

/// An amount that is written with these decimals, in minor units.
fn minor(text: &str) -> i64 {
    text.replace('.', "").parse().unwrap()
}

fn stripe(shop: &Shop, path: &str, form: &str) -> Value {
    let stripe = Client::new(&shop.stripe.url(), &[("authorization", "Bearer sk_test_stories")]);
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    stripe.send("POST", path, &headers, form.as_bytes()).must(200).json()
}

/// Buys, and waits for the units. The newest charge's payment intent.
fn buys(shop: &Shop, user: &str, plan: &str) -> String {
    shop.user(user);
    let checkout = shop.checkout(user, plan).1;
    shop.pay(&checkout, &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units(user, 100);
    newest_intent(shop)
}

fn newest_intent(shop: &Shop) -> String {
    shop.ask_stripe("GET", "/v1/charges?limit=1")["data"][0]["payment_intent"].as_str().unwrap().to_owned()
}

/// Buys a pack in another currency, at a checkout of Stripe's.
fn buys_in(shop: &Shop, user: &str, currency: &str) -> String {
    shop.user(user);
    let form = format!(
        "mode=payment&currency={currency}&line_items[0][price]=price_topup_100&line_items[0][quantity]=1\
         &success_url=https://shop.test/&cancel_url=https://shop.test/&client_reference_id={user}\
         &metadata[user_id]={user}&metadata[plan]=topup_100"
    );
    let session = stripe(shop, "/v1/checkout/sessions", &form);
    shop.pay(session["url"].as_str().unwrap(), &[("card", GOOD_CARD)]).must(303);
    shop.wait_for_units(user, 100);
    newest_intent(shop)
}

/// Has the payment disputed; the dispute's id.
fn disputed(shop: &Shop, user: &str, intent: &str) -> String {
    shop.stripe_control(&format!("charges/{intent}/dispute"), &[]);
    shop.wait_for_units(user, 0);
    shop.ask_stripe("GET", "/v1/disputes?limit=1")["data"][0]["id"].as_str().unwrap().to_owned()
}

/// All of it; returns the month.
fn trade(shop: &Shop) -> String {
    let alice = buys(shop, "alice", "topup_100");
    stripe(shop, "/v1/refunds", &format!("payment_intent={alice}&amount=300"));
    shop.wait_for_units("alice", 67);
    buys(shop, "bob", "starter");
    let carol = buys(shop, "carol", "topup_100");
    let lost = disputed(shop, "carol", &carol);
    shop.ask_stripe("POST", &format!("/v1/disputes/{lost}/close"));
    let dave = buys(shop, "dave", "topup_100");
    let won = disputed(shop, "dave", &dave);
    shop.stripe_control(&format!("disputes/{won}/won"), &[]);
    shop.wait_for_units("dave", 100);
    stripe(
        shop,
        "/v1/prices/price_topup_100",
        "currency_options[jpy][unit_amount]=1400&currency_options[eur][unit_amount]=1000",
    );
    buys_in(shop, "@erin", "jpy");
    shop.stripe_control("settlement", &[("currency", "usd"), ("rate", "1234000")]);
    let frank = buys_in(shop, "frank", "eur");
    stripe(shop, "/v1/refunds", &format!("payment_intent={frank}"));
    shop.wait_for_units("frank", 0);
    // Of another product.
    let form = "mode=payment&line_items[0][price_data][currency]=usd&line_items[0][price_data][unit_amount]=5000\
                &line_items[0][price_data][product_data][name]=Book&line_items[0][quantity]=1\
                &success_url=https://shop.test/&cancel_url=https://shop.test/";
    let book = stripe(shop, "/v1/checkout/sessions", form);
    shop.pay(book["url"].as_str().unwrap(), &[("card", GOOD_CARD)]).must(303);
    // A part of the plan's invoice is credited, without a refund.
    let invoices = shop.ask_stripe("GET", "/v1/invoices?limit=100");
    let mut invoices = invoices["data"].as_array().unwrap().iter();
    let plan = invoices.find(|invoice| invoice["billing_reason"] == "subscription_create").unwrap();
    let invoice = plan["id"].as_str().unwrap();
    stripe(shop, "/v1/credit_notes", &format!("invoice={invoice}&amount=90&credit_amount=90"));
    let newest = &shop.ask_stripe("GET", "/v1/balance_transactions?limit=1")["data"][0];
    till::clock::month_of(till::clock::Timestamp::from_seconds(newest["created"].as_i64().unwrap()))
}

#[test]
fn a_months_file_agrees_with_the_balance_at_stripe() {
    let shop = Shop::open();
    let month = trade(&shop);
    let told = eventually("the credit note", || {
        let told = shop.till_prints(&["revenue", "export", "--month", &month]);
        told.contains(",credit_note,").then_some(told)
    });
    let found = rows(&told);
    for (kind, columns, expected) in [
        (
            "payment",
            &["user", "offer", "gross", "currency", "settled", "settled_currency", "fee", "net"][..],
            &[
                "'@erin topup_100 1400 jpy 1400 jpy 70 1330",
                "alice topup_100 9.00 usd 9.00 usd 0.56 8.44",
                "bob starter 9.00 usd 9.00 usd 0.56 8.44",
                "carol topup_100 9.00 usd 9.00 usd 0.56 8.44",
                "dave topup_100 9.00 usd 9.00 usd 0.56 8.44",
                "frank topup_100 10.00 eur 12.34 usd 0.65 11.69",
            ][..],
        ),
        (
            "refund",
            &["user", "gross", "currency", "settled", "settled_currency", "exchange_rate"],
            &["alice -3.00 usd -3.00 usd ", "frank -10.00 eur -12.34 usd 1.234"],
        ),
        (
            "dispute_withdrawn",
            &["user", "gross", "fee", "net"],
            &["carol -9.00 15.00 -24.00", "dave -9.00 15.00 -24.00"],
        ),
        ("dispute_reinstated", &["user", "gross", "fee", "net"], &["dave 9.00 0.00 9.00"]),
        ("credit_note", &["user", "gross", "currency", "settled"], &["bob -0.90 usd "]),
        (
            "not_in_books",
            &["currency", "gross", "settled", "fee", "note"],
            &["usd  50.00 1.75 balance transactions of payments that are not in the books: 1"],
        ),
        ("sum", &["currency", "gross"], &["eur 0.00", "jpy 1400", "usd 24.00"]),
        ("without_fees", &["note"], &[]),
    ] {
        assert_eq!(of(&found, kind, columns), expected, "{kind}: {told}");
    }
    let bob = found.iter().find(|row| row["kind"] == "payment" && row["user"] == "bob").unwrap();
    assert!(bob["invoice"].starts_with("in_") && !bob["invoice_number"].is_empty(), "{bob:?}");
    assert!(bob["object"].starts_with("ch_") && bob["balance_transaction"].starts_with("txn_"), "{bob:?}");

    // The sums, and what is not in the books, are all that moved on the balance.
    let listed = shop.ask_stripe("GET", "/v1/balance_transactions?limit=100");
    for currency in ["usd", "jpy"] {
        let at_stripe = ["amount", "fee", "net"].map(|field| {
            let rows = listed["data"].as_array().unwrap().iter().filter(|row| row["currency"] == currency);
            rows.map(|row| row[field].as_i64().unwrap()).sum::<i64>()
        });
        let in_file = ["settled", "fee", "net"].map(|column| {
            let closing = found.iter().filter(|row| ["sum", "not_in_books"].contains(&row["kind"].as_str()));
            let of_currency = closing.filter(|row| row["settled_currency"] == currency);
            of_currency.map(|row| minor(&row[column])).sum::<i64>()
        });
        assert_eq!(in_file, at_stripe, "{currency}: {told}");
        let added = ["settled", "fee", "net"].map(|column| {
            let moves = found.iter().filter(|row| !row["date"].is_empty() && row["settled_currency"] == currency);
            moves.map(|row| minor(&row[column])).sum::<i64>()
        });
        let sum = found.iter().find(|row| row["kind"] == "sum" && row["settled_currency"] == currency).unwrap();
        assert_eq!(added, ["settled", "fee", "net"].map(|column| minor(&sum[column])), "{currency}: {told}");
    }

    the_object_for_programs_says_the_same(&shop, &month, &found);
    the_operator_alone_gets_the_same_file(&shop, &month, &told);
    a_key_that_may_not_read_the_balance_tells_what_the_books_know(&shop, &month);
    shop.verify_books();
}

fn the_object_for_programs_says_the_same(shop: &Shop, month: &str, found: &[BTreeMap<String, String>]) {
    let json: Value =
        serde_json::from_str(&shop.till_prints(&["revenue", "export", "--month", month, "--json"])).unwrap();
    let moves = json["data"].as_array().unwrap();
    assert_eq!(moves.len(), found.iter().filter(|row| !row["date"].is_empty()).count());
    let frank = moves.iter().find(|row| row["user"] == "frank" && row["kind"] == "payment").unwrap();
    assert_eq!((&frank["gross"], &frank["settled"], &frank["fee"]), (&json!(1000), &json!(1234), &json!(65)));
    assert_eq!(json["sums"][1], json!({"currency": "jpy", "gross": 1400, "settled": 1400, "fee": 70, "net": 1330}));
    assert_eq!((&json["not_in_books"][0]["settled"], &json["without_fees"]), (&json!(5000), &Value::Null));
}

fn the_operator_alone_gets_the_same_file(shop: &Shop, month: &str, told: &str) {
    shop.user("olga");
    shop.till_prints(&["user", "admin", "olga"]);
    let operator = shop.sign_in("olga");
    let path = format!("/admin/export.csv?month={month}");
    let file = operator.get(&path).must(200);
    assert_eq!(file.body, told);
    assert_eq!(file.header("content-type"), "text/csv; charset=utf-8");
    assert_eq!(file.header("content-disposition"), format!("attachment; filename=\"{month}.csv\""));
    assert!(operator.get("/admin").must(200).body.contains(&path));
    // The page of somebody who subscribes shows what the command shows.
    let bob = operator.get("/admin/users/bob").must(200).body;
    assert!(bob.contains("sub_") && bob.contains("Starter"), "{bob}");
    assert_eq!(shop.visitor().get(&path).must(303).header("location"), "/login");
    shop.sign_in("alice").get(&path).must(403);
    assert!(operator.get("/admin/export.csv?month=november").must(400).body.contains("2026-11"));
    assert_eq!(rows(&operator.get("/admin/export.csv?month=1999-01").must(200).body), []);
    assert_eq!(rows(&operator.get("/admin/export.csv").must(200).body).len(), rows(told).len());
}

fn a_key_that_may_not_read_the_balance_tells_what_the_books_know(shop: &Shop, month: &str) {
    shop.stripe_control("keys", &[("key", "rk_test_restricted"), ("permissions", "rak_charge_read")]);
    let mut variables = shop.variables().clone();
    variables.insert("SPRITE_STRIPE_SECRET_KEY".to_owned(), "rk_test_restricted".to_owned());
    let output = crate::harness::process::run(&variables, &["revenue", "export", "--month", month]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let told = String::from_utf8(output.stdout).unwrap();
    let found = rows(&told);
    for (kind, columns, expected) in [
        (
            "payment",
            &["user", "gross", "currency", "fee"][..],
            &[
                "'@erin 1400 jpy ",
                "alice 9.00 usd ",
                "bob 9.00 usd ",
                "carol 9.00 usd ",
                "dave 9.00 usd ",
                "frank 10.00 eur ",
            ][..],
        ),
        ("refund", &["user", "gross"], &["alice -3.00", "frank -10.00"]),
        ("dispute_withdrawn", &["user", "gross"], &["carol -9.00", "dave -9.00"]),
        ("dispute_reinstated", &["user", "gross"], &["dave 9.00"]),
        ("credit_note", &["user", "gross"], &["bob -0.90"]),
        ("sum", &["currency", "gross", "settled"], &["eur 0.00 ", "jpy 1400 ", "usd 24.00 "]),
    ] {
        assert_eq!(of(&found, kind, columns), expected, "{kind}: {told}");
    }
    let note = of(&found, "without_fees", &["note"]).concat();
    assert!(note.contains("rak_balance_transaction_source_read") && note.contains("till stripe permissions"), "{note}");
    let text = shop.till_prints(&["stripe", "permissions", "--json"]);
    let told: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(told["optional"][0]["slug"], "rak_balance_transaction_source_read");
}

#[test]
fn a_month_of_several_pages_is_read_to_its_end_and_without_an_answer_there_is_no_file() {
    let shop = Shop::open();
    let alice = buys(&shop, "alice", "topup_100");
    for _ in 0..105 {
        stripe(&shop, "/v1/refunds", &format!("payment_intent={alice}&amount=1"));
    }
    let newest = &shop.ask_stripe("GET", "/v1/balance_transactions?limit=1")["data"][0];
    let month = till::clock::month_of(till::clock::Timestamp::from_seconds(newest["created"].as_i64().unwrap()));
    let found = rows(&shop.till_prints(&["revenue", "export", "--month", &month]));
    let mut transactions = of(&found, "refund", &["balance_transaction"]);
    transactions.dedup();
    assert_eq!(transactions.len(), 105);
    assert_eq!(of(&found, "sum", &["gross", "settled", "fee", "net"]), ["7.95 7.95 0.56 7.39"]);

    shop.stripe_control("faults", &[("path", "/v1/balance_transactions"), ("kind", "status:400")]);
    let output = shop.till(&["revenue", "export", "--month", &month]);
    assert!(!output.status.success() && output.stdout.is_empty(), "a month that cannot be had looks like no month");
}
