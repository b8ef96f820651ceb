//! An activity under way.
//!
//! Inputs and results go past Temporal's converters as payloads that are encoded here. What that converter makes of a
//! type (`erased_serde`) costs a component some 8 KiB for each type and each type within it; our own, which the
//! activity's side has anyway, a fraction.

#![allow(
    clippy::result_large_err,
    reason = "the error is Temporal's, and what its own futures answer with"
)]

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{Context, Poll};

use futures_core::FusedFuture;
use serde::Serialize;
use serde::de::DeserializeOwned;
use temporalio_workflow::common::UntypedActivity;
use temporalio_workflow::common::data_converters::{PayloadConversionError, RawValue};
use temporalio_workflow::{
    ActivityExecutionError, ActivityOptions, CancellableFuture, LocalActivityOptions,
    WorkflowContext,
};

use crate::payload::{self, Payload, PayloadError};

type Outcome = Result<RawValue, ActivityExecutionError>;
type Raw<'a> = Pin<Box<dyn CancellableFuture<Output = Outcome> + 'a>>;

/// The future of an activity's result.
pub(super) struct Running<'a, T> {
    raw: Raw<'a>,
    output: PhantomData<fn() -> T>,
}

impl<'a, T> Running<'a, T> {
    pub(super) fn scheduled<W, I: Serialize + 'static>(
        ctx: &'a WorkflowContext<W>,
        name: &'static str,
        input: &I,
        options: ActivityOptions,
    ) -> Self {
        Self::new(match encoded(input) {
            Ok(input) => Box::pin(ctx.execute_activity(named(name), input, options)),
            Err(error) => error,
        })
    }

    pub(super) fn local<W, I: Serialize + 'static>(
        ctx: &'a WorkflowContext<W>,
        name: &'static str,
        input: &I,
        options: LocalActivityOptions,
    ) -> Self {
        Self::new(match encoded(input) {
            Ok(input) => Box::pin(ctx.execute_local_activity(named(name), input, options)),
            Err(error) => error,
        })
    }

    fn new(raw: Raw<'a>) -> Self {
        Self {
            raw,
            output: PhantomData,
        }
    }
}

impl<T: DeserializeOwned + 'static> Future for Running<'_, T> {
    type Output = Result<T, ActivityExecutionError>;

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        self.raw
            .as_mut()
            .poll(cx)
            .map(|outcome| payload::decode(received(outcome?)).map_err(unfit))
    }
}

impl<T: DeserializeOwned + 'static> FusedFuture for Running<'_, T> {
    fn is_terminated(&self) -> bool {
        self.raw.is_terminated()
    }
}

impl<T: DeserializeOwned + 'static> CancellableFuture for Running<'_, T> {
    fn cancel(&self) {
        self.raw.cancel();
    }
}

/// What never began, because its input has no encoding.
struct Refused(Option<ActivityExecutionError>);

impl Future for Refused {
    type Output = Outcome;

    fn poll(mut self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<Outcome> {
        match self.0.take() {
            Some(error) => Poll::Ready(Err(error)),
            None => Poll::Pending,
        }
    }
}

impl FusedFuture for Refused {
    fn is_terminated(&self) -> bool {
        self.0.is_none()
    }
}

impl CancellableFuture for Refused {
    fn cancel(&self) {}
}

fn named(name: &str) -> UntypedActivity {
    UntypedActivity::new(name)
}

fn encoded<'a, I: Serialize + 'static>(input: &I) -> Result<RawValue, Raw<'a>> {
    match payload::encode(input) {
        Ok(payload) => Ok(payload::wire(payload)),
        Err(error) => Err(Box::pin(Refused(Some(unfit(error))))),
    }
}

fn unfit(error: PayloadError) -> ActivityExecutionError {
    PayloadConversionError::EncodingError(Box::new(error)).into()
}

/// As the activity's side of ours has it. An activity of another SDK that answers with nothing leaves no payload, or an
/// empty one.
fn received(value: RawValue) -> Vec<Payload> {
    let payloads = value.payloads.into_iter();
    payloads
        .filter(|wire| !(wire.metadata.is_empty() && wire.data.is_empty()))
        .map(|wire| Payload {
            metadata: wire.metadata.into_iter().collect(),
            data: wire.data,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_pass_unchanged() {
        let value = vec!["a".to_owned(), "b".to_owned()];
        let payload = payload::encode(&value).expect("texts have JSON");
        let back: Vec<String> =
            payload::decode(received(payload::wire(payload))).expect("the same");
        assert_eq!(back, value);
        let nothing = RawValue::new(vec![Default::default()]);
        payload::decode::<()>(received(nothing)).expect("nothing is nothing");
    }

    #[test]
    fn an_input_without_json_fails_the_call() {
        let odd = std::collections::BTreeMap::from([((1, 2), 3)]);
        let mut refused = encoded(&odd).expect_err("JSON has no such keys");
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let Poll::Ready(Err(error)) = refused.as_mut().poll(&mut cx) else {
            panic!("it fails at once");
        };
        assert!(
            error.to_string().contains("key must be a string"),
            "{error}"
        );
        assert!(refused.is_terminated());
    }
}
