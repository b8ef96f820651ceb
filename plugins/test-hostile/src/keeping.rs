//! An activity that keeps more than it may.

use tenterhook_sdk::{ActivityContext, ActivityError, activity, kv, payload};

/// What [`Keep`] keeps.
#[payload]
#[derive(Clone, Debug)]
pub(crate) struct Keeping {
    /// So many keys, one after another.
    pub(crate) keys: usize,
    /// Bytes of each key.
    pub(crate) key_bytes: usize,
    /// Bytes of each value.
    pub(crate) value_bytes: usize,
}

/// Sets keys of the plugin's key-value state. The same ones each time: what it keeps does not grow.
#[activity]
pub(crate) fn keep(_: &ActivityContext, input: Keeping) -> Result<(), ActivityError> {
    let bucket = kv::open_default()?;
    let (width, value) = (input.key_bytes, vec![b'x'; input.value_bytes]);
    (0..input.keys).try_for_each(|key| bucket.set_bytes(&format!("{key:0>width$}"), &value))
}
