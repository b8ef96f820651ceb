//! Three services of a product with many tenants: who may be where, who is where, and what he is logged in to.

use std::collections::BTreeMap;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::{get, post, put};
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::Books;
use super::book::{Answer, Book, numbered};
use super::operation::Operation;
use super::request::{Look, Request, name};
use super::routes::{change, look};

/// Who may be what, where. Tenant first, then user.
pub type Access = BTreeMap<String, BTreeMap<String, String>>;

/// What a user is logged in to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Session {
    /// The service's own id.
    pub session_id: String,
    /// Whose it is.
    pub user_id: String,
    /// Where.
    pub tenant_id: String,
    /// As what.
    pub role: String,
    /// The user has moved to another tenant since.
    pub ended: bool,
}

/// `GET tenants/tenants/{tenant_id}/access/{user_id}`
#[derive(Debug, Deserialize)]
struct AccessLook {
    tenant_id: String,
    user_id: String,
}

/// `PUT users/users/{user_id}/tenant`
#[derive(Debug, Serialize, Deserialize)]
struct MoveRequest {
    user_id: String,
    tenant_id: String,
}

/// `POST sessions/sessions`
#[derive(Debug, Serialize, Deserialize)]
struct SessionRequest {
    user_id: String,
    tenant_id: String,
    role: String,
}

/// The routes of these three services.
pub(super) fn routes() -> Router<Books> {
    Router::new()
        .route(
            "/{book}/tenants/tenants/{tenant_id}/access/{user_id}",
            get(look::<AccessLook>),
        )
        .route(
            "/{book}/users/users/{user_id}/tenant",
            put(change::<MoveRequest>),
        )
        .route("/{book}/sessions/sessions", post(change::<SessionRequest>))
}

impl Look for AccessLook {
    const OPERATION: Operation = Operation::TenantAccess;

    fn look(&self, book: &Book) -> Answer {
        let Some(users) = book.access.get(&self.tenant_id) else {
            let message = "there is no such tenant";
            return Answer::refusal(StatusCode::NOT_FOUND, "unknown_tenant", message);
        };
        match users.get(&self.user_id) {
            Some(role) => Answer::with(StatusCode::OK, json!({ "role": role })),
            None => {
                let message = "the user may not be in this tenant";
                Answer::refusal(StatusCode::FORBIDDEN, "no_access", message)
            }
        }
    }
}

impl Request for MoveRequest {
    const OPERATION: Operation = Operation::UserMoves;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user_id)?;
        name("tenant_id", &self.tenant_id)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        let Some(tenant) = book.user_tenants.get_mut(&self.user_id) else {
            let message = "there is no such user";
            return Answer::refusal(StatusCode::NOT_FOUND, "unknown_user", message);
        };
        let previous = std::mem::replace(tenant, self.tenant_id.clone());
        for login in &mut book.sessions {
            login.ended |= login.user_id == self.user_id && login.tenant_id != self.tenant_id;
        }
        Answer::with(
            StatusCode::OK,
            json!({ "user_id": self.user_id, "previous_tenant_id": previous }),
        )
    }
}

impl Request for SessionRequest {
    const OPERATION: Operation = Operation::Sessions;

    fn validate(&self) -> Result<(), String> {
        name("user_id", &self.user_id)?;
        name("tenant_id", &self.tenant_id)?;
        name("role", &self.role)
    }

    fn apply(self, book: &mut Book, _key: &str) -> Answer {
        if book.user_tenants.get(&self.user_id) != Some(&self.tenant_id) {
            let message = "the user is not in this tenant";
            return Answer::refusal(StatusCode::CONFLICT, "not_in_tenant", message);
        }
        let session_id = numbered("se", book.sessions.len());
        let answer = Answer::created(json!({ "session_id": session_id }));
        book.sessions.push(Session {
            session_id,
            user_id: self.user_id,
            tenant_id: self.tenant_id,
            role: self.role,
            ended: false,
        });
        answer
    }
}
