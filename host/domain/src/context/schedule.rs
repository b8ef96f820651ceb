//! The header of what a schedule starts. Temporal starts such executions by itself, each under the schedule's workflow id
//! with `-` and the stated time behind, and gives all of them the header that the schedule was made with.
//!
//! So the token is bound to ids of that shape, and to the one workflow type: taken from the schedule it starts nothing
//! but what the schedule starts. It has no end of its own, for schedules live for years; hosts sign it anew as soon as
//! another key signs, for a retired one soon begins nothing.

use super::{Claims, Context, ContextKeys, check_begun, refused};
use crate::{
    error::Result,
    name::{Scope, TypeName},
};

/// What the context header of a schedule says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScheduleContext {
    /// Whose schedule it is.
    pub scope: Scope,
    /// What it starts; the executions belong to the type's plugin.
    pub workflow_type: TypeName,
    /// What the ids of its executions begin with, as Temporal knows them, scope included.
    pub workflow_id: String,
}

impl ContextKeys {
    /// The token for a schedule.
    ///
    /// # Errors
    /// `internal` only: the claims always serialise.
    pub fn sign_schedule(&self, context: &ScheduleContext) -> Result<String> {
        self.sign_claims(&Claims {
            tenant: context.scope.tenant.clone(),
            environment: context.scope.environment.clone(),
            plugin: context.workflow_type.plugin.clone(),
            workflow: context.workflow_id.clone(),
            digest: None,
            starts: Some(context.workflow_type.clone()),
            // It lives as long as the schedule.
            begins_by: None,
        })
    }

    /// Reads and checks the token of an execution or of an activity: its own, or that of the schedule which started it.
    ///
    /// # Errors
    /// `context-invalid`, as [`verify`](Self::verify); for the token of a schedule too when the id is not one of its
    /// executions', or the type is another.
    pub fn verify_work(&self, token: &str, workflow_id: &str, type_name: &str) -> Result<Context> {
        let claims = self.read(token)?;
        let Some(starts) = &claims.starts else {
            return self.verify(token, workflow_id);
        };
        if !is_start(&claims.workflow, workflow_id) {
            return Err(refused(
                "it belongs to a schedule, and this is no execution of it",
            ));
        }
        if starts.to_string() != type_name {
            return Err(refused(
                "it belongs to a schedule, which starts another type",
            ));
        }
        Ok(Context {
            workflow_id: workflow_id.to_owned(),
            ..claims.into_context()
        })
    }

    /// The token of a schedule signed anew, where another key signed it than the one that signs now. `written_at` is when
    /// the schedule was last written, by the server's own record, in milliseconds since the Unix epoch.
    ///
    /// # Errors
    /// `context-invalid` when it is not one of a schedule for `workflow_id`, or was written after its key was retired;
    /// `context-key-unknown`: what somebody else wrote is never signed.
    pub fn renew_schedule(
        &self,
        token: &str,
        workflow_id: &str,
        written_at: u64,
    ) -> Result<Option<String>> {
        let mut claims = self.read(token)?;
        if claims.starts.is_none() || claims.workflow != workflow_id {
            return Err(refused("it belongs to another schedule"));
        }
        if token.split('.').nth(1) == Some(self.signing_id().as_str()) {
            return Ok(None);
        }
        // Its key's end, which is not the schedule's.
        check_begun(claims.begins_by.take(), written_at)?;
        self.sign_claims(&claims).map(Some)
    }
}

/// True if Temporal's id `workflow_id` is one that a schedule for `base` gives to what it starts.
fn is_start(base: &str, workflow_id: &str) -> bool {
    let rest = workflow_id.strip_prefix(base);
    rest.and_then(|rest| rest.strip_prefix('-'))
        .is_some_and(is_time)
}

