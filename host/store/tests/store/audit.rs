//! The audit log.

use sqlx::{Connection as _, PgConnection, SqliteConnection};
use tenterhook_domain::{
    Code, Digest, PluginName, Scope, audit::AuditEntry, double_run::DoubleRunFinding,
    policy::ReleasePolicy,
};
use tenterhook_store::{AuditFilter, Cursor, ReleaseKey, Store};

use crate::{Fixture, NOW, admit, author, component, on_every_store, payment, promote, release};

on_every_store!(
    every_step_is_written_down_with_its_author,
    the_log_is_filtered_and_comes_in_pages,
    what_a_double_run_finds_is_kept_and_told_once,
    it_only_grows_also_for_who_goes_around_the_store,
);

async fn entries(store: &Store, filter: AuditFilter<'_>) -> Vec<AuditEntry> {
    let page = store.audit.entries(filter, Cursor::FIRST).await.unwrap();
    assert_eq!(page.next, None);
    page.items
}

async fn every_step_is_written_down_with_its_author(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let one = admit(store, &acme, "one").await;
    let two = admit(store, &acme, "two").await;
    promote(store, &acme, two).await;
    let log = entries(store, AuditFilter::default()).await;
    let words: Vec<_> = log
        .iter()
        .map(|entry| {
            let text = if entry.digest == Some(one) {
                "one"
            } else {
                "two"
            };
            format!(
                "{} {} {text} {}",
                entry.author.who, entry.action, entry.detail
            )
        })
        .rev()
        .collect();
    assert_eq!(
        words,
        [
            "token:a upload one upload".to_owned(),
            "host:checks state one uploaded → checked".to_owned(),
            "host:checks state one checked → ready".to_owned(),
            "host:checks state one ready → current".to_owned(),
            "token:a upload two upload".to_owned(),
            "host:checks state two uploaded → checked".to_owned(),
            "host:checks state two checked → ready".to_owned(),
            "token:o state one current → draining".to_owned(),
            "token:o state two ready → current".to_owned(),
            format!("token:o promote two {one} → {two}"),
        ]
    );
    let newest = &log[0];
    assert_eq!(newest.author, author("token:o"));
    assert_eq!(
        (
            newest.at,
            newest.tenant.as_ref(),
            &newest.environment,
            &newest.plugin
        ),
        (
            NOW,
            Some(&acme.tenant),
            &Some(acme.environment.clone()),
            &Some(payment())
        )
    );
    assert!(log.windows(2).all(|pair| pair[0].number > pair[1].number));
}

async fn the_log_is_filtered_and_comes_in_pages(fixture: Fixture) {
    let store = &fixture.store;
    let acme = fixture.scope("acme/production").await;
    let staging = fixture.scope("acme/staging").await;
    let billing: PluginName = "billing".parse().unwrap();
    let mut uploads: Vec<(Scope, PluginName, Digest)> = Vec::new();
    for scope in [&acme, &staging] {
        for plugin in [&payment(), &billing] {
            for text in ["1", "2"] {
                let (new, who) = (release(text), author("token:a"));
                let bytes = component(text);
                let stored = store.publish(scope, plugin, &new, bytes, &who).await;
                uploads.push((scope.clone(), plugin.clone(), stored.unwrap().1.digest));
            }
        }
    }
    uploads.reverse();
    let digest = release("1").digest;
    for scope in [None, Some(&acme)] {
        for plugin in [None, Some(&billing)] {
            for digest in [None, Some(&digest)] {
                let filter = AuditFilter {
                    scope,
                    plugin,
                    digest,
                };
                let seen: Vec<_> = entries(store, filter)
                    .await
                    .into_iter()
                    .map(|entry| {
                        let scope = Scope::new(entry.tenant.unwrap(), entry.environment.unwrap());
                        (scope, entry.plugin.unwrap(), entry.digest.unwrap())
                    })
                    .collect();
                let expected: Vec<_> = uploads
                    .iter()
                    .filter(|upload| scope.is_none_or(|scope| *scope == upload.0))
                    .filter(|upload| plugin.is_none_or(|plugin| *plugin == upload.1))
                    .filter(|upload| digest.is_none_or(|digest| *digest == upload.2))
                    .cloned()
                    .collect();
                assert_eq!(seen, expected, "{filter:?}");
            }
        }
    }

    let all = entries(store, AuditFilter::default()).await;
    let (mut seen, mut after) = (Vec::new(), None::<String>);
    for size in [3, 3, 2] {
        let cursor = Cursor {
            after: after.as_deref(),
            limit: 3,
        };
        let page = store.audit.entries(AuditFilter::default(), cursor).await;
        let page = page.unwrap();
        assert_eq!(page.items.len(), size);
        // What comes in meanwhile is newer, and moves no page.
        let policy = ReleasePolicy::default();
        let put = store
            .plugins
            .put_policy(&acme, &billing, &policy, &author("x"), NOW)
            .await;
        put.unwrap();
        seen.extend(page.items);
        after = page.next;
    }
    assert_eq!((seen, after), (all, None));
    let cursor = Cursor {
        after: Some("x"),
        limit: 1,
    };
    let refused = store.audit.entries(AuditFilter::default(), cursor).await;
    assert_eq!(refused.unwrap_err().code(), Code::RequestInvalid);
}

