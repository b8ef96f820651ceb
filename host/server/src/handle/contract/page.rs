//! The document as one page: each operation with what it takes and answers, and each schema.

use std::fmt::Write as _;

use serde_json::Value;

const STYLE: &str = "\
:root{color-scheme:light dark}\
body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:0 auto;padding:1rem}\
h1{font-size:1.6rem}h2{margin-top:2.5rem;border-bottom:1px solid GrayText}\
h3{font:600 1rem ui-monospace,monospace;overflow-wrap:anywhere;margin-bottom:.25rem}\
code,pre{font-family:ui-monospace,monospace;font-size:.9rem}\
pre{overflow-x:auto;border:1px solid GrayText;padding:.75rem;border-radius:.25rem}\
table{border-collapse:collapse;width:100%}th,td{text-align:left;vertical-align:top;padding:.2rem .6rem .2rem 0}\
nav li{font-family:ui-monospace,monospace;font-size:.9rem;overflow-wrap:anywhere}";

/// The page of `document`.
pub(super) fn of(document: &Value) -> String {
    let mut html = format!(
        "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
         <title>Tenterhook API</title><style>{STYLE}</style></head><body><main>\
         <h1>Tenterhook API {}</h1><p>{}</p><p>The same for programs: <a href=\"/v1/openapi.json\">openapi.json</a>.</p>",
        text(&document["info"]["version"]),
        text(&document["info"]["description"]),
    );
    let mut index = String::new();
    let mut operations = String::new();
    for (path, verbs) in entries(&document["paths"]) {
        for (verb, operation) in entries(verbs) {
            let id = text(&operation["operationId"]);
            let door = format!("{} {}", verb.to_ascii_uppercase(), escaped(path));
            // Writing to a string cannot fail.
            let _ = write!(index, "<li><a href=\"#{id}\">{door}</a></li>");
            let _ = write!(operations, "<h3 id=\"{id}\">{door}</h3>");
            show(operation, &mut operations);
        }
    }
    let _ = write!(
        html,
        "<h2>Index</h2><nav><ul>{index}</ul></nav><h2>Operations</h2>{operations}<h2>Schemas</h2>"
    );
    for (name, schema) in entries(&document["components"]["schemas"]) {
        let json = serde_json::to_string_pretty(schema).unwrap_or_default();
        let name = escaped(name);
        let _ = write!(
            html,
            "<h3 id=\"schema-{name}\">{name}</h3><pre>{}</pre>",
            escaped(&json)
        );
    }
    html.push_str("</main></body></html>");
    html
}

fn show(operation: &Value, html: &mut String) {
    let _ = write!(
        html,
        "<p>{} {}</p><table>",
        text(&operation["summary"]),
        text(&operation["description"])
    );
    for parameter in operation["parameters"].as_array().into_iter().flatten() {
        row(
            html,
            &format!(
                "{} <code>{}</code>",
                text(&parameter["in"]),
                text(&parameter["name"])
            ),
            &text(&parameter["description"]),
            &parameter["schema"],
        );
    }
    let body = &operation["requestBody"];
    if body.is_object() {
        row(html, "body", &text(&body["description"]), content(body));
    }
    for (status, response) in entries(&operation["responses"]) {
        let about = match response["description"].as_str() {
            Some(about) => escaped(about),
            None => "A problem: why it was not done.".to_owned(),
        };
        row(
            html,
            &format!("<code>{}</code>", escaped(status)),
            &about,
            content(response),
        );
    }
    html.push_str("</table>");
}

fn row(html: &mut String, what: &str, about: &str, schema: &Value) {
    let _ = write!(
        html,
        "<tr><th>{what}</th><td>{about}</td><td>{}</td></tr>",
        kind(schema)
    );
}

/// The schema of the first content.
fn content(holder: &Value) -> &Value {
    let first = entries(&holder["content"]).next();
    first.map_or(&Value::Null, |(_, content)| &content["schema"])
}

/// A schema in a word: a link where it has a name.
fn kind(schema: &Value) -> String {
    let Some(reference) = schema["$ref"].as_str() else {
        return schema["type"].as_str().map(escaped).unwrap_or_default();
    };
    let name = escaped(reference.rsplit('/').next().unwrap_or_default());
    format!("<a href=\"#schema-{name}\">{name}</a>")
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn text(value: &Value) -> String {
    escaped(value.as_str().unwrap_or_default())
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}
