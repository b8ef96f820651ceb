//! Users and the messages that reach them.

use reqwest::{Method, StatusCode};
use serde_json::{Value, json};
use tenterhook_tests::standin::{Channel, Operation};

use crate::providers::Providers;

fn message(to: &str) -> Value {
    json!({ "user_id": "u-1", "to": to, "subject": "Hello", "body": "A text." })
}

#[tokio::test]
async fn messages_are_taken_once_on_each_channel() {
    let providers = Providers::start().await;
    for (path, to, expected) in [
        ("/mail/messages", "ada@shop.example", StatusCode::CREATED),
        ("/mail/messages", "ada@shop.example", StatusCode::CREATED),
        ("/push/messages", "device-1", StatusCode::CREATED),
        ("/inbox/messages", "u-1", StatusCode::CREATED),
        (
            "/mail/messages",
            "nowhere",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        (
            "/mail/messages",
            "ada@bounce.example",
            StatusCode::UNPROCESSABLE_ENTITY,
        ),
        ("/push/messages", "gone-device", StatusCode::GONE),
    ] {
        let (status, answer) = providers.post(path, to, message(to)).await;
        assert_eq!(status, expected, "{path} {to}: {answer}");
    }
    let book = providers.books().await;
    let channels: Vec<_> = book.messages.iter().map(|taken| taken.channel).collect();
    assert_eq!(channels, [Channel::Email, Channel::Push, Channel::InApp]);
    assert_eq!(book.messages[0].message_id, "msg_000001");
    let mails = book.counts(Operation::Mails);
    assert_eq!((mails.booked, mails.repeated, mails.refused), (1, 1, 2));
}

#[tokio::test]
async fn a_users_status_and_packages_are_on_record() {
    let providers = Providers::start().await;
    let profile = json!({ "email": "ada@shop.example", "opted_out": ["push"] });
    let path = "/users/users/u-1";
    providers
        .send(Method::PUT, path, Some("k-1"), profile)
        .await;
    let (status, user) = providers.get(path).await;
    assert_eq!(
        (status, &user["opted_out"]),
        (StatusCode::OK, &json!(["push"]))
    );
    let active = json!({ "status": "active" });
    let (status, _) = providers
        .send(
            Method::PUT,
            "/users/users/u-1/status",
            Some("k-2"),
            active.clone(),
        )
        .await;
    assert_eq!(status, StatusCode::OK);
    let (status, package) = providers
        .post(
            "/users/users/u-1/packages",
            "k-3",
            json!({ "kind": "welcome" }),
        )
        .await;
    assert_eq!(
        (status, &package["package_id"]),
        (StatusCode::CREATED, &json!("pk_u-1_1"))
    );

    assert_eq!(
        providers.get("/users/users/u-9").await.0,
        StatusCode::NOT_FOUND
    );
    for (method, path, body) in [
        (Method::PUT, "/users/users/u-9/status", active),
        (
            Method::POST,
            "/users/users/u-9/packages",
            json!({ "kind": "welcome" }),
        ),
    ] {
        let (status, _) = providers.send(method, path, Some("k-4"), body).await;
        assert_eq!(status, StatusCode::NOT_FOUND);
    }
    let user = &providers.books().await.users["u-1"];
    assert_eq!(
        (user.status.as_str(), user.packages.as_slice()),
        ("active", &["welcome".to_owned()][..])
    );
}
