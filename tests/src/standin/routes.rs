//! The HTTP face: addresses, headers, and the way of one request past the switches into a book.

use std::collections::BTreeMap;

use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{delete, get, post, put};
use axum::{Json, Router};
use serde_json::{Map, Value};

use super::Books;
use super::book::Answer;
use super::operation::{Operation, Switch};
use super::request::{
    ChargeRequest, Look, OrderRequest, RefundRequest, ReleaseRequest, Request, ReservationRequest,
    ShipmentRequest,
};
use super::serving::CutConnection;
use super::{
    contracts, documents, imports, invoices, items, listings, messages, objects, plans, reminders,
    sources, subscriptions, tenancy, usage, users,
};

/// Bytes of a request's body.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Characters of a book's name.
const BOOK_NAME_MAX: usize = 64;
/// Bytes of an idempotency key.
const KEY_BYTES_MAX: usize = 512;
/// The header that makes a repeated request harmless.
const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// All routes over `books`.
pub(super) fn router(books: Books) -> Router {
    Router::new()
        .route("/{book}/gateway/charges", post(change::<ChargeRequest>))
        .route("/{book}/gateway/refunds", post(change::<RefundRequest>))
        .route(
            "/{book}/inventory/reservations",
            post(change::<ReservationRequest>),
        )
        .route(
            "/{book}/inventory/reservations/{reservation_id}",
            delete(change::<ReleaseRequest>),
        )
        .route(
            "/{book}/orders/orders/{order_id}/status",
            put(change::<OrderRequest>),
        )
        .route(
            "/{book}/fulfillment/shipments",
            post(change::<ShipmentRequest>),
        )
        .merge(documents::routes())
        .merge(items::routes())
        .merge(listings::routes())
        .merge(messages::routes())
        .merge(objects::routes())
        .merge(reminders::routes())
        .merge(sources::routes())
        .merge(subscriptions::routes())
        .merge(contracts::routes())
        .merge(plans::routes())
        .merge(usage::routes())
        .merge(invoices::routes())
        .merge(imports::routes())
        .merge(tenancy::routes())
        .merge(users::routes())
        .route("/{book}/books", get(show))
        .route("/{book}/switches", put(set_switches).get(show_switches))
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(books)
}

/// A request that changes a book. What the path names beside the book counts as part of the body.
pub(super) async fn change<R: Request>(
    State(books): State<Books>,
    Path(mut path): Path<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let name = path.remove("book").unwrap_or_default();
    if !is_book_name(&name) {
        return unknown_book();
    }
    if !arrive(&books, &name, R::OPERATION).await {
        return books_full();
    }
    let parsed = key_of(&headers).and_then(|key| Ok((key, parse::<R>(path, &body)?)));
    let answered = books.with(&name, |book| {
        if let Some(failure) = book.switched_failure(R::OPERATION) {
            return failed(&failure);
        }
        let (key, (asked, request)) = match parsed {
            Ok(parsed) => parsed,
            Err(refusal) => {
                book.refused(R::OPERATION);
                return refusal.into_response();
            }
        };
        let answer = book.answer(R::OPERATION, &key, asked, |book| request.apply(book, &key));
        if book.switched_drop(R::OPERATION) {
            return CutConnection::response();
        }
        answer.into_response()
    });
    answered.unwrap_or_else(books_full)
}

/// A request that reads a book. It needs no key, for it changes nothing.
pub(super) async fn look<L: Look>(
    State(books): State<Books>,
    Path(mut path): Path<BTreeMap<String, String>>,
    Query(query): Query<BTreeMap<String, String>>,
) -> Response {
    let name = path.remove("book").unwrap_or_default();
    if !is_book_name(&name) {
        return unknown_book();
    }
    if !arrive(&books, &name, L::OPERATION).await {
        return books_full();
    }
    let fields = query.into_iter().chain(path);
    let fields = fields.map(|(field, part)| (field, Value::String(part)));
    let asked = serde_json::from_value(Value::Object(fields.collect()))
        .map_err(|error| error.to_string())
        .and_then(|asked: L| asked.validate().map(|()| asked));
    let answered = books.with(&name, |book| {
        if let Some(failure) = book.switched_failure(L::OPERATION) {
            return failed(&failure);
        }
        let answer = match asked {
            Ok(asked) => asked.look(book),
            Err(problem) => invalid(&problem),
        };
        if !answer.status.is_success() {
            book.refused(L::OPERATION);
        }
        if book.switched_drop(L::OPERATION) {
            return CutConnection::response();
        }
        answer.into_response()
    });
    answered.unwrap_or_else(books_full)
}

