//! What no release needs goes; what one needs and is not there is told of.

use bytes::Bytes;
use tenterhook_domain::{Digest, clock::millis, rollout::Move};
use tenterhook_release::ORPHAN_AGE;

use crate::stage::Stage;

#[tokio::test]
async fn a_component_without_a_release_goes_once_it_is_old() {
    let stage = Stage::set().await;
    let kept = stage.release("one").await;
    let orphan = Digest::of(b"orphan");
    let blobs = &stage.store.blobs;
    blobs
        .put(&orphan, Bytes::from_static(b"orphan"))
        .await
        .unwrap();
    let sweep = stage.sweep();
    sweep.components().await.unwrap();
    assert!(blobs.contains(&orphan).await.unwrap(), "its row may come");
    stage.clock.pass(millis(ORPHAN_AGE) + 1_000);
    sweep.components().await.unwrap();
    assert!(!blobs.contains(&orphan).await.unwrap());
    assert!(blobs.contains(&kept).await.unwrap());
    assert!(sweep.missing().borrow().is_empty());
}

/// What was only looked at is compiled, and pushed a minute later or never.
#[tokio::test]
async fn shared_compiled_code_without_a_release_goes_once_it_is_old() {
    let stage = Stage::set().await;
    let kept = stage.release("one").await;
    let looked_at = Digest::of(b"looked at");
    let compiled = &stage.store.compiled;
    for digest in [&kept, &looked_at] {
        let put = compiled.put(digest, "engines", Bytes::from_static(b"code"));
        put.await.unwrap();
    }
    let lies = async |digest| compiled.get(digest, "engines").await.unwrap().is_some();
    stage.sweep().components().await.unwrap();
    assert!(lies(&looked_at).await, "its release may come");
    stage.clock.pass(millis(ORPHAN_AGE) + 1_000);
    stage.sweep().components().await.unwrap();
    assert!(!lies(&looked_at).await);
    assert!(lies(&kept).await);
}

/// The host died between the two.
#[tokio::test]
async fn a_component_that_its_retired_release_left_goes_once_it_is_old() {
    let stage = Stage::set().await;
    let one = stage.release("one").await;
    let two = stage.release("two").await;
    stage.make(Move::Promote(two)).await;
    stage.make(Move::Retire(one)).await;
    let blobs = &stage.store.blobs;
    assert!(blobs.contains(&one).await.unwrap());
    stage.clock.pass(millis(ORPHAN_AGE) + 1_000);
    stage.sweep().components().await.unwrap();
    assert!(!blobs.contains(&one).await.unwrap());
    assert!(blobs.contains(&two).await.unwrap());
    assert!(stage.sweep().missing().borrow().is_empty());
}

#[tokio::test]
async fn a_release_without_its_component_is_told_of() {
    let stage = Stage::set().await;
    let lost = stage.release("one").await;
    stage.store.blobs.delete(&lost).await.unwrap();
    // Twice is once.
    stage.store.blobs.delete(&lost).await.unwrap();
    let sweep = stage.sweep();
    sweep.components().await.unwrap();
    let missing = sweep.missing().borrow().clone();
    assert_eq!(missing.len(), 1);
    assert_eq!(
        (missing[0].digest, &missing[0].plugin),
        (lost, &stage.plugin)
    );
    // The same bytes mend it.
    stage.push("one").await;
    sweep.components().await.unwrap();
    assert!(sweep.missing().borrow().is_empty());
}

#[tokio::test]
async fn compiled_code_goes_with_the_last_release_that_needs_it() {
    let stage = Stage::set().await;
    let one = stage.release("one").await;
    let two = stage.release("two").await;
    let stranger = Digest::of(b"stranger");
    stage.code.0.lock().unwrap().extend([one, two, stranger]);
    stage.sweep().compiled_code().await.unwrap();
    assert_eq!(*stage.code.0.lock().unwrap(), [one, two].into());
    stage.make(Move::Promote(two)).await;
    stage.make(Move::Retire(one)).await;
    stage.sweep().compiled_code().await.unwrap();
    assert_eq!(*stage.code.0.lock().unwrap(), [two].into());
}