async fn what_a_double_run_finds_is_kept_and_told_once(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    let digest = admit(store, &acme, "one").await;
    let key = ReleaseKey {
        scope: acme.clone(),
        plugin: payment(),
        digest,
    };
    let finding = |run: &str| DoubleRunFinding {
        code: DoubleRunFinding::CODE.as_str().to_owned(),
        found_at: NOW,
        workflow_type: "Pay".to_owned(),
        workflow_id: "p-1".to_owned(),
        run_id: run.to_owned(),
        activation: 2,
        command: 1,
        expected: "StartTimer 1.000 s".to_owned(),
        actual: "StartTimer 2.000 s".to_owned(),
    };
    let who = author("host:double-run");
    for (run, is_first) in [("r-1", true), ("r-2", false)] {
        let found = finding(run);
        let noted = store.releases.note_double_run(&key, &found, &who);
        assert_eq!(noted.await.unwrap(), is_first, "{run}");
    }
    let kept = store.releases.get(&acme, &payment(), &digest).await;
    assert_eq!(kept.unwrap().double_run, Some(finding("r-1")));
    let log = entries(store, AuditFilter::default()).await;
    let told: Vec<_> = log
        .iter()
        .filter(|entry| entry.action == "non-deterministic")
        .collect();
    let [told] = told[..] else {
        panic!("{log:?}");
    };
    assert_eq!(told.author, who);
    assert_eq!(told.digest, Some(digest));
    assert!(told.detail.contains("StartTimer 2.000 s"), "{told:?}");

    // Of a release that is not there nothing is kept.
    let stranger = ReleaseKey {
        digest: Digest::of(b"nobody's"),
        ..key
    };
    let found = finding("r-3");
    let noted = store.releases.note_double_run(&stranger, &found, &who);
    assert!(!noted.await.unwrap());
}

/// What the database of a store says to a statement that does not come from the store.
async fn by_hand(url: &str, statement: &'static str) -> Result<u64, String> {
    let said = |error: sqlx::Error| error.to_string();
    if url.starts_with("sqlite:") {
        let mut connection = SqliteConnection::connect(url).await.unwrap();
        let done = sqlx::query(statement).execute(&mut connection).await;
        done.map(|done| done.rows_affected()).map_err(said)
    } else {
        let mut connection = PgConnection::connect(url).await.unwrap();
        let done = sqlx::query(statement).execute(&mut connection).await;
        done.map(|done| done.rows_affected()).map_err(said)
    }
}

async fn it_only_grows_also_for_who_goes_around_the_store(fixture: Fixture) {
    let (store, acme) = (&fixture.store, fixture.scope("acme/production").await);
    admit(store, &acme, "one").await;
    let before = entries(store, AuditFilter::default()).await;
    let url = &fixture.config.database;
    for statement in ["UPDATE audit SET who = 'nobody'", "DELETE FROM audit"] {
        let refused = by_hand(url, statement).await.unwrap_err();
        let why = "the audit log is only appended to";
        assert!(refused.contains(why), "{statement}: {refused}");
    }
    assert_eq!(entries(store, AuditFilter::default()).await, before);
    // It is the log that refuses, not the database.
    let changed = by_hand(url, "UPDATE tenants SET tenant = tenant").await;
    assert_eq!(changed, Ok(1));
}
