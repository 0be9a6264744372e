//! A plan's units follow time: at an older price, in another currency, under a coupon, after an edit of the catalogue. Each
//! line of a paid invoice gives, or gives back, its share of a billing period.

use proptest::prelude::*;
use serde_json::{Value, json};

use crate::harness::life::{Life, event, stripe};

const START: i64 = 1_790_000_000;
const MONTH: i64 = 2_592_000;
const END: i64 = START + MONTH;

/// A catalogue whose starter plan gives this many units.
fn catalog(starter: i64) -> String {
    let plan = |key: &str, amount: i64, units: i64, more: &str| {
        format!(
            "[[plan]]\nkey = \"{key}\"\nname = \"{key}\"\namount = {amount}\nunits = {units}\ninterval = \"month\"\n{more}\n"
        )
    };
    format!(
        "currency = \"usd\"\n[unit]\nsingular = \"picture\"\nplural = \"pictures\"\n{}{}{}{}{}",
        plan("free", 0, 0, ""),
        plan("starter", 900, starter, "price_id = \"price_starter\"\nolder_price_ids = [\"price_old\"]"),
        plan("pro", 2900, 500, "price_id = \"price_pro\""),
        "[[pack]]\nkey = \"small\"\nname = \"Small\"\namount = 900\nunits = 100\nprice_id = \"price_small\"\n",
        "[[pack]]\nkey = \"large\"\nname = \"Large\"\namount = 2000\nunits = 250\nprice_id = \"price_large\"\n",
    )
}

fn whole(price: &str, amount: i64) -> Value {
    json!({"id": format!("il_{price}"), "amount": amount, "quantity": 1, "pricing": {"price_details": {"price": price}},
        "period": {"start": START, "end": END},
        "parent": {"subscription_item_details": {"proration": false, "subscription": "sub_1"}}})
}

/// A proration from `from` to the period's end; `credited` names what it gives back.
fn proration(price: &str, amount: i64, from: i64, credited: Option<(&str, &str)>) -> Value {
    let items = credited.map(|(invoice, line)| json!({"invoice": invoice, "invoice_line_items": [line]}));
    json!({"id": format!("il_{price}_{from}_{amount}"), "amount": amount, "quantity": 1,
        "pricing": {"price_details": {"price": price}}, "period": {"start": from, "end": END},
        "parent": {"invoice_item_details": {"proration": true, "subscription": "sub_1",
            "proration_details": {"credited_items": items}}}})
}

fn invoice(id: &str, currency: &str, lines: &[Value]) -> Value {
    event(
        id,
        "invoice.paid",
        1,
        json!({"id": format!("in_{id}"), "object": "invoice", "status": "paid", "customer": "cus_alice",
            "billing_reason": "subscription_cycle", "amount_paid": 900, "total": 900, "currency": currency,
            "parent": {"subscription_details": {"subscription": "sub_1", "metadata": {"user_id": "alice"}}},
            "lines": {"object": "list", "has_more": false, "data": lines}}),
    )
}

fn after(url: &str, events: &[Value]) -> i64 {
    let life = Life::begin_with(url, Some(&catalog(100)));
    events.iter().for_each(|event| life.hear(event));
    life.prove();
    life.remaining()
}

#[test]
fn a_whole_line_gives_its_units_at_any_price_and_in_any_currency() {
    let stripe = stripe();
    for (name, currency, line, units) in [
        ("on sale", "usd", whole("price_starter", 900), 100),
        ("yen", "jpy", whole("price_starter", 1300), 100),
        ("euro", "eur", whole("price_starter", 850), 100),
        ("forint", "huf", whole("price_starter", 350_000), 100),
        ("an older price", "usd", whole("price_old", 700), 100),
        ("a trial", "usd", whole("price_starter", 0), 0),
    ] {
        assert_eq!(after(&stripe.url(), &[invoice("i1", currency, &[line])]), units, "{name}");
    }
}

#[test]
fn an_upgrade_half_way_gives_the_difference_with_and_without_a_coupon() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let first = invoice("i1", "usd", &[whole("price_starter", 900)]);
    let named = Some(("in_i1", "il_price_starter"));
    for (name, currency, credit, charge, named) in [
        ("by itself", "usd", -450, 1450, named),
        ("a coupon of half", "usd", -225, 725, named),
        ("a coupon of all", "usd", 0, 0, named),
        ("a coupon of all, and nothing is named", "usd", 0, 0, None),
        ("nothing is named", "usd", -450, 1450, None),
        ("yen", "jpy", -650, 2100, named),
    ] {
        let lines = [proration("price_starter", credit, half, named), proration("price_pro", charge, half, None)];
        assert_eq!(after(&stripe.url(), &[first.clone(), invoice("i2", currency, &lines)]), 300, "{name}");
    }
}

