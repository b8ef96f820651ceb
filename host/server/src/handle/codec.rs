//! Payloads for Temporal's own UI and command line: its protocol of remote codecs, for one tenant.

use std::{collections::BTreeMap, sync::Arc};

use axum::{Json as JsonBody, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD as BASE64};
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};
use tenterhook_domain::{Code, Error, Result, payload_key::RemotePayload};
use utoipa::{PartialSchema, ToSchema, openapi};

use crate::{
    Api,
    problem::Answer,
    request::{AtTenant, LargeJson},
};

/// Most payloads of one call.
pub const CODEC_PAYLOADS_MAX: usize = 1_000;

/// Payloads as Temporal's tools send them.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub(crate) struct PayloadList {
    /// In the order of the question.
    #[serde(default, deserialize_with = "objects")]
    #[schema(max_items = 1000)]
    payloads: Vec<JsonPayload>,
}

/// A payload in protobuf's JSON.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = Payload)]
pub(crate) struct JsonPayload {
    /// What is said of the data, each in base64.
    #[serde(default)]
    metadata: BTreeMap<String, Base64>,
    /// The data in base64.
    #[serde(default)]
    data: Base64,
}

/// Reads objects and nothing else: of a list serde would take the fields in their order.
fn objects<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<JsonPayload>, D::Error> {
    let objects = Vec::<Map<String, Value>>::deserialize(deserializer)?;
    let read = |object| serde_json::from_value(Value::Object(object));
    let payloads = objects.into_iter().map(read).collect::<Result<_, _>>();
    payloads.map_err(serde::de::Error::custom)
}

/// Bytes that are written in base64.
#[derive(Debug, Default)]
struct Base64(Vec<u8>);

impl Serialize for Base64 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&BASE64.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for Base64 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let bytes = BASE64.decode(text);
        bytes
            .map(Self)
            .map_err(|_| serde::de::Error::custom("the bytes of a payload are written in base64"))
    }
}

impl PartialSchema for Base64 {
    fn schema() -> openapi::RefOr<openapi::Schema> {
        openapi::ObjectBuilder::new()
            .schema_type(openapi::schema::Type::String)
            .format(Some(openapi::SchemaFormat::KnownFormat(
                openapi::KnownFormat::Byte,
            )))
            .pattern(Some(
                "^([A-Za-z0-9+/]{4})*([A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$",
            ))
            .into()
    }
}

impl ToSchema for Base64 {
    fn name() -> std::borrow::Cow<'static, str> {
        "Base64".into()
    }
}

pub(crate) async fn decode(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    LargeJson(list): LargeJson<PayloadList>,
) -> Answer<JsonBody<PayloadList>> {
    let payloads = bounded(list)?;
    let decoded = api.state.codec.decode(&at.tenant, payloads).await?;
    Ok(JsonBody(decoded.into()))
}

pub(crate) async fn encode(
    State(api): State<Arc<Api>>,
    at: AtTenant,
    LargeJson(list): LargeJson<PayloadList>,
) -> Answer<JsonBody<PayloadList>> {
    let payloads = bounded(list)?;
    let encoded = api.state.codec.encode(&at.tenant, payloads).await?;
    Ok(JsonBody(encoded.into()))
}

fn bounded(list: PayloadList) -> Result<Vec<RemotePayload>> {
    let number = list.payloads.len();
    if number > CODEC_PAYLOADS_MAX {
        return Err(Error::new(
            Code::RequestInvalid,
            format!("there are {number} payloads: send {CODEC_PAYLOADS_MAX} at most"),
        ));
    }
    let remote = |payload: JsonPayload| RemotePayload {
        metadata: payload
            .metadata
            .into_iter()
            .map(|(name, Base64(bytes))| (name, bytes))
            .collect(),
        data: payload.data.0,
    };
    Ok(list.payloads.into_iter().map(remote).collect())
}

impl From<Vec<RemotePayload>> for PayloadList {
    fn from(payloads: Vec<RemotePayload>) -> Self {
        let json = |payload: RemotePayload| JsonPayload {
            metadata: payload
                .metadata
                .into_iter()
                .map(|(name, bytes)| (name, Base64(bytes)))
                .collect(),
            data: Base64(payload.data),
        };
        Self {
            payloads: payloads.into_iter().map(json).collect(),
        }
    }
}