/// True for `2026-11-22T04:00:00Z`: Temporal writes the time in UTC and whole seconds, so nothing else is one.
fn is_time(text: &str) -> bool {
    const SHAPE: &[u8] = b"0000-00-00T00:00:00Z";
    let (bytes, part) = (text.as_bytes(), |range| text.get(range));
    let as_shaped = |(&byte, &shape): (&u8, &u8)| match shape {
        b'0' => byte.is_ascii_digit(),
        _ => byte == shape,
    };
    bytes.len() == SHAPE.len()
        && bytes.iter().zip(SHAPE).all(as_shaped)
        && part(5..7).is_some_and(|month| ("01"..="12").contains(&month))
        && part(8..10).is_some_and(|day| ("01"..="31").contains(&day))
        && part(11..13).is_some_and(|hour| hour < "24")
        && part(14..16).is_some_and(|minute| minute < "60")
        && part(17..19).is_some_and(|second| second < "60")
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::{
        super::{CONTEXT_KEY_GRACE_MILLIS, ContextKey, ContextKeySet, KeptContextKey},
        *,
    };
    use crate::error::Code;

    const START: &str = "acme/production/daily-2026-11-22T04:00:00Z";

    fn key(id: &str, byte: u8) -> ContextKey {
        ContextKey::new(id, [byte; 32])
    }

    fn daily() -> ScheduleContext {
        ScheduleContext {
            scope: "acme/production".parse().unwrap(),
            workflow_type: "analytics.DailyReport".parse().unwrap(),
            workflow_id: "acme/production/daily".into(),
        }
    }

    #[test]
    fn a_schedules_token_is_for_its_executions_alone() {
        let keys = ContextKeys::new(key("a", 1), vec![]);
        let token = keys.sign_schedule(&daily()).unwrap();
        let context = keys
            .verify_work(&token, START, "analytics.DailyReport")
            .unwrap();
        assert_eq!(context.workflow_id, START);
        assert_eq!(context.scope, daily().scope);
        assert_eq!(context.plugin, daily().workflow_type.plugin);
        let refused = |id: &str, type_name: &str| {
            let refused = keys.verify_work(&token, id, type_name);
            assert_eq!(refused.unwrap_err().code(), Code::ContextInvalid, "{id}");
        };
        refused(START, "analytics.DataCleanup");
        for other in [
            "acme/production/daily",
            "acme/production/daily-",
            "acme/production/daily-x",
            "acme/production/daily-2026-11-22T04:00:00",
            "acme/production/daily-2026-11-22T04:00:00Z-x",
            "acme/production/daily-2026-11-22T04:00:00+01:00",
            "acme/production/daily-2026-13-22T04:00:00Z",
            "acme/production/daily-2026-11-22T24:00:00Z",
            "acme/production/daily-2026-11-32T04:00:00Z",
            "acme/production/daily2-2026-11-22T04:00:00Z",
            "acme/production/dail-2026-11-22T04:00:00Z",
            "acme/test/daily-2026-11-22T04:00:00Z",
            "globex/production/daily-2026-11-22T04:00:00Z",
        ] {
            refused(other, "analytics.DailyReport");
        }
        // On no execution at all is it a token of its own.
        for id in [START, "acme/production/daily"] {
            assert!(keys.verify(&token, id).is_err(), "{id}");
        }
    }

    #[test]
    fn the_token_of_one_execution_stays_what_it_is() {
        let keys = ContextKeys::new(key("a", 1), vec![]);
        let context = Context {
            scope: daily().scope,
            plugin: daily().workflow_type.plugin,
            workflow_id: "acme/production/daily".into(),
            digest: None,
            begins_by: None,
        };
        let token = keys.sign(&context).unwrap();
        let own = keys.verify_work(&token, "acme/production/daily", "analytics.DataCleanup");
        assert_eq!(own.unwrap(), context);
        assert!(
            keys.verify_work(&token, START, "analytics.DailyReport")
                .is_err()
        );
        assert!(
            keys.renew_schedule(&token, "acme/production/daily", 0)
                .is_err()
        );
    }

    /// The keys `a` and `b` as they are at `now`; `b` signs from 100 on.
    fn rotated(now: u64) -> ContextKeys {
        let key = |id: &str, byte: u8, signs_from| KeptContextKey {
            id: id.into(),
            secret: [byte; 32],
            made_at: 0,
            signs_from,
        };
        let set = ContextKeySet::new(vec![key("b", 2, 100), key("a", 1, 0)]);
        set.unwrap().at(now)
    }

    #[test]
    fn a_token_is_signed_anew_when_another_key_signs() {
        let base = "acme/production/daily";
        let token = rotated(0).sign_schedule(&daily()).unwrap();
        assert_eq!(rotated(99).renew_schedule(&token, base, 0).unwrap(), None);
        let renewed = rotated(100).renew_schedule(&token, base, 0).unwrap();
        let renewed = renewed.unwrap();
        assert_eq!(
            rotated(100).renew_schedule(&renewed, base, 0).unwrap(),
            None
        );
        // A key has an end once another one follows, what is signed anew has none.
        let starts = |token: &str| rotated(100).verify_work(token, START, "analytics.DailyReport");
        let end = 100 + CONTEXT_KEY_GRACE_MILLIS;
        assert_eq!(starts(&token).unwrap().begins_by, Some(end));
        assert_eq!(starts(&renewed).unwrap().begins_by, None);
    }

    #[test]
    fn only_what_the_hosts_wrote_is_signed_anew() {
        let base = "acme/production/daily";
        let token = rotated(0).sign_schedule(&daily()).unwrap();
        let renew = |token: &str, base: &str, written_at| {
            let renewed = rotated(100).renew_schedule(token, base, written_at);
            renewed.map_err(|error| error.code())
        };
        let end = 100 + CONTEXT_KEY_GRACE_MILLIS;
        assert!(renew(&token, base, end).is_ok());
        // Who has a retired key writes a schedule with it too late.
        assert_eq!(renew(&token, base, end + 1), Err(Code::ContextInvalid));
        let other = "acme/production/other";
        assert_eq!(renew(&token, other, 0), Err(Code::ContextInvalid));
        let signed_by = |key| ContextKeys::new(key, vec![]).sign_schedule(&daily());
        let forged = signed_by(key("a", 9)).unwrap();
        assert_eq!(renew(&forged, base, 0), Err(Code::ContextInvalid));
        let unknown = signed_by(key("c", 3)).unwrap();
        assert_eq!(renew(&unknown, base, 0), Err(Code::ContextKeyUnknown));
    }
}
