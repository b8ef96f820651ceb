//! Tenants, environments, and the walls between scopes.

use tenterhook_domain::{Code, Scope, TenantId, rollout::Move};
use tenterhook_store::{Config, Cursor, Written};

use crate::{Fixture, NOW, admit, author, on_every_store, payment, scope};

on_every_store!(
    tenants_and_environments_are_made_once_and_listed_by_name,
    lists_come_in_pages,
    scopes_do_not_see_each_other,
);

async fn tenants_and_environments_are_made_once_and_listed_by_name(fixture: Fixture) {
    let mut fixture = fixture;
    let store = &fixture.store;
    let acme: TenantId = "acme".parse().unwrap();
    let production = scope("acme/production");

    let code = |result: tenterhook_domain::Result<()>| result.unwrap_err().code();
    assert_eq!(
        code(store.tenants.require(&acme).await),
        Code::TenantNotFound
    );
    let orphan = store.environments.put(&production).await.unwrap_err();
    assert_eq!(orphan.code(), Code::TenantNotFound);

    assert_eq!(store.tenants.put(&acme).await.unwrap(), Written::Created);
    assert_eq!(store.tenants.put(&acme).await.unwrap(), Written::Unchanged);
    assert_eq!(
        code(store.environments.require(&production).await),
        Code::EnvironmentNotFound
    );
    for name in ["staging", "production"] {
        let scope = Scope::new(acme.clone(), name.parse().unwrap());
        assert_eq!(
            store.environments.put(&scope).await.unwrap(),
            Written::Created
        );
        assert_eq!(
            store.environments.put(&scope).await.unwrap(),
            Written::Unchanged
        );
    }

    fixture.reopen().await;
    let store = &fixture.store;
    store.environments.require(&production).await.unwrap();
    let names = store
        .environments
        .list(&acme, Cursor::FIRST)
        .await
        .unwrap()
        .items;
    assert_eq!(
        names.iter().map(|name| name.as_str()).collect::<Vec<_>>(),
        ["production", "staging"]
    );
}

async fn lists_come_in_pages(fixture: Fixture) {
    let store = &fixture.store;
    let names: Vec<TenantId> = ["a", "b", "c", "d", "e"].map(|n| n.parse().unwrap()).into();
    for name in &names {
        store.tenants.put(name).await.unwrap();
    }
    let (mut seen, mut pages, mut after) = (Vec::new(), 0, None::<String>);
    loop {
        let cursor = Cursor {
            after: after.as_deref(),
            limit: 2,
        };
        let page = store.tenants.list(cursor).await.unwrap();
        seen.extend(page.items);
        pages += 1;
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    assert_eq!((seen, pages), (names, 3));
}

async fn scopes_do_not_see_each_other(fixture: Fixture) {
    let store = &fixture.store;
    let (acme, globex) = (
        fixture.scope("acme/production").await,
        fixture.scope("globex/production").await,
    );
    let digest = admit(store, &acme, "one").await;
    let promote = async || {
        let (promote, author) = (Move::Promote(digest), author("token:o"));
        let lines = &store.lines;
        lines
            .apply(&globex, &payment(), promote, None, &author, NOW)
            .await
    };
    let config = Config::from([("url".to_owned(), "http://acme.test".to_owned())]);
    store
        .plugins
        .put_config(&acme, &payment(), &config)
        .await
        .unwrap();

    let plugin_codes = [
        store.plugins.get(&globex, &payment()).await.err(),
        store.plugins.snapshot(&globex, &payment()).await.err(),
        store.releases.current(&globex, &payment()).await.err(),
        store.releases.get(&globex, &payment(), &digest).await.err(),
        promote().await.err(),
        store.component(&globex, &payment(), &digest).await.err(),
        store
            .releases
            .list(&globex, &payment(), Cursor::FIRST)
            .await
            .err(),
    ];
    for error in plugin_codes {
        assert_eq!(error.unwrap().code(), Code::PluginNotFound);
    }
    assert!(
        store
            .plugins
            .list(&globex, Cursor::FIRST)
            .await
            .unwrap()
            .items
            .is_empty()
    );

    // The same plugin name elsewhere is another plugin.
    let two = admit(store, &globex, "two").await;
    let snapshot = store.plugins.snapshot(&globex, &payment()).await.unwrap();
    assert_eq!(
        (snapshot.line.current, snapshot.config),
        (Some(two), Config::new())
    );
    let refused = promote().await;
    assert_eq!(refused.unwrap_err().code(), Code::ReleaseNotFound);
}