#[test]
fn what_is_given_back_is_a_share_of_what_was_given_whatever_the_catalogue_says_by_then() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let life = Life::begin_with(&stripe.url(), Some(&catalog(100)));
    life.hear(&invoice("i1", "usd", &[whole("price_starter", 900)]));
    let life = life.with_catalog(&catalog(200));
    life.hear(&invoice("i2", "usd", &[proration("price_starter", -450, half, None)]));
    assert_eq!(life.remaining(), 50);
    // A trial gave nothing, so nothing of it is given back.
    let trial = [
        invoice("i1", "usd", &[whole("price_starter", 0)]),
        invoice(
            "i2",
            "usd",
            &[
                proration("price_starter", 0, half, Some(("in_i1", "il_price_starter"))),
                proration("price_pro", 1450, half, None),
            ],
        ),
    ];
    assert_eq!(after(&stripe.url(), &trial), 250);
}

/// A change for nothing, as a coupon of 100 % bills it; `words` are Stripe's, where it says any.
fn change(from: (&str, &str), to: (&str, &str), at: i64) -> [Value; 2] {
    [(from, "il_from"), (to, "il_to")].map(|((price, words), id)| {
        let mut line = proration(price, 0, at, None);
        line["id"] = json!(format!("{id}_{at}"));
        line["description"] = json!(words);
        line
    })
}

#[test]
fn a_change_for_nothing_counts_the_same_in_any_order() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let first = invoice("i1", "usd", &[whole("price_starter", 900)]);
    let unused = |price| (price, "Unused time on it after 5 Oct");
    let remaining = |price| (price, "Remaining time on it after 5 Oct");
    let up = invoice("i2", "usd", &change(("price_starter", ""), ("price_pro", ""), half));
    // A change that says nothing waits until what ran before it is known.
    assert_eq!(after(&stripe.url(), &[up.clone(), first.clone()]), 300);
    assert_eq!(after(&stripe.url(), &[first.clone(), up]), 300);
    let up = invoice("i2", "usd", &change(unused("price_starter"), remaining("price_pro"), half));
    let quarter = START + 3 * MONTH / 4;
    let down = invoice("i3", "usd", &change(unused("price_pro"), remaining("price_starter"), quarter));
    for events in [[&first, &up, &down], [&first, &down, &up], [&down, &up, &first], [&up, &first, &down]] {
        assert_eq!(after(&stripe.url(), &events.map(Clone::clone)), 200);
    }
    // Where Stripe names what one line gives back, the other gives.
    let named =
        |id, at, from, to, of| invoice(id, "usd", &[proration(from, 0, at, Some(of)), proration(to, 0, at, None)]);
    let up = named("i2", half, "price_starter", "price_pro", ("in_i1", "il_price_starter"));
    let of = format!("il_price_pro_{half}_0");
    let down = named("i3", quarter, "price_pro", "price_starter", ("in_i2", &of));
    for events in [[&first, &up, &down], [&first, &down, &up]] {
        assert_eq!(after(&stripe.url(), &events.map(Clone::clone)), 200);
    }
}

#[test]
fn an_item_that_is_removed_for_nothing_is_given_back_whichever_it_is() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let first = invoice("i1", "usd", &[whole("price_starter", 900), whole("price_pro", 2900)]);
    for (price, units) in [("price_pro", 350), ("price_starter", 550)] {
        let removal = invoice("i2", "usd", &[proration(price, 0, half, None)]);
        assert_eq!(after(&stripe.url(), &[first.clone(), removal]), units, "{price}");
    }
}

#[test]
fn a_change_in_a_trial_gives_nothing() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let trial = invoice("i1", "usd", &[whole("price_starter", 0)]);
    let up = invoice("i2", "usd", &change(("price_starter", ""), ("price_pro", ""), half));
    assert_eq!(after(&stripe.url(), &[trial, up]), 0);
}

#[test]
fn time_at_a_price_that_the_catalogue_has_no_more_is_given_back() {
    let (stripe, half) = (stripe(), START + MONTH / 2);
    let credit = || proration("price_starter", -450, half, Some(("in_i1", "il_price_starter")));
    for (lines, units) in [(vec![credit()], 50), (vec![credit(), proration("price_pro", 1450, half, None)], 300)] {
        let life = Life::begin_with(&stripe.url(), Some(&catalog(100)));
        life.hear(&invoice("i1", "usd", &[whole("price_starter", 900)]));
        let without = catalog(100).replace("\"price_starter\"", "\"price_new\"");
        let life = life.with_catalog(&without);
        life.hear(&invoice("i2", "usd", &lines));
        assert_eq!((life.remaining(), life.unmatched()), (units, 0));
        life.prove();
    }
}

/// Billed on a fixed day of the month, a subscription begins with less than a month.
#[test]
fn a_beginning_of_less_than_a_month_gives_its_share() {
    let stripe = stripe();
    let stub = proration("price_starter", 300, END - 864_000, None);
    assert_eq!(after(&stripe.url(), &[invoice("i1", "usd", &[stub])]), 33);
}

