//! The API's document: it is whole, it is the committed one, and it is served.

use std::{collections::BTreeSet, path::PathBuf};

use serde_json::Value;
use tenterhook_server::{ROUTES, document};

use crate::host::host;

/// Set, a test writes the file instead of comparing it:
/// `TENTERHOOK_REWRITE=1 cargo test --workspace --test server -- document`.
const REWRITE: &str = "TENTERHOOK_REWRITE";

#[test]
fn every_operation_is_described() {
    let document = document();
    let mut described = BTreeSet::new();
    for (path, verbs) in document["paths"].as_object().unwrap() {
        for (verb, operation) in verbs.as_object().unwrap() {
            described.insert((path.clone(), verb.to_uppercase()));
            assert!(!operation["summary"].as_str().unwrap().is_empty(), "{path}");
            for parameter in operation["parameters"].as_array().unwrap() {
                assert!(
                    parameter["description"].is_string(),
                    "{verb} {path}: {parameter}"
                );
                assert!(
                    parameter["schema"].is_object(),
                    "{verb} {path}: {parameter}"
                );
            }
        }
    }
    let table: BTreeSet<_> = ROUTES
        .iter()
        .map(|route| (route.path.to_owned(), route.verb.as_str().to_owned()))
        .collect();
    assert_eq!(described, table);
}

#[test]
fn every_reference_leads_somewhere() {
    fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
        match value {
            Value::Object(object) => {
                found.extend(object.get("$ref").and_then(Value::as_str));
                object.values().for_each(|value| references(value, found));
            }
            Value::Array(list) => list.iter().for_each(|value| references(value, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    references(document(), &mut found);
    assert!(found.len() > 50, "{found:?}");
    for reference in found {
        let pointer = reference.strip_prefix('#').unwrap();
        assert!(document().pointer(pointer).is_some(), "{reference}");
    }
}

#[test]
fn the_committed_document_is_this_one() {
    let file = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("openapi.json");
    let mut text = serde_json::to_string_pretty(document()).unwrap();
    text.push('\n');
    if std::env::var_os(REWRITE).is_some() {
        std::fs::write(&file, &text).unwrap();
    }
    let committed = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(
        committed == text,
        "{} is not what the handlers say: {REWRITE}=1 cargo test --workspace --test server -- document",
        file.display()
    );
}

#[tokio::test]
async fn the_document_is_served_with_a_page() {
    let host = host().await;
    let nobody = host.nobody();
    assert_eq!(nobody.get("/v1/openapi.json").await.json, *document());
    let page = nobody.get("/docs").await;
    assert!(page.header("content-type").starts_with("text/html"));
    let policy = page.header("content-security-policy");
    assert!(policy.starts_with("default-src 'none'"), "{policy}");
    let html = page.json.as_str().unwrap();
    for route in ROUTES {
        let path = route.path;
        assert!(
            html.contains(&format!("{} {path}</h3>", route.verb.as_str())),
            "{path}"
        );
    }
    assert!(!html.contains("<script") && !html.contains("http://") && !html.contains("https://"));
}
