//! The keys that sign contexts: which there are, and another one. Their secrets never leave the store and the hosts.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde::{Deserialize, Serialize};
use tenterhook_domain::{
    Code, Error, Result,
    context::{
        CONTEXT_KEY_DELAY_MILLIS, CONTEXT_KEY_DELAY_MILLIS_MAX, ContextKeyEntry, ContextKeySet,
    },
    whole,
};
use utoipa::ToSchema;

use crate::{Api, guard::Caller, problem::Answer, request::JsonOrNothing};

/// The keys that the hosts sign contexts with.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ContextKeyList {
    /// The newest first; without secrets.
    items: Vec<ContextKeyEntry>,
}

impl ContextKeyList {
    fn of(keys: &ContextKeySet, now_millis: u64) -> JsonBody<Self> {
        JsonBody(Self {
            items: keys.entries(now_millis),
        })
    }
}

/// When a new key is to sign.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub(crate) struct Rotation {
    /// So many seconds from now. It verifies at once, on every host that has heard of it: hosts look every second. Nothing
    /// but a host that is alone needs no time.
    #[serde(deserialize_with = "whole::number")]
    #[schema(maximum = 86_400, default = 60)]
    signs_after_seconds: u64,
}

impl Default for Rotation {
    fn default() -> Self {
        Self {
            signs_after_seconds: CONTEXT_KEY_DELAY_MILLIS / 1_000,
        }
    }
}

impl Rotation {
    /// When the key signs that is made at `now_millis`.
    fn signs_from(&self, now_millis: u64) -> Result<u64> {
        let after = self.signs_after_seconds.saturating_mul(1_000);
        if after > CONTEXT_KEY_DELAY_MILLIS_MAX {
            return Err(Error::new(
                Code::RequestInvalid,
                format!(
                    "signs_after_seconds cannot be {}: a new key signs within a day, {} s",
                    self.signs_after_seconds,
                    CONTEXT_KEY_DELAY_MILLIS_MAX / 1_000
                ),
            ));
        }
        Ok(now_millis.saturating_add(after))
    }
}

pub(crate) async fn list(State(api): State<Arc<Api>>) -> Answer<JsonBody<ContextKeyList>> {
    let now = api.state.clock.now_millis();
    let keys = api.state.store.context_keys.load_or_create(now).await?;
    Ok(ContextKeyList::of(&keys, now))
}

pub(crate) async fn rotate(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
    JsonOrNothing(rotation): JsonOrNothing<Rotation>,
) -> Answer<JsonBody<ContextKeyList>> {
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let signs_from = rotation.signs_from(now)?;
    let context_keys = &api.state.store.context_keys;
    let keys = context_keys.rotate(signs_from, &author, now).await?;
    tracing::info!(
        signs_after_seconds = rotation.signs_after_seconds,
        by = caller.token,
        "a context key was made"
    );
    Ok(ContextKeyList::of(&keys, now))
}
