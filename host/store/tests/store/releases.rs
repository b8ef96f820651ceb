//! The life of a release: states, claims, and what the checks found.

use std::collections::BTreeSet;

use tenterhook_domain::{
    Code, Digest, Error,
    check::{Check, Progress},
    release::{Release, ReleaseState},
    replay::ReplayReport,
    rollout::Move,
};
use tenterhook_store::{AuditFilter, Checked, Cursor, Findings, ReleaseKey, Store, Written};

use crate::{
    Fixture, NOW, admit, author, component,
    fixture::{conclude, findings},
    on_every_store, payment, promote, publish, release, scope,
};

on_every_store!(
    the_first_that_passes_is_current_and_a_repetition_changes_nothing,
    a_release_needs_its_scope_and_leaves_no_blob_without_it,
    what_the_checks_found_is_written_down,
    a_claim_is_one_hosts_until_its_time_is_over,
    of_many_hosts_each_release_is_claimed_by_one,
    a_lost_claim_reports_and_concludes_nothing,
    checks_that_ended_half_way_begin_again_and_are_written_down_once,
    what_was_refused_or_retired_is_uploaded_again,
    releases_are_found_by_state_in_pages,
    the_same_push_at_once_is_one_release,
);

async fn the_first_that_passes_is_current_and_a_repetition_changes_nothing(mut fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let (written, uploaded) = publish(&fixture.store, &acme, "one").await;
    assert_eq!(
        (written, uploaded.state),
        (Written::Created, ReleaseState::Uploaded)
    );
    let mut later = release("one");
    later.uploaded_at += 1;
    let again = fixture
        .store
        .publish(&acme, &payment(), &later, component("one"), &author("b"))
        .await
        .unwrap();
    assert_eq!(again, (Written::Unchanged, uploaded));

    let key = claim(&fixture.store, "checker", NOW).await.unwrap();
    let sound = conclude(&fixture.store, &key, &findings(), Checked::Component).await;
    assert_eq!(sound.state, ReleaseState::Checked);
    let first = conclude(&fixture.store, &key, &findings(), Checked::Passed).await;
    assert_eq!(first.state, ReleaseState::Current);
    let second = admit(&fixture.store, &acme, "two").await;
    let get =
        async |store: &Store, digest| store.releases.get(&acme, &payment(), digest).await.unwrap();
    assert_eq!(
        get(&fixture.store, &second).await.state,
        ReleaseState::Ready
    );
    promote(&fixture.store, &acme, second).await;

    fixture.reopen().await;
    let store = &fixture.store;
    let current = store.releases.current(&acme, &payment()).await.unwrap();
    assert_eq!(current, Some(get(store, &second).await));
    let page = store.releases.list(&acme, &payment(), Cursor::FIRST).await;
    let states: Vec<_> = page
        .unwrap()
        .items
        .iter()
        .map(|release| (release.digest, release.state))
        .collect();
    let draining = (first.digest, ReleaseState::Draining);
    assert_eq!(
        states,
        [(second, ReleaseState::Current), draining],
        "newest first"
    );
    let bytes = store.component(&acme, &payment(), &first.digest).await;
    assert_eq!(bytes.unwrap(), component("one"));
}

async fn a_release_needs_its_scope_and_leaves_no_blob_without_it(fixture: Fixture) {
    let (store, new) = (&fixture.store, release("one"));
    let nowhere = scope("acme/production");
    let refused = store
        .publish(&nowhere, &payment(), &new, component("one"), &author("a"))
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::TenantNotFound);
    assert!(!store.blobs.contains(&new.digest).await.unwrap());
}

async fn what_the_checks_found_is_written_down(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    publish(store, &acme, "one").await;
    let key = claim(store, "checker", NOW).await.unwrap();
    let progress = Progress {
        done: 3,
        total: 12,
        now: "compiles".to_owned(),
    };
    assert!(report(store, &key, "checker", &progress).await);
    let get = async || store.releases.get(&acme, &payment(), &key.digest).await;
    assert_eq!(get().await.unwrap().progress, Some(progress));

    let refusal = Error::new(Code::ReplayDiverges, "2 of 3 histories do not replay");
    let found = Findings {
        checks: vec![Check::refused("replay", &refusal)],
        replay: Some(ReplayReport::default()),
        ..findings()
    };
    let refused = conclude(store, &key, &found, Checked::Refused).await;
    let expected = Release {
        digest: key.digest,
        version: Some("1.2.3".to_owned()),
        state: ReleaseState::Refused,
        bytes: 3,
        uploaded_at: NOW,
        origin: "upload".to_owned(),
        metadata: found.metadata,
        checks: found.checks,
        replay: found.replay,
        progress: None,
        double_run: None,
    };
    assert_eq!(refused, expected);
    assert_eq!(get().await.unwrap(), expected);
    assert!(!store.releases.needs(&key.digest).await.unwrap());
}

