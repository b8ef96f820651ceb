//! Failures of attempts as Temporal keeps them. Nothing a guest says is lost on the way.

use std::time::Duration;

use temporalio_protos::{
    coresdk::activity_result::{
        Cancellation as Cancelled, Failure as Failed, activity_execution_result::Status,
    },
    temporal::api::{
        common::v1::{Payload as ProtoPayload, Payloads},
        enums::v1::ApplicationErrorCategory,
        failure::v1::{ApplicationFailureInfo, CanceledFailureInfo, Failure, failure::FailureInfo},
    },
};
use tenterhook_domain::Code;
use tenterhook_sandbox::{ActivityFailure, Cancellation, FailureLink};

use super::attempt::payload_to_proto;

/// Where failures that the host makes say they come from.
const SOURCE: &str = "tenterhook";
/// After so long an attempt that was handed back for lack of a place is tried again.
const PLACES_TAKEN_PAUSE: Duration = Duration::from_secs(5);
/// The kind by which a guest says that it ended because it was asked to.
const CANCELED: &str = "Canceled";

/// A guest's failure. One of kind `Canceled`, after it was asked to end, is a cancellation.
pub(super) fn of_guest(failure: ActivityFailure, cancelled: Option<Cancellation>) -> Status {
    if failure.error.kind == CANCELED
        && let Some(why) = cancelled
    {
        let details = failure.error.details.into_iter().map(payload_to_proto);
        return ended(why, failure.error.message, details.collect());
    }
    let mut cause = None;
    for link in failure.causes.into_iter().rev() {
        cause = Some(Box::new(with_info(link, cause, |info| info)));
    }
    let (non_retryable, benign, delay) = (
        failure.non_retryable,
        failure.benign,
        failure.next_retry_delay,
    );
    let proto = with_info(failure.error, cause, |info| ApplicationFailureInfo {
        non_retryable,
        next_retry_delay: delay.and_then(|millis| Duration::from_millis(millis).try_into().ok()),
        category: if benign {
            ApplicationErrorCategory::Benign
        } else {
            ApplicationErrorCategory::Unspecified
        }
        .into(),
        ..info
    });
    Status::Failed(Failed {
        failure: Some(proto),
        ..Default::default()
    })
}

fn with_info(
    link: FailureLink,
    cause: Option<Box<Failure>>,
    complete: impl FnOnce(ApplicationFailureInfo) -> ApplicationFailureInfo,
) -> Failure {
    let details: Vec<_> = link.details.into_iter().map(payload_to_proto).collect();
    let info = complete(ApplicationFailureInfo {
        r#type: link.kind,
        details: (!details.is_empty()).then_some(Payloads { payloads: details }),
        ..Default::default()
    });
    Failure {
        message: link.message,
        stack_trace: link.stack_trace.unwrap_or_default(),
        cause,
        failure_info: Some(FailureInfo::ApplicationFailureInfo(info)),
        ..Default::default()
    }
}

/// A failure that the host makes: its code is the type. What no retry can mend is not retried.
pub(super) fn of_host(code: Code, detail: &str) -> Status {
    // All else may be mended by a push, a grant or time: the retry policy decides.
    let non_retryable = matches!(
        code,
        Code::ActivityTypeNotFound | Code::ContextInvalid | Code::PayloadKeyGone
    );
    Status::Failed(Failed {
        failure: Some(Failure {
            message: format!("[{code}] {detail}"),
            source: SOURCE.to_owned(),
            failure_info: Some(FailureInfo::ApplicationFailureInfo(
                ApplicationFailureInfo {
                    r#type: code.as_str().to_owned(),
                    non_retryable,
                    next_retry_delay: pause(code).and_then(|pause| pause.try_into().ok()),
                    ..Default::default()
                },
            )),
            ..Default::default()
        }),
        ..Default::default()
    })
}

/// When it is worth another try, where the host knows better than the retry policy.
fn pause(code: Code) -> Option<Duration> {
    (code == Code::ActivityPlacesTaken).then_some(PLACES_TAKEN_PAUSE)
}

/// The attempt was dropped because nobody waits for it.
pub(super) fn dropped(why: Cancellation) -> Status {
    ended(
        why,
        format!("the attempt was ended by the host: {why:?}"),
        Vec::new(),
    )
}

/// What an attempt that ended because it should is to Temporal. A pause or a reset is no cancellation there: the
/// server refuses one that nobody asked for, so the attempt fails and is tried again when its time comes.
fn ended(why: Cancellation, message: String, details: Vec<ProtoPayload>) -> Status {
    match why {
        Cancellation::Paused | Cancellation::Reset => {
            let link = FailureLink {
                message,
                kind: CANCELED.to_owned(),
                ..Default::default()
            };
            Status::Failed(Failed {
                failure: Some(with_info(link, None, |info| info)),
                ..Default::default()
            })
        }
        _ => canceled(message, details),
    }
}

fn canceled(message: String, details: Vec<ProtoPayload>) -> Status {
    Status::Cancelled(Cancelled {
        failure: Some(Failure {
            message,
            failure_info: Some(FailureInfo::CanceledFailureInfo(CanceledFailureInfo {
                details: (!details.is_empty()).then_some(Payloads { payloads: details }),
                ..Default::default()
            })),
            ..Default::default()
        }),
    })
}
