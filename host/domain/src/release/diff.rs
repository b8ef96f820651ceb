//! What is another in one release than in another.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::Release;
use crate::{check::Check, digest::Digest};

/// The checks whose findings say what a component is made of.
const PARTS: &[&str] = &["imports", "exports"];

/// The difference between two releases of a plugin.
#[derive(Debug, Clone, PartialEq, Serialize, utoipa::ToSchema)]
pub struct ReleaseDiff {
    /// The older one, or the one to compare with.
    pub from: Digest,
    /// The newer one.
    pub to: Digest,
    /// Single values that differ: version, name, description, size.
    pub values: Vec<Changed>,
    /// Workflow types, with their inputs, results, signals, queries and updates.
    pub workflows: TypesDiff,
    /// Activity types, with their inputs and results.
    pub activities: TypesDiff,
    /// What the plugin asks for: hosts, configuration keys, key-value state.
    pub wants: Vec<Changed>,
    /// What the component imports and exports, as the host found it.
    pub parts: Vec<Changed>,
}

/// One value that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Changed {
    /// Which: a JSON pointer below the thing that is compared.
    pub at: String,
    /// What it was; null where there was nothing.
    pub before: Value,
    /// What it is; null where there is nothing.
    pub after: Value,
}

/// Types that came, went or changed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct TypesDiff {
    /// Names of those that came.
    pub added: Vec<String>,
    /// Names of those that went.
    pub removed: Vec<String>,
    /// Those of both releases that are not the same, by name.
    #[schema(value_type = std::collections::HashMap<String, Vec<Changed>>)]
    pub changed: BTreeMap<String, Vec<Changed>>,
}

impl ReleaseDiff {
    /// What changes on the way from one release to the other.
    pub fn of(from: &Release, to: &Release) -> Self {
        let (old, new) = (&from.metadata, &to.metadata);
        Self {
            from: from.digest,
            to: to.digest,
            values: changes(&values(from), &values(to)),
            workflows: types(&json(&old.workflows), &json(&new.workflows)),
            activities: types(&json(&old.activities), &json(&new.activities)),
            wants: changes(&json(&old.wants), &json(&new.wants)),
            parts: changes(&parts(&from.checks), &parts(&to.checks)),
        }
    }

    /// True if there is nothing to tell but the digests.
    pub fn is_empty(&self) -> bool {
        let none = TypesDiff::default();
        self.values.is_empty()
            && self.workflows == none
            && self.activities == none
            && self.wants.is_empty()
            && self.parts.is_empty()
    }
}

fn values(release: &Release) -> Value {
    serde_json::json!({
        "name": release.metadata.name,
        "version": release.version,
        "description": release.metadata.description,
        "bytes": release.bytes,
    })
}

fn parts(checks: &[Check]) -> Value {
    let parts = checks
        .iter()
        .filter(|check| PARTS.contains(&check.name.as_str()))
        .map(|check| (check.name.clone(), Value::from(check.detail.as_str())));
    Value::Object(parts.collect())
}

/// What these types serialise to; they have no keys that JSON could not write.
fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).unwrap_or_default()
}

fn types(old: &Value, new: &Value) -> TypesDiff {
    let (old, new) = (by_name(old), by_name(new));
    let only = |these: &BTreeMap<String, &Value>, those: &BTreeMap<String, &Value>| {
        let only = these.keys().filter(|name| !those.contains_key(*name));
        only.cloned().collect::<Vec<_>>()
    };
    let both = old
        .iter()
        .filter_map(|(name, old)| Some((name.clone(), changes(old, new.get(name)?))));
    TypesDiff {
        added: only(&new, &old),
        removed: only(&old, &new),
        changed: both.filter(|(_, changes)| !changes.is_empty()).collect(),
    }
}

fn by_name(list: &Value) -> BTreeMap<String, &Value> {
    let entries = list.as_array().into_iter().flatten();
    entries
        .filter_map(|entry| Some((entry.get("name")?.as_str()?.to_owned(), entry)))
        .collect()
}

fn changes(old: &Value, new: &Value) -> Vec<Changed> {
    let mut found = Vec::new();
    compare("", old, new, &mut found);
    found
}

/// Goes down as long as both sides are objects; lists are told as a whole.
fn compare(at: &str, old: &Value, new: &Value, found: &mut Vec<Changed>) {
    if old == new {
        return;
    }
    let (Value::Object(before), Value::Object(after)) = (old, new) else {
        found.push(Changed {
            at: at.to_owned(),
            before: old.clone(),
            after: new.clone(),
        });
        return;
    };
    let keys: std::collections::BTreeSet<_> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let side = |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or_default();
        let escaped = key.replace('~', "~0").replace('/', "~1");
        compare(
            &format!("{at}/{escaped}"),
            &side(before),
            &side(after),
            found,
        );
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use serde_json::json;

    use super::*;

    fn release(digest: &[u8], metadata: Value, imports: &str) -> Release {
        serde_json::from_value(json!({
            "digest": Digest::of(digest), "version": metadata["version"], "state": "ready", "bytes": 5,
            "uploaded_at": 0, "metadata": metadata,
            "checks": [Check::passed("imports", imports), Check::passed("compiles", imports)],
        }))
        .unwrap()
    }

    #[test]
    fn what_came_went_and_changed_is_told() {
        let old = release(
            b"old",
            json!({"name": "p", "version": "1.0.0", "activities": [{"name": "Gone"}],
                "workflows": [{"name": "Pay", "input_schema": {"type": "object", "a/b": 1}}],
                "wants": {"http": ["a.test"], "keyvalue": false, "config": []}}),
            "wasi:http",
        );
        let new = release(
            b"new",
            json!({"name": "p", "version": "2.0.0", "activities": [{"name": "Came"}],
                "workflows": [{"name": "Pay", "input_schema": {"type": "object", "a/b": 2}}],
                "wants": {"http": ["a.test", "b.test"], "keyvalue": false, "config": []}}),
            "wasi:http, wasi:keyvalue",
        );
        let diff = ReleaseDiff::of(&old, &new);
        assert_eq!(
            serde_json::to_value(&diff).unwrap(),
            json!({
                "from": Digest::of(b"old"), "to": Digest::of(b"new"),
                "values": [{"at": "/version", "before": "1.0.0", "after": "2.0.0"}],
                "workflows": {"added": [], "removed": [], "changed": {
                    "Pay": [{"at": "/input_schema/a~1b", "before": 1, "after": 2}],
                }},
                "activities": {"added": ["Came"], "removed": ["Gone"], "changed": {}},
                "wants": [{"at": "/http", "before": ["a.test"], "after": ["a.test", "b.test"]}],
                "parts": [{"at": "/imports", "before": "wasi:http", "after": "wasi:http, wasi:keyvalue"}],
            })
        );
        assert!(!diff.is_empty());
        assert!(ReleaseDiff::of(&old, &old).is_empty());
    }
}