#[test]
fn a_share_that_no_time_tells_is_told_by_the_price_in_that_currency_or_not_at_all() {
    let stripe = stripe();
    let mut line = proration("price_pro", 1450, START, None);
    line["period"] = json!({"start": START, "end": START});
    let life = Life::begin_with(&stripe.url(), Some(&catalog(100)));
    life.hear(&invoice("i1", "usd", &[line]));
    assert_eq!((life.remaining(), life.unmatched()), (0, 1), "the stand-in has no such price");
}

#[test]
fn every_line_of_ours_is_credited_and_the_rest_is_shown() {
    let stripe = stripe();
    let pack = |price: &str, amount: i64, quantity: i64| {
        json!({"id": format!("il_{price}"), "amount": amount, "quantity": quantity,
            "pricing": {"price_details": {"price": price}}, "period": {"start": START, "end": START}})
    };
    for (name, lines, units, unmatched) in [
        ("two packs", vec![pack("price_small", 900, 1), pack("price_large", 4000, 2)], 600, 0),
        ("a plan and a pack", vec![whole("price_starter", 900), pack("price_large", 2000, 1)], 350, 0),
        ("a pack, and none of another", vec![pack("price_small", 900, 1), pack("price_large", 0, 0)], 100, 0),
        ("a pack and a stranger", vec![pack("price_small", 900, 1), pack("price_other", 500, 1)], 100, 1),
    ] {
        let life = Life::begin_with(&stripe.url(), Some(&catalog(100)));
        let mut event = invoice("i1", "usd", &lines);
        event["data"]["object"]["payment_intent"] = json!("pi_1");
        life.hear(&event);
        event["id"] = json!("evt_again");
        event["type"] = json!("invoice.payment_succeeded");
        life.hear(&event);
        assert_eq!((life.remaining(), life.unmatched()), (units, unmatched), "{name}");
        life.prove();
    }
}

#[test]
fn what_a_credit_note_took_from_the_open_bill_buys_nothing() {
    let stripe = stripe();
    let pack = json!({"id": "il_small", "amount": 900, "quantity": 1, "pricing": {"price_details": {"price": "price_small"}},
        "period": {"start": START, "end": START}});
    for (lines, total, credited, units) in [
        (vec![pack.clone()], 900, 450, 50),
        (vec![pack.clone()], 900, 900, 0),
        (vec![whole("price_starter", 900), pack.clone()], 1800, 900, 100),
    ] {
        let mut event = invoice("i1", "usd", &lines);
        event["data"]["object"]["total"] = json!(total);
        event["data"]["object"]["amount_paid"] = json!(total - credited);
        event["data"]["object"]["pre_payment_credit_notes_amount"] = json!(credited);
        event["data"]["object"]["payment_intent"] = json!("pi_1");
        assert_eq!(after(&stripe.url(), &[event]), units, "{credited} of {total}");
    }
}

/// The invoice of a plan has no other checkout that could credit the pack again.
#[test]
fn a_pack_beside_a_plan_waits_for_no_answer_of_stripes() {
    let pack = json!({"id": "il_large", "amount": 2000, "quantity": 1, "pricing": {"price_details": {"price": "price_large"}},
        "period": {"start": START, "end": START}});
    assert_eq!(after("http://127.0.0.1:1", &[invoice("i1", "usd", &[whole("price_starter", 900), pack])]), 350);
}

/// A change of plan at a second of the month, and the units of the plan that begins.
fn any_changes() -> impl Strategy<Value = (Vec<(i64, bool)>, i64)> {
    let seconds = proptest::collection::btree_set(1..MONTH, 0..6);
    (seconds, 0..3_i64).prop_map(|(seconds, coupon)| {
        (seconds.into_iter().enumerate().map(|(number, second)| (second, number % 2 == 0)).collect(), coupon)
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn any_sequence_of_changes_ends_where_a_count_by_time_ends((changes, coupon) in any_changes()) {
        let stripe = stripe();
        let life = Life::begin_with(&stripe.url(), Some(&catalog(100)));
        life.hear(&invoice("i0", "usd", &[whole("price_starter", 900)]));
        let (mut units, mut is_pro) = (100, false);
        for (number, (second, to_pro)) in (1..).zip(&changes) {
            let left = MONTH - second;
            let price = |pro: bool| if pro { ("price_pro", 500, 2900) } else { ("price_starter", 100, 900) };
            let (old, new) = (price(is_pro), price(*to_pro));
            // Net of a coupon of 0, 50 or 100 %.
            let money = |full: i64| full * left / MONTH * (2 - coupon) / 2;
            let lines = [
                proration(old.0, -money(old.2), START + second, None),
                proration(new.0, money(new.2), START + second, None),
            ];
            if is_pro == *to_pro {
                continue;
            }
            life.hear(&invoice(&format!("i{number}"), "usd", &lines));
            units += (new.1 - old.1) * left / MONTH;
            is_pro = *to_pro;
        }
        life.prove();
        prop_assert_eq!(life.remaining(), units);
    }
}
