//! Secrets of plugins: set, listed by name, deleted, and sealed anew. A value comes in and never goes out.

use std::{fmt, sync::Arc};

use axum::{Extension, Json as JsonBody, extract::State};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use tenterhook_domain::{
    Code, Result,
    audit::Author,
    secret::{SECRET_BYTES_MAX, SECRET_BYTES_MIN, SecretValue},
    secret_key::{Sealed, SecretKeys, SecretPlace},
};
use tenterhook_store::SecretEntry;
use utoipa::{PartialSchema, ToSchema, openapi};

use crate::{
    Api,
    answer::NoContent,
    guard::Caller,
    handle::encryption,
    problem::Answer,
    request::{AtPlugin, AtSecret, Json},
};

/// Most secrets that one call seals anew: it ends well before its time does.
pub const RESEALED_MAX: usize = 500;
/// Secrets that are read at once to be sealed anew.
const PAGE_SECRETS: usize = 100;

/// The secrets of a plugin.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct SecretList {
    /// By name; without values.
    items: Vec<SecretEntry>,
}

/// What a secret is set to.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewSecret {
    /// The value: printable ASCII, with blanks only within.
    value: Text,
}

/// A text that no error quotes and no log shows.
pub(crate) struct Text(String);

impl<'de> Deserialize<'de> for Text {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match Value::deserialize(deserializer)? {
            Value::String(text) => Ok(Self(text)),
            _ => Err(serde::de::Error::custom("the value of a secret is a text")),
        }
    }
}

impl fmt::Debug for Text {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Text")
    }
}

impl PartialSchema for Text {
    fn schema() -> openapi::RefOr<openapi::Schema> {
        openapi::ObjectBuilder::new()
            .schema_type(openapi::schema::Type::String)
            .min_length(Some(SECRET_BYTES_MIN))
            .max_length(Some(SECRET_BYTES_MAX))
            .pattern(Some("^[!-~]([ -~]*[!-~])?$"))
            .into()
    }
}

impl ToSchema for Text {
    fn name() -> std::borrow::Cow<'static, str> {
        "SecretText".into()
    }
}

/// What became of secrets and payload keys that were under other keys.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Resealed {
    /// Id of the host's first key.
    key: String,
    /// How many are under it now that were not before.
    resealed: usize,
    /// How many are still under other keys. Call again while some are sealed anew; then these are under keys that the
    /// host does not have, or cannot be read.
    left: u64,
}

pub(crate) async fn list(
    State(api): State<Arc<Api>>,
    at: AtPlugin,
) -> Answer<JsonBody<SecretList>> {
    let secrets = &api.state.store.secrets;
    let items = secrets.list(&at.scope, &at.plugin).await?;
    Ok(JsonBody(SecretList { items }))
}

pub(crate) async fn put(
    State(api): State<Arc<Api>>,
    AtSecret { place }: AtSecret,
    Extension(caller): Extension<Caller>,
    Json(NewSecret { value: Text(text) }): Json<NewSecret>,
) -> Answer<NoContent> {
    let value = SecretValue::new(text)?;
    let sealed = api.state.secret_keys.now()?.seal(&place, &value)?;
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let secrets = &api.state.store.secrets;
    secrets.put(&place, &sealed, &author, now).await?;
    let SecretPlace {
        scope,
        plugin,
        name,
    } = &place;
    tracing::info!(%scope, %plugin, secret = %name, by = caller.token, "a secret was set");
    Ok(NoContent)
}

pub(crate) async fn delete(
    State(api): State<Arc<Api>>,
    AtSecret { place }: AtSecret,
    Extension(caller): Extension<Caller>,
) -> Answer<NoContent> {
    let (author, now) = (caller.author(), api.state.clock.now_millis());
    let secrets = &api.state.store.secrets;
    if secrets.delete(&place, &author, now).await? {
        let SecretPlace {
            scope,
            plugin,
            name,
        } = &place;
        tracing::info!(%scope, %plugin, secret = %name, by = caller.token, "a secret was deleted");
    }
    Ok(NoContent)
}

pub(crate) async fn reseal(
    State(api): State<Arc<Api>>,
    Extension(caller): Extension<Caller>,
) -> Answer<JsonBody<Resealed>> {
    let keys = api.state.secret_keys.now()?;
    let author = caller.author();
    let mut resealed = 0;
    for old in keys.ids().skip(1) {
        resealed += reseal_from(&api, &keys, old, RESEALED_MAX - resealed, &author).await?;
        let most = RESEALED_MAX - resealed;
        resealed += encryption::reseal_from(&api, &keys, old, most, &author).await?;
    }
    let (secrets, payload_keys) = (&api.state.store.secrets, &api.state.store.payload_keys);
    let left = secrets.not_under(keys.first()).await?
        + payload_keys.payload_keys_not_under(keys.first()).await?;
    tracing::info!(
        key = keys.first(),
        resealed,
        left,
        by = caller.token,
        "secrets were sealed anew"
    );
    Ok(JsonBody(Resealed {
        key: keys.first().to_owned(),
        resealed,
        left,
    }))
}

/// Seals secrets anew that are under the key `old`, `most` of them; says how many.
async fn reseal_from(
    api: &Api,
    keys: &SecretKeys,
    old: &str,
    most: usize,
    author: &Author,
) -> Result<usize> {
    let secrets = &api.state.store.secrets;
    let mut after: Option<SecretPlace> = None;
    let mut resealed = 0;
    while resealed < most {
        let limit = PAGE_SECRETS.min(most - resealed);
        let page = secrets.under(old, after.as_ref(), limit).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        after = Some(last.clone());
        for (place, sealed) in &page {
            resealed += usize::from(reseal_one(api, keys, place, sealed, author).await?);
        }
    }
    Ok(resealed)
}

/// False for one that cannot be read, or was set meanwhile.
async fn reseal_one(
    api: &Api,
    keys: &SecretKeys,
    place: &SecretPlace,
    sealed: &Sealed,
    author: &Author,
) -> Result<bool> {
    let anew = match keys.reseal(place, sealed) {
        Err(error) if error.code() == Code::SecretUnreadable => {
            tracing::warn!(code = %error.code(), "{}", error.detail());
            return Ok(false);
        }
        anew => anew?,
    };
    let now = api.state.clock.now_millis();
    let secrets = &api.state.store.secrets;
    secrets.reseal(place, sealed, &anew, author, now).await
}
