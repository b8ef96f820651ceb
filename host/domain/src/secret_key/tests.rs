//! Sealing, opening, rotating.

use super::*;

const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn keys(text: &str) -> SecretKeys {
    SecretKeys::parse(text).unwrap()
}

fn place(scope: &str, plugin: &str, name: &str) -> SecretPlace {
    SecretPlace {
        scope: scope.parse().unwrap(),
        plugin: plugin.parse().unwrap(),
        name: name.parse().unwrap(),
    }
}

fn value() -> SecretValue {
    SecretValue::new("sk_live_0123456789".to_owned()).unwrap()
}

#[test]
fn what_is_sealed_opens_at_its_place_alone() {
    let keys = keys(ONE);
    let own = place("acme/production", "payment", "api-key");
    let sealed = keys.seal(&own, &value()).unwrap();
    assert_eq!(keys.open(&own, &sealed).unwrap(), value());
    let again = keys.seal(&own, &value()).unwrap();
    assert_ne!(sealed, again, "nothing is sealed twice alike");
    for other in [
        place("globex/production", "payment", "api-key"),
        place("acme/test", "payment", "api-key"),
        place("acme/production", "billing", "api-key"),
        place("acme/production", "payment", "other-key"),
    ] {
        let error = keys.open(&other, &sealed).unwrap_err();
        assert_eq!(error.code(), Code::SecretUnreadable, "{other:?}");
        assert!(keys.reseal(&other, &sealed).is_err(), "{other:?}");
    }
}

#[test]
fn what_was_changed_does_not_open() {
    let keys = keys(ONE);
    let own = place("acme/production", "payment", "api-key");
    let sealed = keys.seal(&own, &value()).unwrap();
    let other = keys.seal(&own, &value()).unwrap();
    let mixed = Sealed {
        value: other.value,
        ..sealed.clone()
    };
    assert!(
        keys.open(&own, &mixed).is_err(),
        "a value under another key"
    );
    for at in [0, NONCE_BYTES, sealed.value.len() - 1] {
        let mut changed = sealed.clone();
        changed.value[at] ^= 1;
        assert!(keys.open(&own, &changed).is_err(), "byte {at} of the value");
        let mut changed = sealed.clone();
        changed.data_key[at] ^= 1;
        assert!(keys.open(&own, &changed).is_err(), "byte {at} of its key");
    }
    let short = Sealed {
        value: sealed.value[..NONCE_BYTES - 1].to_vec(),
        ..sealed
    };
    assert!(keys.open(&own, &short).is_err());
}

#[test]
fn keys_rotate_without_a_gap() {
    let own = place("acme/production", "payment", "api-key");
    let (old, both, new) = (keys(ONE), keys(&format!("{TWO}\n{ONE}")), keys(TWO));
    let sealed = old.seal(&own, &value()).unwrap();
    assert_eq!(both.open(&own, &sealed).unwrap(), value());
    let error = new.open(&own, &sealed).unwrap_err();
    assert_eq!(error.code(), Code::SecretKeyMissing);
    assert!(error.detail().contains(old.first()), "{error}");
    let resealed = both.reseal(&own, &sealed).unwrap();
    assert_eq!(resealed.key, new.first());
    assert_eq!(resealed.value, sealed.value);
    assert_eq!(new.open(&own, &resealed).unwrap(), value());
}

#[test]
fn keys_are_read_as_they_are_written() {
    let (id, text) = SecretKeys::generate().unwrap();
    let ring = keys(&format!("{}# the one before\n{ONE}, {TWO}\n", *text));
    assert_eq!(ring.first(), id);
    assert_eq!(ring.ids().count(), 3);
    assert!(ring.has(keys(ONE).first()) && !keys(ONE).has(&id));
    assert!(!format!("{ring:?}").contains("1111"), "{ring:?}");
    let many = format!("{ONE}\n").repeat(SECRET_KEYS_MAX + 1);
    for bad in ["", "# none", "abc", &ONE[1..], &many] {
        let error = SecretKeys::parse(bad).unwrap_err();
        assert_eq!(error.code(), Code::HostConfigInvalid, "{bad}");
        assert!(!error.detail().contains("1111"), "{error}");
    }
}
