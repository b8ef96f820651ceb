//! What is read from outside: JSON values given as text, `@file` or `-`, and small files.

use std::{
    fs::File,
    io::{self, Read},
    path::Path,
};

use bytes::Bytes;
use serde_json::{Map, Value};

use crate::failure::{Failure, Result, code};

/// Largest JSON document that is read, in bytes: several of Temporal's largest payloads.
const JSON_BYTES_MAX: usize = 8 * 1024 * 1024;

/// The JSON value that `argument` names: `-` is standard input, `@file` a file, all else the value itself.
///
/// # Errors
/// `file-unreadable`, or `usage` when it is not JSON.
pub(crate) fn json(argument: &str) -> Result<Value> {
    let (origin, text) = match argument {
        "-" => (
            "standard input",
            read(io::stdin().lock(), "standard input", JSON_BYTES_MAX)?,
        ),
        argument => match argument.strip_prefix('@') {
            Some(file) => (file, file_bytes(Path::new(file), JSON_BYTES_MAX)?),
            None => ("the value", Bytes::copy_from_slice(argument.as_bytes())),
        },
    };
    serde_json::from_slice(&text).map_err(|error| {
        Failure::usage(format!("{origin} is not JSON"))
            .caused_by(&error)
            .with_hint("quote JSON for the shell ('{\"amount\": 5}'), or give @FILE, or - for standard input")
    })
}

/// The JSON object in the file at `path`; `-` is standard input.
///
/// # Errors
/// `file-unreadable`, or `usage` when it is not a JSON object.
pub(crate) fn object(path: &str) -> Result<Map<String, Value>> {
    let value = if path == "-" {
        json(path)?
    } else {
        json(&format!("@{path}"))?
    };
    match value {
        Value::Object(object) => Ok(object),
        _ => Err(Failure::usage(format!("{path} holds JSON, but no object"))),
    }
}

/// The bytes of the file at `path`.
///
/// # Errors
/// `file-unreadable` when it cannot be read, or is larger than `most` bytes.
pub(crate) fn file_bytes(path: &Path, most: usize) -> Result<Bytes> {
    let name = path.display().to_string();
    let file = File::open(path).map_err(|error| unreadable(&name, &error))?;
    read(file, &name, most)
}

/// All of `reader`, which `name` names.
///
/// # Errors
/// `file-unreadable` when it cannot be read, or is longer than `most` bytes.
pub(crate) fn read(reader: impl Read, name: &str, most: usize) -> Result<Bytes> {
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    let mut bytes = Vec::new();
    reader
        .take(bound)
        .read_to_end(&mut bytes)
        .map_err(|error| unreadable(name, &error))?;
    if bytes.len() > most {
        return Err(Failure::new(
            code::FILE_UNREADABLE,
            format!("{name} is larger than {most} bytes"),
        ));
    }
    Ok(bytes.into())
}

fn unreadable(name: &str, error: &io::Error) -> Failure {
    Failure::new(code::FILE_UNREADABLE, format!("{name} cannot be read")).caused_by(error)
}
