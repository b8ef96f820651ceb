//! Tenants, environments, and the walls between scopes.

use tenterhook_domain::{Code, Digest, Scope, TenantId};
use tenterhook_store::{Config, Cursor, Store, Written};

use crate::{Fixture, fixture, payment, publish, scope, with_scopes};

#[tokio::test]
async fn tenants_and_environments_are_made_once_and_listed_by_name() {
    let Fixture { store, folder } = fixture().await;
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

    store.database.close().await;
    let store = Store::open(folder.path()).await.unwrap();
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

#[tokio::test]
async fn lists_come_in_pages() {
    let Fixture {
        store,
        folder: _folder,
    } = fixture().await;
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

#[tokio::test]
async fn scopes_do_not_see_each_other() {
    let (
        Fixture {
            store,
            folder: _folder,
        },
        acme,
        globex,
    ) = with_scopes().await;
    let (_, release) = publish(&store, &acme, b"one").await;
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
        store
            .releases
            .get(&globex, &payment(), &release.digest)
            .await
            .err(),
        store
            .releases
            .set_current(&globex, &payment(), &release.digest)
            .await
            .err(),
        store
            .component(&globex, &payment(), &release.digest)
            .await
            .err(),
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
    publish(&store, &globex, b"two").await;
    let snapshot = store.plugins.snapshot(&globex, &payment()).await.unwrap();
    assert_eq!(
        (snapshot.current, snapshot.config),
        (Some(Digest::of(b"two")), Config::new())
    );
    let refused = store
        .releases
        .set_current(&globex, &payment(), &release.digest)
        .await;
    assert_eq!(refused.unwrap_err().code(), Code::ReleaseNotFound);
}
