//! `secret-key`: the keys that a host encrypts secrets under.

use std::path::PathBuf;

use clap::Subcommand;
use serde_json::{Value, json};

use super::client;
use crate::{
    client::{Call, Client},
    column::Field,
    connection::ConnectionArguments,
    failure::{Failure, Result, code},
    key_file,
    output::Console,
};

const FIELDS: &[Field] = &[
    Field::new("Key", "/key"),
    Field::new("Sealed anew", "/resealed"),
    Field::new("Left", "/left"),
];

/// `secret-key …`.
#[derive(Debug, Subcommand)]
pub(crate) enum SecretKeyCommand {
    /// Make a file with a new key, for `--secret-key-file`; asks no host
    Make {
        /// The file; it must not be there
        file: PathBuf,
    },
    /// Put a new key before those in the host's file, and have all secrets sealed under it
    Rotate {
        /// The file of the host's keys: secret-keys in its data folder, or what its --secret-key-file names
        file: PathBuf,
    },
    /// Have all secrets sealed under the host's first key: for hosts that are given their keys one after another
    Reseal,
}

impl SecretKeyCommand {
    /// Does it.
    pub(crate) async fn run(
        &self,
        connection: &ConnectionArguments,
        console: &Console,
    ) -> Result<()> {
        match self {
            Self::Make { file } => {
                let id = key_file::create(file)?;
                console.value(&json!({ "key": id }), &id)
            }
            Self::Rotate { file } => {
                // Nobody adds a key and then finds no host.
                let client = client(connection, console)?;
                client.call(Call::get(["limits"])).await?;
                let id = key_file::add_first(file)?;
                console.note(&format!("{} begins with key {id}", file.display()));
                let done = reseal(&client).await?;
                if done.get("key").and_then(Value::as_str) != Some(&id) {
                    return Err(Failure::new(
                        code::ANSWER_INVALID,
                        format!(
                            "the host at {} does not encrypt under key {id}: {} is not its file",
                            client.url(),
                            file.display()
                        ),
                    )
                    .with_hint("give the file that --secret-key-file of the host names"));
                }
                tell(&done, console)
            }
            Self::Reseal => tell(&reseal(&client(connection, console)?).await?, console),
        }
    }
}

/// Asks again until nothing more is sealed anew, and adds up.
async fn reseal(client: &Client) -> Result<Value> {
    let mut all = 0;
    loop {
        let mut done = client.call(Call::post(["secrets", "reseal"])).await?;
        let number = |name: &str| done.get(name).and_then(Value::as_u64);
        let (Some(resealed), Some(left)) = (number("resealed"), number("left")) else {
            return Err(Failure::new(
                code::ANSWER_INVALID,
                "the host does not say how many secrets it sealed",
            ));
        };
        all += resealed;
        if resealed == 0 || left == 0 {
            done["resealed"] = all.into();
            return Ok(done);
        }
    }
}

fn tell(done: &Value, console: &Console) -> Result<()> {
    console.record(done, FIELDS)?;
    if done.get("left").and_then(Value::as_u64) != Some(0) {
        console.warn(
            "some secrets are under keys that the host does not have, or cannot be read: its log names those that it \
             met; keep the older keys",
        );
    }
    Ok(())
}
