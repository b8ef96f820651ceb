//! What each sort of argument and of answer says of itself.

use std::sync::Arc;

use axum::{Extension, Json as JsonBody, extract::State};
use serde_json::{Value, json};
use tenterhook_domain::{
    audit::REASON_CHARS_MAX,
    component::COMPONENT_BYTES_MAX,
    digest::DIGEST_PATTERN,
    execution::{Outcome, Started},
    name::NAME_PATTERN,
    trust::SIGNATURE_BYTES_MAX,
};
use utoipa::{IntoParams, ToSchema, openapi::path::ParameterIn};

use super::{Answers, Documented, Draft, Reads, json_of};
use crate::{
    Api,
    answer::{Created, Located, NoContent, Pending, Put, Tagged},
    guard::{Caller, REASON},
    handle::{
        contract::{Contract, Page},
        metrics::MetricsText,
        workflow::StartAnswer,
    },
    problem::Problem,
    request::{
        COMPONENT_PART, IfMatch, Json, JsonOrNothing, LargeJson, Query, SIGNATURE_PART,
        SignedUpload, Upload,
    },
};

const TAG: (&str, &str) = ("ETag", "The entity tag, for a later `If-Match`.");
const LOCATION: (&str, &str) = ("Location", "Where it is.");

macro_rules! documented {
    ($($argument:ident)*) => {
        impl<Handler, Answered, Result, $($argument),*> Documented<($($argument,)*)> for Handler
        where
            Handler: Fn($($argument),*) -> Answered,
            Answered: Future<Output = Result>,
            Result: Answers,
            $($argument: Reads),*
        {
            fn document(&self, draft: &mut Draft) {
                $($argument::read(draft);)*
                Result::answer(draft);
            }
        }
    };
}

documented!();
documented!(A);
documented!(A B);
documented!(A B C);
documented!(A B C D);
documented!(A B C D E);

impl Reads for State<Arc<Api>> {}

impl Reads for Extension<Caller> {
    fn read(draft: &mut Draft) {
        let about = "Why, for the audit log.";
        let schema = json!({"type": "string", "maxLength": REASON_CHARS_MAX});
        draft.header(REASON.as_str(), about, schema);
    }
}

impl Reads for IfMatch {
    fn read(draft: &mut Draft) {
        let about = "The ETag that was read: the change is made only if it still holds.";
        draft.header("If-Match", about, json!({"type": "string"}));
    }
}

impl Reads for Upload {
    fn read(draft: &mut Draft) {
        let about = "The sha-256 of the component (RFC 9530): what comes in otherwise is refused.";
        let pattern = "^sha-256=:[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=:$";
        draft.header(
            "Content-Digest",
            about,
            json!({"type": "string", "pattern": pattern}),
        );
        draft.body = Some(json!({
            "required": true,
            "description": format!("A component, of {COMPONENT_BYTES_MAX} bytes at most."),
            "content": {"application/wasm": {"schema": {"type": "string", "format": "binary"}}},
        }));
    }
}

impl Reads for SignedUpload {
    fn read(draft: &mut Draft) {
        Upload::read(draft);
        let Some(body) = &mut draft.body else {
            return;
        };
        body["description"] = json!(format!(
            "A component, of {COMPONENT_BYTES_MAX} bytes at most; or a form with the component and a signature of it, a \
             sigstore bundle of {SIGNATURE_BYTES_MAX} bytes at most."
        ));
        body["content"]["multipart/form-data"] = json!({"schema": {
            "type": "object",
            "properties": {
                SIGNATURE_PART: {"type": "string"},
                COMPONENT_PART: {"type": "string", "format": "binary"},
            },
            "required": [COMPONENT_PART],
            "additionalProperties": false,
        }});
    }
}

impl<T: ToSchema> Reads for Json<T> {
    fn read(draft: &mut Draft) {
        draft.body::<T>(true);
    }
}

impl<T: ToSchema> Reads for LargeJson<T> {
    fn read(draft: &mut Draft) {
        Json::<T>::read(draft);
    }
}

impl<T: ToSchema> Reads for JsonOrNothing<T> {
    fn read(draft: &mut Draft) {
        draft.body::<T>(false);
    }
}

