//! Text that comes from guests and callers: whatever it is, it is read or refused with a code.

#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use tenterhook_domain::{
    Code, Digest, PluginName, Scope, TypeName,
    context::{Context, ContextKey, ContextKeys},
    grant::{Grants, HostPattern},
    secret::{Placeholder, placeholders},
};

const ID: &str = "acme/production/p-1";

fn keys() -> ContextKeys {
    ContextKeys::new(ContextKey::new("k1", [7; 32]), vec![])
}

fn token() -> String {
    keys()
        .sign(&Context {
            scope: "acme/production".parse().unwrap(),
            plugin: "payment".parse().unwrap(),
            workflow_id: ID.into(),
            digest: Some(Digest::of(b"x")),
            begins_by: Some(1_000),
        })
        .unwrap()
}

proptest! {
    #[test]
    fn no_text_is_a_context_but_what_was_signed(text in ".{0,300}") {
        prop_assert_eq!(keys().verify(&text, ID).unwrap_err().code(), Code::ContextInvalid);
    }

    #[test]
    fn no_changed_token_is_a_context(at in any::<prop::sample::Index>(), put in "\\PC{0,3}", drop in 0_usize..4) {
        let mut chars: Vec<char> = token().chars().collect();
        let at = at.index(chars.len());
        let to = (at + drop).min(chars.len());
        chars.splice(at..to, put.chars());
        let text: String = chars.into_iter().collect();
        prop_assume!(text != token());
        let refused = keys().verify(&text, ID).unwrap_err().code();
        // With the key's id changed, it may be one that is not known yet.
        prop_assert!(matches!(refused, Code::ContextInvalid | Code::ContextKeyUnknown), "{refused}");
    }

    #[test]
    fn a_context_is_of_one_execution(id in "\\PC{0,60}") {
        prop_assume!(id != ID);
        prop_assert_eq!(keys().verify(&token(), &id).unwrap_err().code(), Code::ContextInvalid);
    }

    #[test]
    fn a_guests_type_is_of_one_plugin_or_refused(text in any::<String>()) {
        let own: PluginName = "payment".parse().unwrap();
        match TypeName::of_guest(&own, &text) {
            Ok(name) => {
                let named = text.starts_with(&format!("{}.", name.plugin));
                prop_assert!(named || name.plugin == own);
                prop_assert_eq!(name.to_string().parse::<TypeName>().unwrap(), name);
            }
            Err(error) => prop_assert_eq!(error.code(), Code::NameInvalid),
        }
    }

    #[test]
    fn a_guests_id_stays_in_its_scope_or_is_refused(id in any::<String>()) {
        let scope: Scope = "acme/production".parse().unwrap();
        match scope.temporal_id(&id) {
            Ok(whole) => {
                prop_assert_eq!(scope.caller_id(&whole), Some(id.as_str()));
                let (of, _) = Scope::of_temporal_id(&whole).unwrap();
                prop_assert_eq!(of, scope);
            }
            Err(error) => prop_assert_eq!(error.code(), Code::WorkflowIdInvalid),
        }
    }

    #[test]
    fn placeholders_are_found_in_order_or_refused(
        pieces in prop::collection::vec(
            prop_oneof![
                Just("{{secret:".to_owned()),
                Just("}}".to_owned()),
                Just("api-key".to_owned()),
                any::<String>(),
            ],
            0..8,
        ),
        noise in prop::collection::vec(any::<u8>(), 0..4),
    ) {
        let mut value = pieces.concat().into_bytes();
        value.extend(noise);
        match placeholders(&value) {
            Ok(found) => {
                let mut from = 0;
                for Placeholder { at, name } in found {
                    prop_assert!(from <= at.start && at.end <= value.len());
                    let whole = format!("{{{{secret:{name}}}}}");
                    prop_assert_eq!(&value[at.clone()], whole.as_bytes());
                    from = at.end;
                }
            }
            Err(error) => prop_assert_eq!(error.code(), Code::SecretInvalid),
        }
    }

    #[test]
    fn hosts_digests_and_grants_are_read_or_refused(text in any::<String>(), host in "[a-z0-9.:*\\[\\]-]{0,20}") {
        for text in [&text, &host] {
            if let Err(error) = HostPattern::parse(text) {
                prop_assert_eq!(error.code(), Code::GrantInvalid);
            }
        }
        if let Err(error) = text.parse::<Digest>() {
            prop_assert_eq!(error.code(), Code::DigestInvalid);
        }
        // Serde says what is wrong in its own words, and the API gives them a code.
        let _ = serde_json::from_str::<Grants>(&text);
    }
}
