//! The page of the real server: nothing is loaded or run in it but what comes from the server.

use std::{fs, path::Path};

use crate::support::{Asker, House};

/// The tests of the page in a browser run under a policy of their mock's: it is the one of the server.
#[tokio::test]
async fn whatever_is_answered_carries_the_policy_under_which_the_page_is_tested() {
    let mock = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/e2e/mock.mjs");
    let mock = fs::read_to_string(mock).expect("the mock");
    let house = House::start();
    let ada = Asker::first_operator(&house).await;
    for (path, status) in [
        ("//houses", 200),
        ("//sign-in", 200),
        ("//setup", 200),
        ("//assets/any/app.js", 200),
        ("/houses", 200),
        ("//no/such/thing", 404),
    ] {
        let answer = ada.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        let policy = &answer.headers["content-security-policy"];
        let policy = policy.to_str().expect("text");
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self'; "),
            "{path}: {policy}"
        );
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        let tested = mock.contains(&format!("\"{policy}\";"));
        assert!(tested, "{path}: the mock has another policy than {policy}");
    }
}
