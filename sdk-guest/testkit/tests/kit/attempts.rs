//! Attempts that run for real, or end otherwise than with an answer, by the guest that has an activity for each.

use std::{
    io::{Read as _, Write as _},
    net::{SocketAddr, TcpListener},
    sync::{Arc, Mutex},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::{Value, json};
use tenterhook_testkit::{Call, Kit, Plugin};

/// `TIMEOUT_TYPE_HEARTBEAT`.
const HEARTBEAT: u32 = 4;

fn kit() -> Kit {
    Kit::new(&Plugin::guest("test-workflows"))
}

/// A provider that answers one request with all that it was sent.
fn echo() -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answering = thread::spawn(move || {
        let (mut connection, _) = listener.accept().unwrap();
        let mut request = Vec::new();
        let mut byte = [0];
        while !request.ends_with(b"\r\n\r\n") {
            connection.read_exact(&mut byte).unwrap();
            request.push(byte[0]);
        }
        let body = "thanks";
        let length = body.len();
        write!(
            connection,
            "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{body}"
        )
        .unwrap();
        String::from_utf8(request).unwrap()
    });
    (address, answering)
}

#[test]
fn an_attempt_goes_on_where_the_one_before_heartbeat() {
    let mut kit = kit();
    kit.real("Count");
    let count = json!({ "activity": "Count", "attempts": 3, "input": { "to": 5, "fails_at": 4 } });
    let ended = kit.run("RunsActivity", &count);
    let counted = ended.result::<Value>()["result"].clone();
    assert_eq!(counted, json!({ "resumed_from": 3, "attempt": 2 }));
}

#[test]
fn an_attempt_that_is_not_heard_of_times_out() {
    let mut kit = kit();
    let found = Arc::new(Mutex::new(Vec::new()));
    let finds = found.clone();
    kit.mock_call("Echo", move |call: &Call<Value>| {
        finds.lock().unwrap().push(call.heartbeat_details.clone());
        call.heartbeat(call.attempt);
        Ok(())
    });
    kit.inject("1:answer-lost".parse().unwrap());
    let silent = json!({
        "activity": "Echo", "attempts": 2, "start_to_close_ms": 60_000, "heartbeat_ms": 1000
    });
    let ended = kit.run("RunsActivity", &silent);
    let timed_out = ended.result::<Value>()["failure"][1].clone();
    assert_eq!(
        (&timed_out["what"], &timed_out["state"]),
        (&json!("timeout"), &json!(HEARTBEAT)),
        "{timed_out}"
    );
    assert_eq!(*found.lock().unwrap(), [json!(null), json!(1)]);
    // One second each, and the pause between them.
    assert_eq!(ended.elapsed(), Duration::from_secs(3));
}

#[test]
fn a_failure_says_when_to_try_again() {
    let mut kit = kit();
    kit.real("Fail");
    let later = json!({
        "activity": "Fail", "attempts": 3, "retry_initial_ms": 1000,
        "input": {
            "kind": "RateLimited", "message": "later", "next_retry_delay_ms": 90_000, "succeeds_at": 2
        }
    });
    let ended = kit.run("RunsActivity", &later);
    assert_eq!(ended.result::<Value>()["result"], json!(2));
    assert_eq!(ended.elapsed(), Duration::from_secs(90));
}

#[test]
fn a_request_goes_out_with_its_secret_and_only_where_it_may() {
    let (address, answering) = echo();
    let host = address.to_string();
    let mut kit = kit();
    kit.real("Fetch")
        .configure("fetch_url", &format!("http://{host}/orders"))
        .grant_http(&host)
        .secret("api-key", "s3cret-word", &host);
    let fetch = |host: &str| {
        json!({
            "activity": "Fetch", "attempts": 1,
            "input": {
                "url": format!("http://{host}/orders"),
                "headers": { "authorization": "Bearer {{secret:api-key}}" }
            }
        })
    };
    let ended = kit.run("RunsActivity", &fetch("127.0.0.1:1"));
    let refused = ended.result::<Value>()["failure"].to_string();
    assert!(refused.contains("HttpRequestDenied"), "{refused}");
    let ended = kit.run("RunsActivity", &fetch(&host));
    let fetched = ended.result::<Value>();
    assert_eq!(fetched["result"]["text"], "thanks", "{fetched}");
    let request = answering.join().unwrap();
    assert!(request.starts_with("GET /orders HTTP/1.1\r\n"), "{request}");
    assert!(request.contains("Bearer s3cret-word\r\n"), "{request}");
    assert!(request.contains("idempotency-key: "), "{request}");
}

#[test]
fn an_execution_that_is_not_there_is_neither_signalled_nor_cancelled() {
    for workflow in ["SignalsOther", "CancelsOther"] {
        let ended = kit().run(workflow, "nobody");
        let error = ended.result::<Option<String>>();
        assert!(error.is_some_and(|error| !error.is_empty()), "{workflow}");
    }
}
