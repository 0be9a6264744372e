//! The catalogue's rules, one row each.

use super::*;

/// A plan with these further lines, then a pack with these.
fn file(plan: &str, pack: &str) -> String {
    format!(
        "[[plan]]\nkey = \"basic\"\namount = 500\nunits = 50\n{plan}\n[[pack]]\nkey = \"more\"\namount = 900\nunits = 100\n{pack}\n"
    )
}

#[test]
fn the_built_in_catalogue_is_the_contracts_and_the_examples() {
    let catalog = Catalog::built_in();
    let rows: Vec<_> =
        catalog.offers().map(|offer| (offer.key(), offer.name(), offer.amount(), offer.units())).collect();
    let expected = [
        ("free", "Free", 0, 0),
        ("starter", "Starter", 900, 100),
        ("pro", "Pro", 2900, 500),
        ("topup_100", "100 pictures", 900, 100),
        ("topup_250", "250 pictures", 2000, 250),
    ];
    assert_eq!(rows, expected);
    assert_eq!(catalog.free_plan().unwrap().features, ["byok"]);
    assert_eq!(catalog.offer("tier2"), catalog.offer("pro"));
    assert_eq!(catalog.offer("Pro"), None);
    assert_eq!(catalog.missing_price_ids().len(), 4);
    assert_eq!(catalog.missing_price_ids()[2].1, "SPRITE_STRIPE_TOPUP_100_PRICE_ID");
    assert_eq!(breaches(&catalog), []);
    assert_eq!(parse(include_str!("../../systemd/catalog.example.toml")), Ok(catalog));
}

#[test]
fn a_file_says_everything_an_entry_has() {
    let plan = "name = \"Basic\"\ninterval = \"year\"\nprice_id = \"price_b\"\nolder_price_ids = [\"gold\"]\nalias = \"b\"\nexpiry = \"period_end\"";
    let text = format!(
        "currency = \"EUR\"\nlow_balance = 3\nunit = {{ singular = \"song\", plural = \"songs\" }}\n{}",
        file(plan, "expiry = 90")
    );
    let catalog = parse(&text).unwrap();
    let Some(Offer::Plan(basic)) = catalog.by_price("gold") else { panic!("an older price finds its plan") };
    assert_eq!((basic.interval, basic.expiry, basic.units), (Interval::Year, Expiry::PeriodEnd, 50));
    assert_eq!(catalog.offer("b"), catalog.by_price("price_b"));
    let Some(Offer::Pack(more)) = catalog.offer("more") else { panic!("the pack is there") };
    assert_eq!((more.name.as_str(), more.expiry, &more.price_id), ("100 songs", Expiry::Days(90), &None));
    assert_eq!((catalog.currency.as_str(), catalog.low_balance, catalog.free_plan()), ("eur", 3, None));
    let codes: Vec<bool> = catalog.offers().map(Offer::takes_promotion_codes).collect();
    assert_eq!(codes, [true, false], "plans take promotion codes, packs do not, unless the file says so");
    let said = parse(&file("promotion_codes = false", "promotion_codes = true")).unwrap();
    assert_eq!(said.offers().map(Offer::takes_promotion_codes).collect::<Vec<bool>>(), [false, true]);
    assert_eq!(catalog.missing_price_ids(), [("more".to_owned(), "SPRITE_STRIPE_MORE_PRICE_ID".to_owned())]);
}

#[test]
fn packs_have_invoices_unless_the_file_says_otherwise() {
    let selling = |text: &str| parse(&(text.to_owned() + &file("", ""))).unwrap().selling;
    let default = Selling {
        billing_address: false,
        grace_days: 3,
        welcome_units: 0,
        invoices: true,
        tax_ids: false,
        automatic_tax: false,
    };
    assert_eq!(selling("[selling]\nwelcome_units = 5\n"), Selling { welcome_units: 5, ..default.clone() });
    assert_eq!(selling(""), default);
    assert_eq!(selling("[selling]\ngrace = \"0d\"\n"), Selling { grace_days: 0, ..default.clone() });
    let text = "[selling]\ninvoices = false\ntax_ids = true\nautomatic_tax = true\nbilling_address = true\n";
    let other = Selling { invoices: false, tax_ids: true, automatic_tax: true, billing_address: true, ..default };
    assert_eq!(selling(text), other);
}