impl<T: IntoParams> Reads for Query<T> {
    fn read(draft: &mut Draft) {
        let parameters = T::into_params(|| Some(ParameterIn::Query));
        draft.parameters.extend(parameters.iter().map(json_of));
    }
}

impl<T: Answers> Answers for std::result::Result<T, Problem> {
    fn answer(draft: &mut Draft) {
        T::answer(draft);
    }
}

impl<T: ToSchema> Answers for JsonBody<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.response(200, "So it is.", &[], Some(schema));
    }
}

impl<T: ToSchema> Answers for Put<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.response(200, "It was there.", &[], Some(schema.clone()));
        draft.response(201, "It was made.", &[], Some(schema));
    }
}

impl<T: ToSchema> Answers for Created<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.response(201, "It was made.", &[], Some(schema));
    }
}

impl Answers for NoContent {
    fn answer(draft: &mut Draft) {
        draft.response(204, "It was done.", &[], None);
    }
}

impl<T: ToSchema> Answers for Pending<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.response(200, "It is over.", &[], Some(schema.clone()));
        draft.response(202, "It is not over yet.", &[], Some(schema));
    }
}

impl<T: ToSchema> Answers for Tagged<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        draft.response(200, "So it is.", &[TAG], Some(schema));
    }
}

impl<T: ToSchema> Answers for Located<T> {
    fn answer(draft: &mut Draft) {
        let schema = draft.schema::<T>();
        let says = [
            (200, "It was there."),
            (201, "It was made."),
            (202, "It is under way: ask again where it is."),
        ];
        for (status, about) in says {
            draft.response(status, about, &[LOCATION], Some(schema.clone()));
        }
    }
}

impl Answers for StartAnswer {
    fn answer(draft: &mut Draft) {
        let (ended, runs) = (draft.schema::<Outcome>(), draft.schema::<Started>());
        draft.response(200, "It ended while the caller waited.", &[], Some(ended));
        draft.response(202, "It runs.", &[LOCATION], Some(runs));
    }
}

impl Answers for Contract {
    fn answer(draft: &mut Draft) {
        let schema = json!({"type": "object"});
        draft.response(200, "The document.", &[], Some(schema));
    }
}

impl Answers for MetricsText {
    fn answer(draft: &mut Draft) {
        let response = json!({
            "description": "The metrics.",
            "content": {"text/plain": {"schema": {"type": "string"}}},
        });
        draft.responses.insert("200".to_owned(), response);
    }
}

impl Answers for Page {
    fn answer(draft: &mut Draft) {
        let response = json!({
            "description": "The page.",
            "content": {"text/html": {"schema": {"type": "string"}}},
        });
        draft.responses.insert("200".to_owned(), response);
    }
}

/// The parameter of a path that stands as `{name}` in the table.
pub(super) fn of_path(name: &str) -> Value {
    // Characters are counted here and bytes by the host: these ids fit whatever their letters.
    let free = "^[^\\u0000-\\u001f\\u007f-\\u009f]+$";
    let (about, schema) = match name {
        "tenant" => (
            "The tenant.",
            json!({"type": "string", "pattern": NAME_PATTERN}),
        ),
        "environment" => (
            "The tenant's environment.",
            json!({"type": "string", "pattern": NAME_PATTERN}),
        ),
        "plugin" => (
            "The plugin.",
            json!({"type": "string", "pattern": NAME_PATTERN}),
        ),
        "secret" => (
            "The plugin's secret.",
            json!({"type": "string", "pattern": NAME_PATTERN}),
        ),
        "schedule" => (
            "The schedule.",
            json!({"type": "string", "pattern": NAME_PATTERN}),
        ),
        "digest" => (
            "The release.",
            json!({"type": "string", "pattern": DIGEST_PATTERN}),
        ),
        "token" => (
            "The token's id: what stands between the first and the second _ of it.",
            json!({"type": "string", "minLength": 1, "maxLength": 64}),
        ),
        "id" => (
            "The execution's id, 512 bytes at most.",
            json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": free}),
        ),
        _ => (
            "The name of the signal, query or update, 200 bytes at most.",
            json!({"type": "string", "minLength": 1, "maxLength": 50, "pattern": free}),
        ),
    };
    json!({"name": name, "in": "path", "required": true, "description": about, "schema": schema})
}