async fn a_claim_is_one_hosts_until_its_time_is_over(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    assert_eq!(claim(store, "a", NOW).await, None, "nothing waits");
    let (_, one) = publish(store, &acme, "one").await;
    let (_, two) = publish(store, &acme, "two").await;
    let digest_of = |key: Option<ReleaseKey>| key.map(|key| key.digest);

    let other = fixture.another_host().await;
    let first = claim(store, "a", NOW).await;
    let expected = ReleaseKey {
        scope: acme.clone(),
        plugin: payment(),
        digest: one.digest,
    };
    assert_eq!(first, Some(expected), "the longest waiting first");
    assert_eq!(
        digest_of(claim(&other, "b", NOW).await),
        Some(two.digest),
        "what is claimed is passed over"
    );
    assert_eq!(claim(&other, "c", NOW).await, None);
    assert_eq!(
        claim(&other, "c", NOW + LEASE).await,
        None,
        "at its end it still holds"
    );

    // Host a reports and so holds its claim; b died.
    assert!(report_at(store, &first.unwrap(), "a", NOW + 2 * LEASE).await);
    let given_on = claim(&other, "c", NOW + LEASE + 1).await;
    assert_eq!(digest_of(given_on), Some(two.digest));
    assert_eq!(claim(&other, "c", NOW + LEASE + 1).await, None);
}

async fn of_many_hosts_each_release_is_claimed_by_one(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let texts = ["1", "2", "3", "4", "5", "6", "7", "8", "9", "10"];
    for text in texts {
        publish(&fixture.store, &acme, text).await;
    }
    let other = fixture.another_host().await;
    let mut hosts = tokio::task::JoinSet::new();
    for number in 0..6 {
        let store = [&fixture.store, &other][number % 2].clone();
        hosts.spawn(async move {
            let mut claimed = Vec::new();
            while let Some(key) = claim(&store, &format!("host-{number}"), NOW).await {
                claimed.push(key.digest);
            }
            claimed
        });
    }
    let claimed: Vec<Digest> = hosts.join_all().await.concat();
    assert_eq!(claimed.len(), texts.len(), "none twice");
    let claimed: BTreeSet<Digest> = claimed.into_iter().collect();
    assert_eq!(claimed.len(), texts.len());
}

async fn a_lost_claim_reports_and_concludes_nothing(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    publish(store, &acme, "one").await;
    let key = claim(store, "slow", NOW).await.unwrap();
    let taken = claim(store, "checker", NOW + LEASE + 1).await;
    assert_eq!(taken.as_ref(), Some(&key));

    assert!(!report_at(store, &key, "slow", NOW + 9 * LEASE).await);
    for checked in [Checked::Component, Checked::Passed, Checked::Refused] {
        let conclusion = store
            .releases
            .conclude(&key, "slow", &findings(), checked, &author("slow"), NOW)
            .await;
        assert_eq!(conclusion.unwrap_err().code(), Code::ReleaseStateConflict);
    }
    let untouched = store.releases.get(&acme, &payment(), &key.digest).await;
    let untouched = untouched.unwrap();
    assert_eq!(untouched.state, ReleaseState::Uploaded);
    assert_eq!((untouched.version, untouched.progress), (None, None));

    // A conclusion that the state does not allow leaves no findings behind either.
    let early = store
        .releases
        .conclude(
            &key,
            "checker",
            &findings(),
            Checked::Passed,
            &author("x"),
            NOW,
        )
        .await;
    assert_eq!(early.unwrap_err().code(), Code::ReleaseStateConflict);
    let untouched = store.releases.get(&acme, &payment(), &key.digest).await;
    assert_eq!(untouched.unwrap().version, None);

    conclude(store, &key, &findings(), Checked::Component).await;
    conclude(store, &key, &findings(), Checked::Passed).await;
    assert!(
        !report_at(store, &key, "checker", NOW + 9 * LEASE).await,
        "a conclusion ends the claim"
    );
}

async fn checks_that_ended_half_way_begin_again_and_are_written_down_once(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let (_, one) = publish(store, &acme, "one").await;
    let key = claim(store, "dies", NOW).await.unwrap();
    let sound = Checked::Component;
    let checked = store
        .releases
        .conclude(&key, "dies", &findings(), sound, &author("dies"), NOW)
        .await;
    assert_eq!(checked.unwrap().state, ReleaseState::Checked);
    // Its histories were still to be replayed.
    assert_eq!(claim(store, "checker", NOW).await, None);
    let taken_up = claim(store, "checker", NOW + LEASE + 1).await;
    assert_eq!(taken_up.as_ref(), Some(&key));
    let again = conclude(store, &key, &findings(), Checked::Component).await;
    assert_eq!(again.state, ReleaseState::Checked);
    let first = conclude(store, &key, &findings(), Checked::Passed).await;
    assert_eq!(
        (first.digest, first.state),
        (one.digest, ReleaseState::Current)
    );
    let log = store.audit.entries(AuditFilter::default(), Cursor::FIRST);
    let log = log.await.unwrap().items.into_iter().rev();
    let steps: Vec<_> = log.map(|entry| entry.detail).collect();
    let expected = [
        "upload",
        "uploaded → checked",
        "checked → ready",
        "ready → current",
    ];
    assert_eq!(steps, expected);
}

