//! The API's OpenAPI document, made of the table of operations and of what the handlers read and answer.
//!
//! A handler says what it reads by the types of its arguments and what it answers by the type of its result. Each of
//! these types describes itself ([`Reads`], [`Answers`]), so that a handler cannot be added without its description:
//! it would not compile.

mod parts;

use std::{collections::BTreeMap, sync::OnceLock};

use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use crate::{Access, ROUTES, Route, problem::ProblemDocument, route::draft};

/// The version of OpenAPI.
const OPENAPI: &str = "3.1.0";
/// Types that are shown where they are used: their names do not tell them apart.
const INLINE: &[&str] = &["BTreeMap", "HashMap", "Object", "Page", "Value"];

/// What a handler reads of a request: one of its arguments.
pub(crate) trait Reads {
    /// Adds it. Nothing to add: it reads no more than the path, which the table describes.
    fn read(_: &mut Draft) {}
}

/// What a handler answers.
pub(crate) trait Answers {
    /// Adds the statuses and bodies.
    fn answer(draft: &mut Draft);
}

/// A handler whose arguments and result describe themselves.
pub(crate) trait Documented<Arguments> {
    /// Adds all of them.
    fn document(&self, draft: &mut Draft);
}

/// What is said of one operation, and the types it speaks of.
#[derive(Debug, Default)]
pub(crate) struct Draft {
    parameters: Vec<Value>,
    body: Option<Value>,
    responses: BTreeMap<String, Value>,
    schemas: BTreeMap<String, Value>,
}

impl Draft {
    /// What `handler` reads and answers.
    pub(crate) fn of<Arguments>(handler: &impl Documented<Arguments>) -> Self {
        let mut draft = Self::default();
        handler.document(&mut draft);
        draft
    }

    /// Where the schema of `T` stands, or the schema itself where its name would not tell it apart.
    fn schema<T: ToSchema>(&mut self) -> Value {
        let mut found = Vec::new();
        T::schemas(&mut found);
        let name = T::name().into_owned();
        let schema = json_of(&T::schema());
        let inline = INLINE.contains(&name.as_str()) || schema.get("$ref").is_some();
        let reference = json!({"$ref": format!("#/components/schemas/{name}")});
        let shown = if inline {
            schema
        } else {
            self.schemas.insert(name, schema);
            reference
        };
        for (name, schema) in found {
            if !INLINE.contains(&name.as_str()) {
                self.schemas.insert(name, json_of(&schema));
            }
        }
        shown
    }

    fn header(&mut self, name: &str, about: &str, schema: Value) {
        self.parameters.push(json!({
            "name": name, "in": "header", "required": false, "description": about, "schema": schema,
        }));
    }

    fn body<T: ToSchema>(&mut self, required: bool) {
        let schema = self.schema::<T>();
        self.body = Some(json!({
            "required": required, "content": {"application/json": {"schema": schema}},
        }));
    }

    fn response(
        &mut self,
        status: u16,
        about: &str,
        headers: &[(&str, &str)],
        schema: Option<Value>,
    ) {
        let mut response = json!({"description": about});
        if let Some(schema) = schema {
            response["content"] = json!({"application/json": {"schema": schema}});
        }
        for (name, about) in headers {
            response["headers"][*name] =
                json!({"description": about, "required": true, "schema": {"type": "string"}});
        }
        self.responses.insert(status.to_string(), response);
    }
}

/// What these types serialise to; they have no keys that JSON could not write.
fn json_of(value: &impl serde::Serialize) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

/// The document.
pub fn document() -> &'static Value {
    static DOCUMENT: OnceLock<Value> = OnceLock::new();
    DOCUMENT.get_or_init(make)
}

fn make() -> Value {
    let mut schemas = BTreeMap::new();
    let mut paths: BTreeMap<&str, Map<String, Value>> = BTreeMap::new();
    for route in ROUTES {
        let mut draft = draft(route.operation);
        schemas.append(&mut draft.schemas);
        let verb = route.verb.as_str().to_ascii_lowercase();
        paths
            .entry(route.path)
            .or_default()
            .insert(verb, operation(route, draft));
    }
    let mut draft = Draft::default();
    let problem = draft.schema::<ProblemDocument<'_>>();
    schemas.append(&mut draft.schemas);
    json!({
        "openapi": OPENAPI,
        "info": {
            "title": "Tenterhook",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Tenants' WebAssembly components as Temporal workflows and activities. \
                Every refusal is a problem (RFC 9457) with a stable code.",
            "license": {"name": "MIT OR Apache-2.0"},
        },
        "security": [{"token": []}],
        "paths": paths,
        "components": {
            "securitySchemes": {"token": {
                "type": "http", "scheme": "bearer",
                "description": "A token of the host, tth_…, as `tenterhook token create` makes it.",
            }},
            "responses": {"Problem": {
                "description": "Why it was not done.",
                "content": {"application/problem+json": {"schema": problem}},
            }},
            "schemas": schemas,
        },
    })
}

fn operation(route: &Route, draft: Draft) -> Value {
    let Draft {
        mut parameters,
        body,
        mut responses,
        ..
    } = draft;
    let named = route.path.split('/').filter_map(|segment| {
        let name = segment.strip_prefix('{')?.strip_suffix('}')?;
        Some(parts::of_path(name))
    });
    parameters.splice(0..0, named);
    let problem = json!({"$ref": "#/components/responses/Problem"});
    responses.insert("default".to_owned(), problem);
    let mut operation = json!({
        "operationId": format!("{:?}", route.operation),
        "summary": route.about.trim(),
        "description": format!("For {}.", whom(route.access)),
        "tags": [tag(route.path)],
        "parameters": parameters,
        "responses": responses,
    });
    if let Some(body) = body {
        operation["requestBody"] = body;
    }
    if route.access == Access::Open {
        operation["security"] = json!([]);
    }
    operation
}

fn whom(access: Access) -> &'static str {
    match access {
        Access::Open => "everybody, without a token",
        Access::Authenticated => "every token",
        Access::Member => "every token that may know of the place",
        Access::Caller => "callers of the environment, operators and admins",
        Access::Author => "the plugin's authors, operators and admins",
        Access::Operator => "operators of the tenant, and admins",
        Access::Admin => "admins",
    }
}

/// The noun that an operation stands under.
fn tag(path: &str) -> &str {
    let mut nouns = path.rsplit('/').filter(|segment| {
        let known = [
            "tenants",
            "environments",
            "plugins",
            "workflows",
            "schedules",
            "releases",
            "secrets",
            "rollout",
            "tokens",
            "audit",
        ];
        known.contains(segment)
    });
    nouns.next().unwrap_or("host")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_types() {
        let mut known: BTreeMap<String, Value> = BTreeMap::new();
        for route in ROUTES {
            for (name, schema) in draft(route.operation).schemas {
                let first = known.entry(name.clone()).or_insert_with(|| schema.clone());
                assert_eq!(*first, schema, "two types are called {name}");
            }
        }
    }
}
