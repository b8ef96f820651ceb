//! Where one JSON Schema takes less than another: as far as their keywords tell it.
//!
//! Values that the wide one takes and the narrow one does not. Two schemas of the same plugin resemble each other, so
//! that keyword against keyword tells nearly all; what a keyword means together with others is not looked at.

use std::sync::LazyLock;

use serde_json::{Map, Value};

/// The keywords of a schema that takes everything.
static ANYTHING: LazyLock<Map<String, Value>> = LazyLock::new(Map::new);
/// How deep schemas are compared.
const DEPTH_MAX: usize = 32;
/// Most values, and most required names, of one schema that are looked at.
const VALUES_MAX: usize = 1_000;
/// Most places that are found in one comparison.
const NARROWINGS_MAX: usize = 100;

const TYPES: [&str; 7] = [
    "null", "boolean", "integer", "number", "string", "array", "object",
];
/// Bounds that narrow as they grow.
const LEAST: [&str; 5] = [
    "minimum",
    "exclusiveMinimum",
    "minLength",
    "minItems",
    "minProperties",
];
/// Bounds that narrow as they fall.
const MOST: [&str; 5] = [
    "maximum",
    "exclusiveMaximum",
    "maxLength",
    "maxItems",
    "maxProperties",
];
/// Keywords that narrow by being there, and of which nobody can say whether another value narrows more.
const SHAPES: [&str; 8] = [
    "pattern",
    "format",
    "multipleOf",
    "uniqueItems",
    "contains",
    "not",
    "allOf",
    "prefixItems",
];

/// One place where less is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Narrowing {
    /// Where, as a JSON pointer into the schemas.
    pub(super) pointer: String,
    /// How.
    pub(super) change: Change,
}

/// How less is taken.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Change {
    /// A property must be there.
    Required(String),
    /// A property is not known, and unknown ones are not taken.
    Property(String),
    /// Unknown properties are not taken.
    Closed,
    /// Some types are not taken.
    Types(Vec<String>),
    /// A value is not taken.
    Value(Value),
    /// A bound is nearer, or something must have another shape.
    Bound {
        keyword: &'static str,
        wide: Option<Value>,
        narrow: Value,
    },
    /// Nothing is taken.
    Everything,
    /// Some alternative fits none of the others'.
    Alternative,
}

/// Where `narrow` takes less than `wide`; none if it takes as much. References let a short schema be endless: each
/// pair of schemas costs one of `steps`, and without any left nothing more is found.
pub(super) fn narrowings(wide: &Value, narrow: &Value, steps: &mut u32) -> Vec<Narrowing> {
    let mut comparison = Comparison {
        roots: (wide, narrow),
        found: Vec::new(),
        steps,
    };
    comparison.compare(wide, narrow, "", 0);
    comparison.found
}

struct Comparison<'a, 's> {
    roots: (&'a Value, &'a Value),
    found: Vec<Narrowing>,
    steps: &'s mut u32,
}