async fn what_was_refused_or_retired_is_uploaded_again(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    publish(store, &acme, "bad").await;
    let key = claim(store, "checker", NOW).await.unwrap();
    conclude(store, &key, &findings(), Checked::Refused).await;
    assert_eq!(claim(store, "checker", NOW).await, None);
    let (written, again) = publish(store, &acme, "bad").await;
    assert_eq!(written, Written::Created);
    let fresh = Release {
        digest: key.digest,
        version: None,
        state: ReleaseState::Uploaded,
        bytes: 3,
        uploaded_at: NOW,
        origin: "upload".to_owned(),
        metadata: tenterhook_domain::component::Metadata::default(),
        checks: Vec::new(),
        replay: None,
        progress: None,
        double_run: None,
    };
    assert_eq!(again, fresh, "nothing is left of what was found");
    assert_eq!(claim(store, "checker", NOW).await, Some(key.clone()));
    conclude(store, &key, &findings(), Checked::Component).await;
    conclude(store, &key, &findings(), Checked::Passed).await;

    let two = admit(store, &acme, "two").await;
    promote(store, &acme, two).await;
    let retire = Move::Retire(key.digest);
    let retired = store
        .lines
        .apply(&acme, &payment(), retire, None, &author("host:retire"), NOW)
        .await;
    retired.unwrap();
    let (written, again) = publish(store, &acme, "bad").await;
    assert_eq!((written, again), (Written::Created, fresh));
    let (line, _) = store.lines.line(&acme, &payment()).await.unwrap();
    assert_eq!((line.current, line.previous), (Some(two), None));
}

async fn releases_are_found_by_state_in_pages(fixture: Fixture) {
    let store = &fixture.store;
    let scopes = [
        fixture.scope("acme/production").await,
        fixture.scope("globex/production").await,
    ];
    let mut expected = Vec::new();
    for text in ["1", "2", "3"] {
        for scope in &scopes {
            let (_, release) = publish(store, scope, text).await;
            expected.push((scope.clone(), release.digest));
        }
    }
    let list = async |state, after: Option<&str>| {
        let cursor = Cursor { after, limit: 4 };
        store.releases.in_state(state, cursor).await
    };
    let first = list(ReleaseState::Uploaded, None).await.unwrap();
    let second = list(ReleaseState::Uploaded, first.next.as_deref())
        .await
        .unwrap();
    assert_eq!(
        (first.items.len(), second.items.len(), second.next),
        (4, 2, None)
    );
    let seen: Vec<_> = [first.items, second.items]
        .concat()
        .into_iter()
        .map(|(key, since)| {
            assert_eq!(since, NOW);
            (key.scope, key.digest)
        })
        .collect();
    assert_eq!(seen, expected);
    assert!(
        list(ReleaseState::Ready, None)
            .await
            .unwrap()
            .items
            .is_empty()
    );
    let refused = list(ReleaseState::Uploaded, Some("x")).await.unwrap_err();
    assert_eq!(refused.code(), Code::RequestInvalid);
}

async fn the_same_push_at_once_is_one_release(fixture: Fixture) {
    let acme = fixture.scope("acme/production").await;
    let other = fixture.another_host().await;
    let mut tasks = tokio::task::JoinSet::new();
    for number in 0..8 {
        let (store, acme) = ([&fixture.store, &other][number % 2].clone(), acme.clone());
        tasks.spawn(async move { publish(&store, &acme, "one").await });
    }
    let answers = tasks.join_all().await;
    let created = answers
        .iter()
        .filter(|(written, _)| *written == Written::Created);
    assert_eq!(created.count(), 1);
    assert!(answers.iter().all(|(_, release)| *release == answers[0].1));
}

/// How long the claims of these tests last, in milliseconds.
const LEASE: u64 = 15_000;

async fn claim(store: &Store, host: &str, now: u64) -> Option<ReleaseKey> {
    store.releases.claim(host, now + LEASE, now).await.unwrap()
}

async fn report(store: &Store, key: &ReleaseKey, host: &str, progress: &Progress) -> bool {
    let reported = store
        .releases
        .report(key, host, progress, NOW + LEASE)
        .await;
    reported.unwrap()
}

async fn report_at(store: &Store, key: &ReleaseKey, host: &str, until: u64) -> bool {
    let progress = Progress {
        done: 0,
        total: 1,
        now: "component".to_owned(),
    };
    let reported = store.releases.report(key, host, &progress, until).await;
    reported.unwrap()
}
