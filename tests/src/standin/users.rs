//! Users: how they are reached, what they do not want, their status, and the packages they were sent.

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{post, put};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book};
use super::messages::Channel;
use super::operation::Operation;
use super::request::{Look, Request, name};
use super::routes::{change, look};

/// A user's profile.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct User {
    /// The caller's id.
    pub user_id: String,
    /// The mail address, if there is one.
    pub email: Option<String>,
    /// The device that takes pushes, if there is one.
    pub push_device: Option<String>,
    /// The channels that the user does not want.
    pub opted_out: Vec<Channel>,
    /// The status now.
    pub status: String,
    /// Every status that was set, the present one last.
    pub history: Vec<String>,
    /// The kinds of packages that were sent, the last one last.
    pub packages: Vec<String>,
}

/// The whole of a profile, to be made or put in place of what is there.
#[derive(Debug, Serialize, Deserialize)]
struct UserRequest {
    #[serde(flatten)]
    user: User,
}

#[derive(Debug, Serialize, Deserialize)]
struct StatusRequest {
    user_id: String,
    status: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct PackageRequest {
    user_id: String,
    kind: String,
}

#[derive(Debug, Deserialize)]
struct UserLook {
    user_id: String,
}

/// The routes of this noun.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/users/users/{user_id}",
            put(change::<UserRequest>).get(look::<UserLook>),
        )
        .route(
            "/{book}/users/users/{user_id}/status",
            put(change::<StatusRequest>),
        )
        .route(
            "/{book}/users/users/{user_id}/packages",
            post(change::<PackageRequest>),
        )
}

impl Request for UserRequest {
    const OPERATION: Operation = Operation::Users;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user.user_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let id = self.user.user_id.clone();
        book.users.insert(id.clone(), self.user);
        Answer::with(StatusCode::OK, json!({ "user_id": id }))
    }
}

impl Request for StatusRequest {
    const OPERATION: Operation = Operation::UserStatuses;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user_id)?;
        name("status", &self.status)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(user) = book.users.get_mut(&self.user_id) else {
            return unknown();
        };
        user.status.clone_from(&self.status);
        user.history.push(self.status.clone());
        let body = json!({ "user_id": self.user_id, "status": self.status });
        Answer::with(StatusCode::OK, body)
    }
}

impl Request for PackageRequest {
    const OPERATION: Operation = Operation::Packages;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user_id)?;
        name("kind", &self.kind)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(user) = book.users.get_mut(&self.user_id) else {
            return unknown();
        };
        user.packages.push(self.kind);
        let package_id = format!("pk_{}_{}", self.user_id, user.packages.len());
        Answer::created(json!({ "package_id": package_id }))
    }
}

impl Look for UserLook {
    const OPERATION: Operation = Operation::UserReads;

    fn look(&self, book: &Book) -> Answer {
        match book.users.get(&self.user_id) {
            Some(user) => Answer::with(StatusCode::OK, json!(user)),
            None => unknown(),
        }
    }
}

fn unknown() -> Answer {
    Answer::refusal(
        StatusCode::NOT_FOUND,
        "unknown_user",
        "there is no such user",
    )
}
