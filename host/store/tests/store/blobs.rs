//! Components by digest.

use std::path::Path;

use tenterhook_domain::{Code, Digest, rollout::Move};
use tenterhook_store::{Cursor, Store, Written};

use crate::{Fixture, NOW, admit, author, component, on_every_store, payment, publish, release};

on_every_store!(
    blobs_are_checked_against_their_digest_and_put_once,
    blobs_are_listed_by_digest_in_pages,
    what_a_release_needs_is_not_discarded,
    compiled_code_is_kept_by_engine_and_goes_with_its_component,
    a_push_and_a_sweep_at_once_leave_no_release_without_its_bytes,
);

async fn blobs_are_checked_against_their_digest_and_put_once(fixture: Fixture) {
    let blobs = &fixture.store.blobs;
    let digest = Digest::of(b"one");
    let missing = blobs.get(&digest).await.unwrap_err();
    assert_eq!(missing.code(), Code::ComponentMissing);
    let other = blobs.put(&digest, component("two")).await;
    assert_eq!(other.unwrap_err().code(), Code::Internal);
    assert!(!blobs.contains(&digest).await.unwrap());

    let put = async || blobs.put(&digest, component("one")).await.unwrap();
    assert_eq!(put().await, Written::Created);
    assert_eq!(put().await, Written::Unchanged);
    assert_eq!(blobs.get(&digest).await.unwrap(), component("one"));

    blobs.delete(&digest).await.unwrap();
    assert!(!blobs.contains(&digest).await.unwrap());
    blobs
        .delete(&digest)
        .await
        .expect("gone already is as good");
    assert_eq!(put().await, Written::Created);
}

async fn compiled_code_is_kept_by_engine_and_goes_with_its_component(fixture: Fixture) {
    let store = &fixture.store;
    let digest = Digest::of(b"one");
    let get = async |engines| store.compiled.get(&digest, engines).await.unwrap();
    assert_eq!(get("a").await, None);
    for (engines, code) in [("a", "code"), ("b", "other"), ("b", "newer")] {
        let put = store.compiled.put(&digest, engines, component(code)).await;
        put.unwrap();
    }
    assert_eq!(get("a").await, Some(component("code")));
    assert_eq!(get("b").await, Some(component("newer")));
    // It is no component.
    let listed = store.blobs.list(Cursor::FIRST).await.unwrap();
    assert!(listed.items.is_empty());

    store.blobs.put(&digest, component("one")).await.unwrap();
    assert!(store.discard(&digest).await.unwrap());
    assert_eq!((get("a").await, get("b").await), (None, None));

    // Of bytes that are not kept, too.
    let put = store.compiled.put(&digest, "a", component("code")).await;
    put.unwrap();
    assert!(store.discard(&digest).await.unwrap());
    assert_eq!(get("a").await, None);
}

#[tokio::test]
async fn a_push_repairs_what_changed_on_disk() {
    let fixture = Fixture::new(crate::Place::Folder).await;
    let blobs = &fixture.store.blobs;
    let digest = Digest::of(b"one");
    blobs.put(&digest, component("one")).await.unwrap();
    let file = only_file(&fixture.folder.path().join("blobs"));
    std::fs::write(&file, b"One").unwrap();
    let damaged = blobs.get(&digest).await.unwrap_err();
    assert_eq!(damaged.code(), Code::StoreFailed);
    blobs.put(&digest, component("one")).await.unwrap();
    assert_eq!(blobs.get(&digest).await.unwrap(), component("one"));
}

async fn blobs_are_listed_by_digest_in_pages(fixture: Fixture) {
    let blobs = &fixture.store.blobs;
    let first = blobs.list(Cursor::FIRST).await.unwrap();
    assert!(first.items.is_empty() && first.next.is_none());
    let mut digests = Vec::new();
    for text in ["1", "22", "333", "4444", "55555"] {
        digests.push((Digest::of(text.as_bytes()), text.len() as u64));
        blobs
            .put(&digests.last().unwrap().0, component(text))
            .await
            .unwrap();
    }
    digests.sort_by_key(|(digest, _)| digest.to_string());
    let (mut seen, mut sizes, mut after) = (Vec::new(), Vec::new(), None::<String>);
    loop {
        let cursor = Cursor {
            after: after.as_deref(),
            limit: 2,
        };
        let page = blobs.list(cursor).await.unwrap();
        sizes.push(page.items.len());
        assert!(page.items.iter().all(|blob| blob.stored_at > NOW));
        seen.extend(page.items.iter().map(|blob| (blob.digest, blob.bytes)));
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, sizes), (digests, vec![2, 2, 1]));
    let cursor = Cursor {
        after: Some("x"),
        limit: 1,
    };
    let refused = blobs.list(cursor).await.unwrap_err();
    assert_eq!(refused.code(), Code::RequestInvalid);
}

async fn what_a_release_needs_is_not_discarded(fixture: Fixture) {
    let store = &fixture.store;
    let (acme, globex) = (
        fixture.scope("acme/production").await,
        fixture.scope("globex/production").await,
    );
    let one = admit(store, &acme, "one").await;
    let two = admit(store, &acme, "two").await;
    admit(store, &globex, "zero").await;
    assert_eq!(admit(store, &globex, "two").await, two);
    assert!(!store.discard(&one).await.unwrap());

    retire(store, &acme, two).await;
    assert!(
        !store.discard(&two).await.unwrap(),
        "another scope's release has the same bytes"
    );
    retire(store, &globex, two).await;
    assert!(!store.releases.needs(&two).await.unwrap());
    assert!(store.discard(&two).await.unwrap());
    assert!(!store.blobs.contains(&two).await.unwrap());
    assert!(
        store.discard(&two).await.unwrap(),
        "gone already is as good"
    );
    assert!(store.blobs.contains(&one).await.unwrap());

    let (written, again) = publish(store, &acme, "two").await;
    assert_eq!(
        (written, again.state),
        (
            Written::Created,
            tenterhook_domain::release::ReleaseState::Uploaded
        )
    );
    assert_eq!(
        store.component(&acme, &payment(), &two).await.unwrap(),
        component("two")
    );
}

async fn retire(store: &Store, scope: &tenterhook_domain::Scope, digest: Digest) {
    let retire = Move::Retire(digest);
    store
        .lines
        .apply(scope, &payment(), retire, None, &author("host:retire"), NOW)
        .await
        .unwrap();
}

async fn a_push_and_a_sweep_at_once_leave_no_release_without_its_bytes(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let store = &fixture.store;
    let texts = [
        "1", "2", "3", "4", "5", "6", "7", "8", "9", "10", "11", "12",
    ];
    for text in texts {
        let digest = release(text).digest;
        // As it is after a crash between the two writes of a push.
        store.blobs.put(&digest, component(text)).await.unwrap();
        let (_, discarded) = tokio::join!(publish(store, &acme, text), store.discard(&digest));
        discarded.unwrap();
        assert_eq!(store.blobs.get(&digest).await.unwrap(), component(text));
    }
}

fn only_file(folder: &Path) -> std::path::PathBuf {
    let entries: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    let [entry] = entries.as_slice() else {
        panic!("{} holds {entries:?}", folder.display())
    };
    if entry.is_dir() {
        only_file(entry)
    } else {
        entry.clone()
    }
}
