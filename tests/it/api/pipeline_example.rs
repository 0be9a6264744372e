//! The example of a pipeline, as docs/api.md shows it, run through FastAPI against a real till.

use std::process::Command;

use crate::harness::Shop;
use crate::harness::python::{python, run};

#[test]
fn the_example_takes_units_once_whatever_happens() {
    let libraries = ["fastapi==0.165.0", "httpx==0.28.1"];
    let Some(python) = python("fastapi", &libraries, "the example of a pipeline") else { return };
    let shop = Shop::open();
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/pipeline_example.py");
    let made = shop.till_prints(&["token", "create", "example", "--scopes", "spend", "--json"]);
    let made: serde_json::Value = serde_json::from_str(&made).unwrap();
    let spender = made["token"].as_str().unwrap();
    let said = run(Command::new(python).args([script, &shop.till.url, spender, shop.token()]));
    let said = said.unwrap_or_else(|said| panic!("{said}"));
    assert!(said.contains("does what it says"), "{said}");
    shop.verify_books();
}

#[test]
fn the_guide_shows_the_example_as_it_is() {
    let guide = include_str!("../../../docs/api.md");
    let shown = guide.split("```python\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let shown = shown.filter(|text| text.contains("expires_in")).collect::<Vec<_>>().concat();
    assert!(!shown.is_empty(), "docs/api.md shows no pipeline");
    let whole = include_str!("../../python/pipeline.py");
    for part in shown.split("\n...\n") {
        assert!(
            whole.contains(part.trim()),
            "tests/python/pipeline.py does not hold this part of docs/api.md:\n{part}"
        );
    }
}
