//! Whom a tenant trusts, and the signatures that come with releases.

use tenterhook_domain::{
    Code,
    trust::{Trust, TrustPolicy, TrustedIdentity},
};
use tenterhook_store::{AuditFilter, Checked, Cursor, ReleaseKey, Written};

use crate::{
    Fixture, NOW, author, component,
    fixture::{conclude, findings},
    on_every_store, payment, release,
};

on_every_store!(
    a_trust_policy_is_kept_and_written_down,
    a_signature_comes_and_goes_with_its_release,
);

fn policy() -> TrustPolicy {
    TrustPolicy {
        mode: Trust::Require,
        keys: vec!["a key".to_owned()],
        identities: vec![TrustedIdentity {
            issuer: "issuer".to_owned(),
            subject: "subject".to_owned(),
        }],
    }
}

async fn a_trust_policy_is_kept_and_written_down(mut fixture: Fixture) {
    let tenant = fixture.scope("acme/production").await.tenant;
    fixture.scope("globex/production").await;
    let tenants = fixture.store.tenants.clone();
    assert_eq!(
        tenants.trust(&tenant).await.unwrap(),
        TrustPolicy::default()
    );
    let somebody = author("token:o");
    let put = async |policy: &TrustPolicy, expected: Option<&TrustPolicy>| {
        let put = tenants.put_trust(&tenant, policy, expected, &somebody, NOW);
        put.await.map_err(|error| error.code())
    };
    assert_eq!(
        put(&policy(), Some(&policy())).await,
        Err(Code::PreconditionFailed)
    );
    assert_eq!(put(&policy(), Some(&TrustPolicy::default())).await, Ok(()));
    let nobody = TrustPolicy {
        mode: Trust::Warn,
        ..TrustPolicy::default()
    };
    assert_eq!(put(&nobody, None).await, Err(Code::TrustInvalid));
    let nowhere = "nobody".parse().unwrap();
    let wanted = policy();
    let missing = tenants.put_trust(&nowhere, &wanted, None, &somebody, NOW);
    assert_eq!(missing.await.unwrap_err().code(), Code::TenantNotFound);
    let missing = tenants.trust(&nowhere).await.unwrap_err();
    assert_eq!(missing.code(), Code::TenantNotFound);

    fixture.reopen().await;
    let store = &fixture.store;
    assert_eq!(store.tenants.trust(&tenant).await.unwrap(), policy());
    let other = store
        .tenants
        .trust(&"globex".parse().unwrap())
        .await
        .unwrap();
    assert_eq!(other, TrustPolicy::default());
    let log = store
        .audit
        .entries_of(&tenant, None, Cursor::FIRST)
        .await
        .unwrap();
    let [entry] = &log.items[..] else {
        panic!("what was refused is not written down: {:?}", log.items);
    };
    assert_eq!((entry.action.as_str(), &entry.author), ("trust", &somebody));
    assert_eq!(
        (&entry.tenant, &entry.environment, &entry.plugin),
        (&Some(tenant), &None, &None)
    );
    assert_eq!(
        serde_json::from_str::<TrustPolicy>(&entry.detail).unwrap(),
        policy()
    );
    let all = store
        .audit
        .entries(AuditFilter::default(), Cursor::FIRST)
        .await
        .unwrap();
    assert_eq!(all.items.len(), 1);
}

async fn a_signature_comes_and_goes_with_its_release(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let push = async |signature: Option<&str>| {
        let mut release = release("one");
        release.signature = signature.map(str::to_owned);
        let (plugin, who) = (payment(), author("a"));
        let pushed = store.publish(&acme, &plugin, &release, component("one"), &who);
        pushed.await.unwrap().0
    };
    let key = ReleaseKey {
        scope: acme.clone(),
        plugin: payment(),
        digest: release("one").digest,
    };
    let kept = async || store.releases.signature(&key).await.unwrap();
    assert_eq!(kept().await, None, "of a release that is not there");
    assert_eq!(push(Some("first")).await, Written::Created);
    assert_eq!(kept().await.as_deref(), Some("first"));
    // What waits for its checks is judged by what it came with.
    assert_eq!(push(Some("second")).await, Written::Unchanged);
    assert_eq!(kept().await.as_deref(), Some("first"));
    store
        .releases
        .claim("checker", NOW + 1, NOW)
        .await
        .unwrap()
        .unwrap();
    conclude(store, &key, &findings(), Checked::Refused).await;
    assert_eq!(push(Some("third")).await, Written::Created);
    assert_eq!(kept().await.as_deref(), Some("third"));
    store
        .releases
        .claim("checker", NOW + 1, NOW)
        .await
        .unwrap()
        .unwrap();
    conclude(store, &key, &findings(), Checked::Refused).await;
    assert_eq!(push(None).await, Written::Created);
    assert_eq!(kept().await, None);
}