/// Counts a call and has it wait as its switch says; answers whether there is a book for it.
async fn arrive(books: &Books, name: &str, operation: Operation) -> bool {
    let Some(delay) = books.with(name, |book| book.arrived(operation)) else {
        return false;
    };
    if !delay.is_zero() {
        // Being slow is what the switch asks for: a provider's latency, not a wait for an event.
        tokio::time::sleep(delay).await;
    }
    true
}

async fn show(State(books): State<Books>, Path(name): Path<String>) -> Response {
    if !is_book_name(&name) {
        return unknown_book();
    }
    Json(books.lock().get(&name).cloned().unwrap_or_default()).into_response()
}

async fn show_switches(State(books): State<Books>, Path(name): Path<String>) -> Response {
    if !is_book_name(&name) {
        return unknown_book();
    }
    let switches = books.lock().get(&name).map(super::Book::switches);
    Json(switches.unwrap_or_default()).into_response()
}

async fn set_switches(
    State(books): State<Books>,
    Path(name): Path<String>,
    body: Bytes,
) -> Response {
    if !is_book_name(&name) {
        return unknown_book();
    }
    let switches: BTreeMap<Operation, Switch> = match serde_json::from_slice(&body) {
        Ok(switches) => switches,
        Err(error) => return invalid(&error.to_string()).into_response(),
    };
    if let Some(problem) = switches.values().find_map(|switch| switch.validate().err()) {
        return invalid(&problem).into_response();
    }
    let set = books.with(&name, |book| {
        for (operation, switch) in switches {
            book.set_switch(operation, switch);
        }
        StatusCode::NO_CONTENT.into_response()
    });
    set.unwrap_or_else(books_full)
}

fn key_of(headers: &HeaderMap) -> Result<String, Answer> {
    let key = headers
        .get(IDEMPOTENCY_KEY)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    if key.is_empty() || key.len() > KEY_BYTES_MAX {
        let message =
            format!("an Idempotency-Key of 1 to {KEY_BYTES_MAX} printable characters is needed");
        return Err(Answer::refusal(
            StatusCode::BAD_REQUEST,
            "idempotency_key_missing",
            &message,
        ));
    }
    Ok(key.to_owned())
}

/// The request with its path's parts, as it is compared under its key and as it is carried out.
fn parse<R: Request>(path: BTreeMap<String, String>, body: &[u8]) -> Result<(Value, R), Answer> {
    let mut fields: Map<String, Value> = if body.is_empty() {
        Map::new()
    } else {
        let malformed = |error: serde_json::Error| {
            Answer::refusal(
                StatusCode::BAD_REQUEST,
                "malformed_json",
                &error.to_string(),
            )
        };
        serde_json::from_slice(body).map_err(malformed)?
    };
    fields.extend(
        path.into_iter()
            .map(|(field, part)| (field, Value::String(part))),
    );
    let asked = Value::Object(fields);
    let request: R =
        serde_json::from_value(asked.clone()).map_err(|error| invalid(&error.to_string()))?;
    request.validate().map_err(|problem| invalid(&problem))?;
    Ok((asked, request))
}

fn is_book_name(name: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
    (1..=BOOK_NAME_MAX).contains(&name.len()) && name.bytes().all(allowed)
}

fn failed(switch: &Switch) -> Response {
    let status = StatusCode::from_u16(switch.status).unwrap_or(StatusCode::SERVICE_UNAVAILABLE);
    let message = "a switch of the stand-in failed this call before it was booked";
    let mut response = Answer::refusal(status, "switched_failure", message).into_response();
    if let Some(seconds) = switch.retry_after {
        response
            .headers_mut()
            .insert(header::RETRY_AFTER, seconds.into());
    }
    response
}

fn invalid(problem: &str) -> Answer {
    Answer::refusal(StatusCode::UNPROCESSABLE_ENTITY, "invalid_request", problem)
}

fn unknown_book() -> Response {
    let message = format!("a book's name is 1 to {BOOK_NAME_MAX} of a-z A-Z 0-9 - _");
    Answer::refusal(StatusCode::NOT_FOUND, "unknown_book", &message).into_response()
}

fn books_full() -> Response {
    let message = "no room for another book";
    Answer::refusal(StatusCode::INSUFFICIENT_STORAGE, "books_full", message).into_response()
}

impl IntoResponse for Answer {
    fn into_response(self) -> Response {
        match self.body {
            Some(body) => (self.status, Json(body)).into_response(),
            None => self.status.into_response(),
        }
    }
}