impl<'a> Comparison<'a, '_> {
    fn add(&mut self, pointer: &str, change: Change) {
        if self.found.len() < NARROWINGS_MAX {
            self.found.push(Narrowing {
                pointer: pointer.to_owned(),
                change,
            });
        }
    }

    fn compare(&mut self, wide: &'a Value, narrow: &'a Value, pointer: &str, depth: usize) {
        if depth > DEPTH_MAX || *self.steps == 0 {
            return;
        }
        *self.steps -= 1;
        let (wide, narrow) = (follow(wide, self.roots.0), follow(narrow, self.roots.1));
        if *wide == Value::Bool(false) {
            return;
        }
        let Some(narrow) = of(narrow) else {
            return self.add(pointer, Change::Everything);
        };
        let wide = of(wide).unwrap_or(&ANYTHING);
        self.types(wide, narrow, pointer);
        self.values(wide, narrow, pointer);
        self.bounds(wide, narrow, pointer);
        self.properties(wide, narrow, pointer, depth);
        if let Some(narrow) = narrow.get("items") {
            let wide = wide.get("items").unwrap_or(&Value::Bool(true));
            self.compare(wide, narrow, &format!("{pointer}/items"), depth + 1);
        }
        self.alternatives(wide, narrow, pointer, depth);
    }

    fn types(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>, pointer: &str) {
        let taken = types(narrow);
        let missing: Vec<String> = types(wide)
            .into_iter()
            .filter(|name| !taken.contains(name))
            .map(str::to_owned)
            .collect();
        if !missing.is_empty() {
            self.add(pointer, Change::Types(missing));
        }
    }

    fn values(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>, pointer: &str) {
        let Some(taken) = values(narrow) else { return };
        match values(wide) {
            Some(values) => {
                for value in values.into_iter().filter(|value| !taken.contains(value)) {
                    self.add(pointer, Change::Value(value.clone()));
                }
            }
            None => self.add(
                pointer,
                Change::Bound {
                    keyword: "enum",
                    wide: None,
                    narrow: taken.into_iter().cloned().collect(),
                },
            ),
        }
    }

    fn bounds(&mut self, wide: &Map<String, Value>, narrow: &Map<String, Value>, pointer: &str) {
        let nearer = |keyword: &str, is_nearer: fn(f64, f64) -> bool| {
            let (wide, narrow) = (number(wide, keyword), number(narrow, keyword));
            narrow.is_some_and(|narrow| wide.is_none_or(|wide| is_nearer(narrow, wide)))
        };
        let otherwise = |keyword: &str| {
            let narrow = narrow.get(keyword);
            narrow.is_some_and(|narrow| {
                *narrow != Value::Bool(false) && wide.get(keyword) != Some(narrow)
            })
        };
        let least = LEAST
            .into_iter()
            .filter(|it| nearer(it, |narrow, wide| narrow > wide));
        let most = MOST
            .into_iter()
            .filter(|it| nearer(it, |narrow, wide| narrow < wide));
        let shapes = SHAPES.into_iter().filter(|it| otherwise(it));
        for keyword in least.chain(most).chain(shapes) {
            let change = Change::Bound {
                keyword,
                wide: wide.get(keyword).cloned(),
                narrow: narrow.get(keyword).cloned().unwrap_or_default(),
            };
            self.add(pointer, change);
        }
    }

    fn properties(
        &mut self,
        wide: &'a Map<String, Value>,
        narrow: &'a Map<String, Value>,
        pointer: &str,
        depth: usize,
    ) {
        let before = names(wide, "required");
        for name in names(narrow, "required") {
            if !before.contains(&name) {
                self.add(pointer, Change::Required(name.to_owned()));
            }
        }
        let is_closed = |schema: &Map<String, Value>| {
            schema.get("additionalProperties") == Some(&Value::Bool(false))
        };
        let (wide_closed, narrow_closed) = (is_closed(wide), is_closed(narrow));
        let known = narrow.get("properties").and_then(Value::as_object);
        let before = wide.get("properties").and_then(Value::as_object);
        for (name, property) in before.into_iter().flatten() {
            match known.and_then(|known| known.get(name)) {
                Some(now) => {
                    let pointer = format!("{pointer}/properties/{}", escaped(name));
                    self.compare(property, now, &pointer, depth + 1);
                }
                None if narrow_closed => self.add(pointer, Change::Property(name.clone())),
                None => {}
            }
        }
        let takes_objects = types(wide).contains(&"object");
        if narrow_closed && !wide_closed && takes_objects {
            self.add(pointer, Change::Closed);
        }
        let others = |schema: &'a Map<String, Value>| {
            let others = schema.get("additionalProperties")?;
            others.is_object().then_some(others)
        };
        if let Some(narrow) = others(narrow)
            && !wide_closed
        {
            let wide = others(wide).unwrap_or(&Value::Bool(true));
            let pointer = format!("{pointer}/additionalProperties");
            self.compare(wide, narrow, &pointer, depth + 1);
        }
    }

    /// Every alternative of the wide one must fit into one of the narrow one's. A schema without any is its own.
    fn alternatives(
        &mut self,
        wide: &'a Map<String, Value>,
        narrow: &'a Map<String, Value>,
        pointer: &str,
        depth: usize,
    ) {
        for keyword in ["anyOf", "oneOf"] {
            let of = |schema: &'a Map<String, Value>| schema.get(keyword).and_then(Value::as_array);
            let Some(taken) = of(narrow) else { continue };
            let Some(given) = of(wide) else {
                self.add(pointer, Change::Alternative);
                continue;
            };
            for (place, given) in given.iter().enumerate() {
                let fits = taken.iter().any(|taken| {
                    let mut one = Comparison {
                        roots: self.roots,
                        found: Vec::new(),
                        steps: &mut *self.steps,
                    };
                    one.compare(given, taken, "", depth + 1);
                    one.found.is_empty()
                });
                if !fits {
                    self.add(&format!("{pointer}/{keyword}/{place}"), Change::Alternative);
                }
            }
        }
    }
}

/// The schema that `schema` stands for, through references within `root`.
fn follow<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    for _ in 0..DEPTH_MAX {
        let target = schema.get("$ref").and_then(Value::as_str);
        let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
        match target {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// The keywords of a schema; `None` if it takes nothing.
fn of(schema: &Value) -> Option<&Map<String, Value>> {
    match schema {
        Value::Bool(false) => None,
        Value::Object(keywords) => Some(keywords),
        _ => Some(&ANYTHING),
    }
}

/// The types that a schema takes. Whole numbers are numbers.
fn types(schema: &Map<String, Value>) -> Vec<&str> {
    let mut types = match schema.get("type") {
        Some(Value::String(one)) => vec![one.as_str()],
        Some(Value::Array(several)) => {
            let names = several.iter().filter_map(Value::as_str);
            names.take(TYPES.len()).collect()
        }
        _ => TYPES.to_vec(),
    };
    if types.contains(&"number") && !types.contains(&"integer") {
        types.push("integer");
    }
    types
}

/// The values that a schema lists, if it lists them.
fn values(schema: &Map<String, Value>) -> Option<Vec<&Value>> {
    if let Some(one) = schema.get("const") {
        return Some(vec![one]);
    }
    Some(
        schema
            .get("enum")?
            .as_array()?
            .iter()
            .take(VALUES_MAX)
            .collect(),
    )
}

fn number(schema: &Map<String, Value>, keyword: &str) -> Option<f64> {
    schema.get(keyword)?.as_f64()
}

fn names<'a>(schema: &'a Map<String, Value>, keyword: &str) -> Vec<&'a str> {
    let names = schema.get(keyword).and_then(Value::as_array);
    names
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .take(VALUES_MAX)
        .collect()
}

/// A name as a part of a JSON pointer.
fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

#[cfg(test)]
mod tests;
