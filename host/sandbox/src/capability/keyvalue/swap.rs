//! `tenterhook:plugin/state`: a key is changed only if it has the value that the guest thinks it has.

use wasmtime::component::{HasSelf, Linker, Resource};

use super::{Bucket, KeySwap, KeyValues};
use crate::{
    activity::ActivityState,
    generated::activity::{tenterhook::plugin::state, wasi::keyvalue::store::Error},
    owner::Owner,
};

pub(super) fn link(linker: &mut Linker<ActivityState>) -> wasmtime::Result<()> {
    state::add_to_linker::<_, HasSelf<_>>(linker, |state: &mut ActivityState| state)
}

impl KeyValues {
    async fn compare_and_set(&self, bucket: &str, key: &str, swap: KeySwap) -> Result<bool, Error> {
        self.check_key(key)?;
        if let Some(value) = &swap.new {
            self.check_value(value)?;
        }
        let Owner { scope, plugin, .. } = &*self.owner;
        let store = self.store()?;
        store
            .compare_and_set(scope, plugin, bucket, key, swap, self.room())
            .await
            .map_err(|error| self.refused(&error))
    }
}

impl state::Host for ActivityState {
    async fn compare_and_set(
        &mut self,
        bucket: Resource<Bucket>,
        key: String,
        expected: Option<Vec<u8>>,
        new: Option<Vec<u8>>,
    ) -> wasmtime::Result<Result<bool, Error>> {
        let (state, bucket) = self.bucket(&bucket)?;
        let swap = KeySwap { expected, new };
        Ok(state.compare_and_set(bucket, &key, swap).await)
    }
}
