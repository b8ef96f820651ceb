//! Start, health, stop.

use std::time::{Duration, Instant};

use tenterhook_server::{STOP_TIMEOUT, Server};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};

use crate::host::{WORKFLOWS, furnished, host};

#[tokio::test]
async fn health_says_if_the_host_lives_and_if_it_can_work() {
    let host = host().await;
    let nobody = host.nobody();
    assert_eq!(nobody.get("/livez").await.status, 200);
    assert_eq!(nobody.get("/readyz").await.status, 200);
    *host.not_ready.lock().unwrap() = true;
    let answer = nobody.get("/readyz").await;
    assert_eq!(
        (answer.status.as_u16(), answer.code()),
        (503, "temporal-unavailable")
    );
    assert_eq!(nobody.get("/livez").await.status, 200);
}

#[tokio::test]
async fn a_taken_address_is_refused_with_its_name() {
    let first = Server::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let error = Server::bind(first.local_addr()).await.unwrap_err();
    let address = first.local_addr().to_string();
    assert!(error.detail().contains(&address), "{}", error.detail());
}

#[tokio::test]
async fn a_stop_cuts_waits_short_and_takes_nobody_new() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let mut waits = host.executions.waits.subscribe();
    waits.mark_unchanged();
    let path = format!("{WORKFLOWS}/order%2F1/result?wait=60s");
    let waiting = acme.get(&path);
    let stopping = async {
        waits.changed().await.unwrap();
        host.stop.cancel();
    };
    let begun = Instant::now();
    let (answer, ()) = tokio::join!(waiting, stopping);
    // It is no failure: the execution runs on, and another host answers the next time.
    assert_eq!(answer.status, 202, "{:?}", answer.json);
    assert_eq!(answer.json["status"], "running");

    host.serving.await.unwrap().unwrap();
    assert!(
        begun.elapsed() < STOP_TIMEOUT,
        "an idle connection held it up"
    );
    assert!(TcpStream::connect(host.address).await.is_err());
}

#[tokio::test]
async fn a_start_that_waits_is_told_it_was_started_when_the_host_stops() {
    let host = furnished().await;
    let acme = host.tenant("acme").await;
    let mut waits = host.executions.waits.subscribe();
    waits.mark_unchanged();
    let path = format!("{WORKFLOWS}?wait=60s");
    let body = r#"{"type": "payment.Pay", "id": "p-1", "input": {"amount": 1}}"#;
    let starting = acme.post(&path, body);
    let stopping = async {
        waits.changed().await.unwrap();
        host.stop.cancel();
    };
    let (answer, ()) = tokio::join!(starting, stopping);
    assert_eq!(
        (answer.status.as_u16(), answer.header("location")),
        (202, format!("{WORKFLOWS}/p-1").as_str())
    );
}

/// A caller who asks before sending a body that is too large is spared the sending.
#[tokio::test]
async fn a_body_that_is_announced_too_large_is_refused_before_it_is_sent() {
    let host = furnished().await;
    let token = host.tenant("acme").await.token.unwrap();
    let mut stream = TcpStream::connect(host.address).await.unwrap();
    let head = format!(
        "POST {}/releases HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         expect: 100-continue\r\ncontent-length: 104857600\r\n\r\n",
        crate::host::PLUGIN
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    let mut answer = [0; 12];
    let read = stream.read_exact(&mut answer);
    tokio::time::timeout(Duration::from_secs(10), read)
        .await
        .unwrap()
        .unwrap();
    assert_eq!(&answer, b"HTTP/1.1 413");
}