#[test]
fn each_fault_names_its_line_and_what_was_expected() {
    let many: String = (0..100).map(|n| format!("[[pack]]\nkey = \"p{n}\"\namount = 1\nunits = 1\n")).collect();
    let rows = [
        (file("colour = 1", ""), "line 5: unknown field `colour`"),
        (file("", "interval = \"month\""), "line 10: unknown field `interval`"),
        (file("interval = \"week\"", ""), "line 5: unknown variant `week`, expected `month` or `year`"),
        (
            file("expiry = \"soon\"", ""),
            "line 5: invalid value: string \"soon\", expected \"never\", \"period_end\" or",
        ),
        (file("expiry = -1", ""), "line 5: invalid value"),
        (file("promotion_codes = \"no\"", ""), "line 5: invalid type: string \"no\", expected a boolean"),
        (file("expiry = 0", ""), "line 2: plan \"basic\": expiry is 0 days; expected 1 to 36500"),
        (
            file("", "expiry = \"period_end\""),
            "line 7: pack \"more\": expiry is \"period_end\", but a pack has no period",
        ),
        (
            file("aliases = [\"more\"]", ""),
            "line 7: pack \"more\": the key or alias \"more\" already belongs to plan \"basic\"",
        ),
        (file("aliases = [\"B\"]", ""), "the key or alias is \"B\"; expected 1 to 40 of a–z"),
        (file("price_id = \"price_1\"", "older_price_ids = [\"price_1\"]"), "already belongs to plan \"basic\""),
        (file("price_id = \"prod_1\"", ""), "prod_… is a product"),
        (file("price_id = \"sk_test_1\"", "price_id = \"sk_test_1\""), "expected one price id"),
        (file("name = \"\"", ""), "name is \"\""),
        (file("features = [\"a b\"]", ""), "the feature \"a b\" is not a word"),
        (file("", "") + "currency = 1", "line 11: unknown field `currency`"),
        ("currency = \"dollar\"\n".to_owned() + &file("", ""), "currency is \"dollar\"; expected three letters"),
        (
            "[selling]\ngrace = \"3\"\n".to_owned() + &file("", ""),
            "line 2: invalid value: string \"3\", expected a number of",
        ),
        ("[selling]\ngrace = \"91d\"\n".to_owned() + &file("", ""), "expected a number of days from 0 to 90"),
        ("[selling]\nwelcome_units = -1\n".to_owned() + &file("", ""), "a whole number of units from 0 to"),
        ("[selling]\ngrace = 3\n".to_owned() + &file("", ""), "line 2: invalid type"),
        ("[selling]\ninvoices = \"yes\"\n".to_owned() + &file("", ""), "line 2: invalid type"),
        (
            "[selling]\nvat = true\n".to_owned() + &file("", ""),
            "line 2: unknown field `vat`, expected one of `invoices`",
        ),
        ("low_balance = -1\n".to_owned() + &file("", ""), "low_balance is -1; expected 0 to 1000000000 units"),
        ("low_balance = \"few\"\n".to_owned() + &file("", ""), "expected a whole number of units, such as 100"),
        ("[[plan]]\nkey = \"a\"\namount = 0\nunits = 1".to_owned(), "line 2: plan \"a\": units is 1; expected 0"),
        (
            "[[plan]]\nkey = \"a\"\namount = 9.0\nunits = 1".to_owned(),
            "line 3: invalid type: floating point `9.0`, expected an amount",
        ),
        ("[[plan]]\nkey = \"a\"\namount = -1\nunits = 1".to_owned(), "amount is -1; expected 0 to 99999999"),
        ("[[pack]]\nkey = \"a\"\namount = 0\nunits = 1".to_owned(), "amount is 0; expected 1 to"),
        ("[[pack]]\nkey = \"a\"\namount = 1\nunits = 0".to_owned(), "units is 0; expected 1 to 1000000000"),
        (
            "[[pack]]\nkey = \"a\"\namount = 1\nunits = 1000000001".to_owned(),
            "units is 1000000001; expected 1 to 1000000000",
        ),
        ("[[plan]]\nkey = \"a\"\nunits = 1".to_owned(), "line 1: missing field `amount`"),
        ("[[plan]\n".to_owned(), "line 1: "),
        (String::new(), "it holds no plan and no pack"),
        (many + &file("", ""), "it holds 102 plans and packs; expected at most 100"),
    ];
    for (text, expected) in rows {
        let faults = parse(&text).map_or_else(|faulty| faulty.faults, |_| vec![]);
        let lines: Vec<String> = faults.iter().map(CatalogFault::to_string).collect();
        assert!(!lines.iter().any(|line| line.contains("sk_test")), "{lines:?}");
        assert!(lines.iter().any(|line| line.contains(expected)), "{expected}\nin {lines:?}\nof\n{text}");
    }
}

