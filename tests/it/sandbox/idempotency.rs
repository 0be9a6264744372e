//! Idempotency keys, together with the faults that make a client need them.

use std::thread;
use std::time::Duration;

use serde_json::json;

use super::fixture::Fixture;

#[test]
fn an_idempotency_key_gives_the_first_answer_again() {
    let fixture = Fixture::new();
    let path = "/v1/customers";
    let create = |form: &str, key: &str| fixture.call("POST", path, form, Some(key));
    let first = create("email=a@example.org&name=A", "k1");
    let again = create("name=A&email=a@example.org", "k1");
    assert_eq!((again.status, again.header("idempotent-replayed"), &again.text), (200, "true", &first.text));
    assert_eq!(first.header("idempotent-replayed"), "");
    let other = create("email=b@example.org", "k1").json();
    assert_eq!(other["error"]["type"], "idempotency_error");
    assert_eq!(create("email=nobody", "k2").status, 400);
    assert_eq!(create("email=c@example.org", "k2").status, 200, "a refused call frees its key");

    fixture.control("faults", "path=/v1/customers&kind=status:500&times=1&method=POST");
    let replayed = || create("name=D", "k3");
    assert_eq!((replayed().status, replayed().header("idempotent-replayed").to_owned()), (500, "true".to_owned()));
    for status in [429, 409] {
        fixture.control("faults", &format!("path=/v1/customers&kind=status:{status}"));
        assert_eq!(
            (create("name=E", &status.to_string()).status, create("name=E", &status.to_string()).status),
            (status, 200)
        );
    }

    fixture.control("faults", "path=/v1/customers&kind=close");
    let headers = [("Authorization", "Bearer sk_test_1"), ("Idempotency-Key", "k4")];
    assert!(fixture.send("POST", path, "name=F", &headers).is_err(), "the connection is closed");
    let after = create("name=F", "k4");
    assert_eq!(
        (after.status, after.header("idempotent-replayed"), after.json()["name"].clone()),
        (200, "true", json!("F"))
    );

    fixture.control("faults", "path=/v1/customers&kind=slow:60000");
    thread::scope(|scope| {
        scope.spawn(|| {
            let brief = fixture
                .agent
                .post(format!("{}{path}", fixture.sandbox.url()))
                .config()
                .timeout_global(Some(Duration::from_millis(500)));
            let request = brief.build().header("Authorization", "Bearer sk_test_1").header("Idempotency-Key", "k5");
            assert!(request.send("name=G").is_err(), "it gives up waiting");
        });
        while fixture.page("GET", "/control/state", "").json()["faults"] != json!([]) {
            thread::yield_now();
        }
        let under_way = create("name=G", "k5");
        assert_eq!(
            (under_way.status, under_way.json()["error"]["code"].clone()),
            (409, json!("idempotency_key_in_use"))
        );
    });
}
