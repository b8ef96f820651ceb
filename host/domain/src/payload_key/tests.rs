//! Data keys and what they seal.

use proptest::prelude::*;

use super::*;

const ONE: &str = "1111111111111111111111111111111111111111111111111111111111111111";
const TWO: &str = "2222222222222222222222222222222222222222222222222222222222222222";

fn keys(text: &str) -> SecretKeys {
    SecretKeys::parse(text).unwrap()
}

fn tenant(name: &str) -> TenantId {
    name.parse().unwrap()
}

fn key(name: &str) -> PayloadKey {
    let keys = keys(ONE);
    let sealed = keys.new_payload_key(&tenant(name), 7).unwrap();
    keys.open_payload_key(&tenant(name), &sealed).unwrap()
}

fn ring(name: &str, keys: Vec<PayloadKey>) -> PayloadRing {
    PayloadRing::new(tenant(name), Encryption::On, keys)
}

#[test]
fn a_data_key_opens_for_its_tenant_alone() {
    let old = keys(ONE);
    let sealed = old.new_payload_key(&tenant("acme"), 7).unwrap();
    assert_eq!((sealed.under.as_str(), sealed.made_at), (old.first(), 7));
    assert!(old.open_payload_key(&tenant("acme"), &sealed).is_ok());
    let moved = old.open_payload_key(&tenant("globex"), &sealed);
    assert_eq!(moved.unwrap_err().code(), Code::PayloadUnreadable);
    let renamed = SealedPayloadKey {
        id: "0000000000000000".to_owned(),
        ..sealed.clone()
    };
    assert!(old.open_payload_key(&tenant("acme"), &renamed).is_err());
    let elsewhere = keys(TWO).open_payload_key(&tenant("acme"), &sealed);
    assert_eq!(elsewhere.unwrap_err().code(), Code::SecretKeyMissing);
}

#[test]
fn a_data_key_that_is_sealed_anew_is_the_same() {
    let (old, both) = (keys(ONE), keys(&format!("{TWO} {ONE}")));
    let acme = tenant("acme");
    let sealed = old.new_payload_key(&acme, 7).unwrap();
    let anew = both.reseal_payload_key(&acme, &sealed).unwrap();
    assert_eq!((&anew.id, anew.made_at), (&sealed.id, 7));
    assert_eq!(anew.under, both.first());
    let before = ring("acme", vec![old.open_payload_key(&acme, &sealed).unwrap()]);
    let newest = keys(TWO);
    let after = ring("acme", vec![newest.open_payload_key(&acme, &anew).unwrap()]);
    let payload = before.seal(b"hello").unwrap();
    assert_eq!(
        *after.open(&payload.key, &payload.data).unwrap(),
        b"hello".to_vec()
    );
}

#[test]
fn the_newest_key_seals_and_older_ones_open() {
    let (old, new) = (key("acme"), key("acme"));
    let new_id = new.id.clone();
    let id = old.id.clone();
    let bytes = old.bytes.clone();
    let before = ring("acme", vec![old]).seal(b"before").unwrap();
    let old = PayloadKey { id, bytes };
    let both = ring("acme", vec![new, old]);
    assert_eq!(
        *both.open(&before.key, &before.data).unwrap(),
        b"before".to_vec()
    );
    let after = both.seal(b"after").unwrap();
    assert_eq!(after.key, format!("{PAYLOAD_KEY_PREFIX}{new_id}"));
    let again = both.seal(b"after").unwrap();
    assert_ne!(after.data, again.data, "nothing is sealed twice alike");
}

#[test]
fn without_keys_nothing_opens_and_nothing_is_written() {
    let sealed = ring("acme", vec![key("acme")]).seal(b"hello").unwrap();
    let shredded = PayloadRing::new(tenant("acme"), Encryption::Shredded, Vec::new());
    for refused in [
        shredded.open(&sealed.key, &sealed.data).unwrap_err(),
        shredded.leaves_plain().unwrap_err(),
        shredded.seal(b"hello").unwrap_err(),
    ] {
        assert_eq!(refused.code(), Code::PayloadKeyGone, "{refused}");
        assert!(refused.detail().contains("acme"), "{refused}");
    }
    let off = PayloadRing::new(tenant("acme"), Encryption::Off, Vec::new());
    assert!(off.leaves_plain().unwrap() && !off.has_keys());
}

#[test]
fn a_key_named_for_another_tenant_does_not_open() {
    let own = key("acme");
    let stolen = PayloadKey {
        id: own.id.clone(),
        bytes: own.bytes.clone(),
    };
    let sealed = ring("acme", vec![own]).seal(b"hello").unwrap();
    // As if somebody had put acme's key into globex's ring.
    let other = ring("globex", vec![stolen]).open(&sealed.key, &sealed.data);
    assert_eq!(other.unwrap_err().code(), Code::PayloadUnreadable);
    let stranger = ring("globex", vec![key("globex")]).open(&sealed.key, &sealed.data);
    assert_eq!(stranger.unwrap_err().code(), Code::PayloadKeyGone);
}

#[test]
fn words_are_read_as_they_are_written() {
    for one in [Encryption::Off, Encryption::On, Encryption::Shredded] {
        assert_eq!(Encryption::of_text(one.as_str()), Some(one));
        let json = serde_json::to_string(&one).unwrap();
        assert_eq!(json, format!("\"{}\"", one.as_str()));
    }
    assert_eq!(Encryption::of_text("ON"), None);
}

proptest! {
    #[test]
    fn whatever_is_sealed_opens_and_nothing_else_does(
        plain in prop::collection::vec(any::<u8>(), 0..2_000),
        at in any::<prop::sample::Index>(),
        bit in 0_u8..8,
        cut in any::<prop::sample::Index>(),
        noise in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let ring = ring("acme", vec![key("acme")]);
        let sealed = ring.seal(&plain).unwrap();
        prop_assert_eq!(&*ring.open(&sealed.key, &sealed.data).unwrap(), &plain);
        let mut changed = sealed.data.clone();
        changed[at.index(sealed.data.len())] ^= 1 << bit;
        let cut_off = sealed.data[..cut.index(sealed.data.len())].to_vec();
        for other in [changed, cut_off, noise] {
            let refused = ring.open(&sealed.key, &other).unwrap_err();
            prop_assert_eq!(refused.code(), Code::PayloadUnreadable);
        }
    }
}