#[test]
fn all_faults_in_the_shape_of_a_file_are_told_at_once_with_the_nearest_known_names() {
    let text = "curency = \"usd\"\nlow_balance = 1.5\n[[plan]]\nkey = \"a\"\namount = 9.0\nunits = \"few\"\n\
        older_price_ids = [\n  \"price_1\",\n  5,\n]\n[[pack]]\nkey = \"b\"\nunits = 1\n[[pack]]\nkey = \"c\"\n\
        amount = 1\nunits = 1\nfeature = [\"x\"]\n[selling]\ntax_id = true\n";
    let lines: Vec<String> = parse(text).unwrap_err().faults.iter().map(CatalogFault::to_string).collect();
    for (begin, words) in [
        ("line 1: unknown field `curency`", "the nearest known name is `currency`"),
        ("line 2: ", "expected a whole number of units"),
        ("line 5: ", "expected an amount"),
        ("line 6: ", "expected a whole number"),
        ("line 9: ", "integer `5`"),
        ("line 11: missing field `amount`", ""),
        ("line 18: unknown field `feature`", "the nearest known name is `features`"),
        ("line 20: unknown field `tax_id`", "the nearest known name is `tax_ids`"),
    ] {
        assert!(lines.iter().any(|line| line.starts_with(begin) && line.contains(words)), "{begin}: {lines:#?}");
    }
    assert_eq!(lines.len(), 8, "{lines:#?}");

    // Those in its values with them, and what stands below a wrong head is not judged by the table above.
    let text = "[unit]\nsingular = \"picture\"\nplural = \"pictures\"\n[plan]\nkey = \"a\"\namount = 900\nunits = 1\n\
        [[pack]]\nkey = \"b\"\namount = -1\nunits = 0\ncolour = 1\n[extra]\nkey = 1\n";
    let faulty = parse(text).unwrap_err();
    let lines: Vec<String> = faulty.faults.iter().map(CatalogFault::to_string).collect();
    for begin in
        ["line 4: invalid type", "line 9: pack \"b\": amount", "line 9: pack \"b\": units", "line 12: ", "line 13: "]
    {
        assert!(lines.iter().any(|line| line.starts_with(begin)), "{begin}: {lines:#?}");
    }
    assert_eq!(lines.len(), 5, "{lines:#?}");
    assert_eq!(faulty.rest.unwrap().packs[0].key, "b");
}

#[test]
fn an_amount_that_stripe_takes_in_no_such_currency_is_refused() {
    for (text, expected) in [
        (
            "currency = \"kwd\"\n".to_owned() + &file("", "").replace("900", "905"),
            "pack \"more\": amount is 905; expected a multiple of 10: Stripe takes no other in kwd",
        ),
        (
            "currency = \"ISK\"\n".to_owned() + &file("", "").replace("500", "550"),
            "plan \"basic\": amount is 550; expected a multiple of 100: Stripe takes no other in isk",
        ),
    ] {
        let lines: Vec<String> = parse(&text).unwrap_err().faults.iter().map(CatalogFault::to_string).collect();
        assert!(lines.len() == 1 && lines[0].ends_with(expected), "{lines:?}");
    }
    assert!(parse(&("currency = \"kwd\"\n".to_owned() + &file("", ""))).is_ok());
}
