//! Users and what they come in with.

use std::sync::Arc;

use musebox::db::{
    ApiToken, HouseOf, Invitation, News, Role, Session, SetupLink, Store, StoreError, User,
};
use serde_json::json;

use crate::{
    houses::heard,
    samples::{NOW, new_house, user, with_house, with_user},
};

pub async fn addresses_are_unique_whatever_their_case(store: Arc<dyn Store>) {
    let anna = User {
        email: "Änna@Example.org".to_owned(),
        ..user("u1")
    };
    store.create_user(&anna).await.unwrap();
    let same = User {
        email: "äNNA@example.ORG".to_owned(),
        ..user("u2")
    };
    let taken = store.create_user(&same).await;
    assert!(matches!(
        taken,
        Err(StoreError::Taken {
            what: "e-mail address"
        })
    ));
    let found = store.user_by_email("ÄNNA@EXAMPLE.ORG").await.unwrap();
    assert_eq!(found, Some(anna));
    assert_eq!(store.user_by_email("anna@example.org").await.unwrap(), None);
}

pub async fn a_user_is_changed_and_taken_away(store: Arc<dyn Store>) {
    with_user(&store, "u1").await;
    with_user(&store, "u2").await;
    let changed = User {
        email: "new@example.org".to_owned(),
        password_hash: "another".to_owned(),
        ..user("u1")
    };
    store.update_user(&changed).await.unwrap();
    assert_eq!(store.user("u1").await.unwrap(), Some(changed.clone()));
    let taken = User {
        email: "U2@example.org".to_owned(),
        ..changed.clone()
    };
    let answer = store.update_user(&taken).await;
    assert!(matches!(answer, Err(StoreError::Taken { .. })));
    assert_eq!(store.users().await.unwrap(), [changed, user("u2")]);
    store.delete_user("u1").await.unwrap();
    assert_eq!(store.user("u1").await.unwrap(), None);
    let answer = store.delete_user("u1").await;
    assert!(matches!(answer, Err(StoreError::NotFound { what: "user" })));
    let answer = store.update_user(&user("u1")).await;
    assert!(matches!(answer, Err(StoreError::NotFound { what: "user" })));
}

pub async fn members_have_roles(store: Arc<dyn Store>) {
    for id in ["u1", "u2"] {
        with_user(&store, id).await;
    }
    let mut house = new_house("h1");
    house.owner = Some("u1".to_owned());
    store.create_house(&house).await.unwrap();
    with_house(&store, "h2").await;
    assert_eq!(store.role("u1", "h1").await.unwrap(), Some(Role::Owner));
    assert_eq!(store.role("u2", "h1").await.unwrap(), None);
    store.set_member("u2", "h1", Role::Viewer).await.unwrap();
    store.set_member("u2", "h1", Role::Editor).await.unwrap();
    assert_eq!(store.role("u2", "h1").await.unwrap(), Some(Role::Editor));
    assert_eq!(store.role("u2", "h2").await.unwrap(), None);
    let members = store.members("h1").await.unwrap();
    let roles: Vec<_> = members
        .iter()
        .map(|one| (one.user.as_str(), one.role))
        .collect();
    assert_eq!(roles, [("u1", Role::Owner), ("u2", Role::Editor)]);
    assert_eq!(
        store.houses_of("u2").await.unwrap(),
        [HouseOf {
            id: "h1".to_owned(),
            rev: 1,
            role: Role::Editor,
            body: json!({"name": "Gallery", "volume": 0.8}),
        }]
    );
    store.remove_member("u2", "h1").await.unwrap();
    assert_eq!(store.houses_of("u2").await.unwrap(), []);
    let again = store.remove_member("u2", "h1").await;
    assert!(matches!(
        again,
        Err(StoreError::NotFound { what: "member" })
    ));
    for (user, house) in [("nobody", "h1"), ("u1", "nowhere")] {
        let answer = store.set_member(user, house, Role::Viewer).await;
        assert!(matches!(answer, Err(StoreError::NotFound { .. })));
    }
}

pub async fn a_house_keeps_an_owner(store: Arc<dyn Store>) {
    for id in ["u1", "u2"] {
        with_user(&store, id).await;
    }
    let mut house = new_house("h1");
    house.owner = Some("u1".to_owned());
    store.create_house(&house).await.unwrap();
    store.set_member("u2", "h1", Role::Editor).await.unwrap();
    for answer in [
        store.remove_member("u1", "h1").await,
        store.set_member("u1", "h1", Role::Editor).await,
        store.delete_user("u1").await,
    ] {
        assert!(matches!(answer, Err(StoreError::Conflict)), "{answer:?}");
    }
    store.set_member("u2", "h1", Role::Owner).await.unwrap();
    store.delete_user("u1").await.unwrap();
    assert_eq!(store.members("h1").await.unwrap().len(), 1);
}

pub async fn two_owners_cannot_leave_at_once(store: Arc<dyn Store>) {
    for round in 0..10 {
        let house = format!("h{round}");
        with_house(&store, &house).await;
        let users = [format!("a{round}"), format!("b{round}")];
        for user in &users {
            with_user(&store, user).await;
            store.set_member(user, &house, Role::Owner).await.unwrap();
        }
        let (one, other) = tokio::join!(
            store.remove_member(&users[0], &house),
            store.remove_member(&users[1], &house)
        );
        assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
        assert_eq!(store.members(&house).await.unwrap().len(), 1);
    }
}

pub async fn sessions_end(store: Arc<dyn Store>) {
    with_user(&store, "u1").await;
    let session = |token: &str| Session {
        token_hash: token.to_owned(),
        user: "u1".to_owned(),
        csrf: "csrf".to_owned(),
        made: NOW,
        expires: NOW + 100,
    };
    for token in ["t1", "t2", "t3", "t4"] {
        store.create_session(&session(token)).await.unwrap();
    }
    let nobodys = Session {
        user: "nobody".to_owned(),
        ..session("t5")
    };
    let answer = store.create_session(&nobodys).await;
    assert!(matches!(answer, Err(StoreError::NotFound { what: "user" })));
    assert_eq!(
        store.session("t1", NOW + 99).await.unwrap(),
        Some(session("t1"))
    );
    assert_eq!(store.session("t1", NOW + 100).await.unwrap(), None);
    store.delete_session("t2").await.unwrap();
    store.delete_session("t2").await.unwrap();
    assert_eq!(store.session("t2", NOW).await.unwrap(), None);
    store.delete_sessions_of("u1").await.unwrap();
    for token in ["t1", "t3", "t4"] {
        assert_eq!(store.session(token, NOW).await.unwrap(), None, "{token}");
    }
    store.create_session(&session("t6")).await.unwrap();
    store.delete_user("u1").await.unwrap();
    assert_eq!(store.session("t6", NOW).await.unwrap(), None);
}

pub async fn api_tokens_are_revoked_and_go_with_their_user(store: Arc<dyn Store>) {
    with_user(&store, "u1").await;
    with_house(&store, "h1").await;
    let token = |id: &str, user: Option<&str>, house: Option<&str>| ApiToken {
        id: id.to_owned(),
        secret_hash: format!("hash-{id}"),
        name: "backup script".to_owned(),
        user: user.map(str::to_owned),
        house: house.map(str::to_owned),
        role: Role::Editor,
        made: NOW,
        last_used: None,
        revoked: None,
    };
    let own = token("t1", Some("u1"), None);
    let for_house = token("t2", Some("u1"), Some("h1"));
    let of_server = token("t3", None, None);
    for each in [&own, &for_house, &of_server] {
        store.create_api_token(each).await.unwrap();
    }
    let taken = store.create_api_token(&own).await;
    assert!(matches!(taken, Err(StoreError::Taken { .. })));
    let nowhere = store.create_api_token(&token("t4", None, Some("h9"))).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));
    assert_eq!(store.api_token("hash-t1").await.unwrap(), Some(own.clone()));
    assert_eq!(
        store.api_tokens(Some("u1")).await.unwrap(),
        [own, for_house]
    );
    assert_eq!(store.api_tokens(None).await.unwrap(), [of_server]);
    store.touch_api_token("t1", NOW + 5).await.unwrap();
    store.revoke_api_token("t1", NOW + 6).await.unwrap();
    assert_eq!(store.api_token("hash-t1").await.unwrap(), None);
    let kept = &store.api_tokens(Some("u1")).await.unwrap()[0];
    assert_eq!(
        (kept.last_used, kept.revoked),
        (Some(NOW + 5), Some(NOW + 6))
    );
    let again = store.revoke_api_token("t1", NOW + 7).await;
    assert!(matches!(again, Err(StoreError::NotFound { .. })));
    store.delete_house("h1", None).await.unwrap();
    assert_eq!(store.api_token("hash-t2").await.unwrap(), None);
    store.delete_user("u1").await.unwrap();
    assert_eq!(store.api_tokens(Some("u1")).await.unwrap(), []);
}

pub async fn a_set_up_link_is_good_once(store: Arc<dyn Store>) {
    let link = SetupLink {
        token_hash: "link".to_owned(),
        expires: NOW + 100,
    };
    store.create_setup_link(&link).await.unwrap();
    assert!(store.setup_link_is_good("link", NOW).await.unwrap());
    assert!(!store.setup_link_is_good("link", NOW + 100).await.unwrap());
    assert!(!store.setup_link_is_good("other", NOW).await.unwrap());
    let operator = user("u1");
    let mut house = new_house("h1");
    house.owner = Some("nobody".to_owned());
    // What goes wrong leaves nothing, and the link as good as before.
    assert!(store.set_up("link", &operator, &house).await.is_err());
    assert!(store.setup_link_is_good("link", NOW).await.unwrap());
    assert_eq!(store.users().await.unwrap(), []);
    house.owner = Some("u1".to_owned());
    let late = User {
        made: NOW + 100,
        ..operator.clone()
    };
    let answer = store.set_up("link", &late, &house).await;
    assert!(matches!(answer, Err(StoreError::Conflict)));
    store.set_up("link", &operator, &house).await.unwrap();
    assert_eq!(store.role("u1", "h1").await.unwrap(), Some(Role::Owner));
    assert!(!store.setup_link_is_good("link", NOW).await.unwrap());
    let again = store.set_up("link", &user("u2"), &new_house("h2")).await;
    assert!(matches!(again, Err(StoreError::Conflict)));
    assert_eq!(store.houses().await.unwrap(), ["h1"]);
}

pub async fn a_newer_set_up_link_replaces_the_one_before(store: Arc<dyn Store>) {
    for token in ["first", "second"] {
        let link = SetupLink {
            token_hash: token.to_owned(),
            expires: NOW + 100,
        };
        store.create_setup_link(&link).await.unwrap();
    }
    assert!(!store.setup_link_is_good("first", NOW).await.unwrap());
    assert!(store.setup_link_is_good("second", NOW).await.unwrap());
}

fn invitation(token: &str, email: &str, role: Role) -> Invitation {
    Invitation {
        token_hash: token.to_owned(),
        house: "h1".to_owned(),
        email: email.to_owned(),
        role,
        expires: NOW + 100,
    }
}

pub async fn an_invitation_makes_a_member_once(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    let nowhere = Invitation {
        house: "h9".to_owned(),
        ..invitation("x", "x@example.org", Role::Viewer)
    };
    let nowhere = store.create_invitation(&nowhere).await;
    assert!(matches!(nowhere, Err(StoreError::NotFound { .. })));

    // A newer one to the same address, whatever the case of its letters, is the one that counts.
    let first = invitation("first", "U1@example.org", Role::Owner);
    store.create_invitation(&first).await.unwrap();
    let newer = invitation("newer", "u1@Example.org", Role::Editor);
    store.create_invitation(&newer).await.unwrap();
    assert_eq!(store.invitation("first", NOW).await.unwrap(), None);
    assert_eq!(store.invitation("newer", NOW).await.unwrap(), Some(newer));
    assert_eq!(store.invitation("newer", NOW + 100).await.unwrap(), None);

    // Nobody has the address: what goes wrong leaves the link as good as before.
    let nobody = store.accept_invitation("newer", NOW, None).await;
    assert!(
        matches!(nobody, Err(StoreError::NotFound { .. })),
        "{nobody:?}"
    );
    let late = store
        .accept_invitation("newer", NOW + 100, Some(&user("u1")))
        .await;
    assert!(matches!(late, Err(StoreError::Conflict)), "{late:?}");
    assert_eq!(store.users().await.unwrap(), []);
    let come = |user| {
        let store = Arc::clone(&store);
        async move { store.accept_invitation("newer", NOW, Some(&user)).await }
    };
    // The link is used twice at once.
    let (one, other) = tokio::join!(come(user("u1")), come(user("u1")));
    assert!(one.is_ok() != other.is_ok(), "{one:?} {other:?}");
    assert_eq!(store.role("u1", "h1").await.unwrap(), Some(Role::Editor));
    assert_eq!(store.invitation("newer", NOW).await.unwrap(), None);

    // A member stays what they are, and somebody known needs no new account.
    let less = invitation("less", "u1@example.org", Role::Viewer);
    store.create_invitation(&less).await.unwrap();
    store.accept_invitation("less", NOW, None).await.unwrap();
    assert_eq!(store.role("u1", "h1").await.unwrap(), Some(Role::Editor));

    let old = invitation("old", "u2@example.org", Role::Viewer);
    store.create_invitation(&old).await.unwrap();
    store.prune(NOW + 100).await.unwrap();
    assert_eq!(store.invitation("old", NOW).await.unwrap(), None);
}

pub async fn a_loss_of_rights_is_heard(store: Arc<dyn Store>) {
    with_house(&store, "h1").await;
    with_user(&store, "u1").await;
    store.set_member("u1", "h1", Role::Viewer).await.unwrap();
    let session = Session {
        token_hash: "cookie".to_owned(),
        user: "u1".to_owned(),
        csrf: "csrf".to_owned(),
        made: NOW,
        expires: NOW + 1,
    };
    store.create_session(&session).await.unwrap();
    let mut news = store.listen();
    let mut heard = async || heard(&mut news, News::People).await;
    store.set_member("u1", "h1", Role::Editor).await.unwrap();
    heard().await;
    store.delete_session("cookie").await.unwrap();
    heard().await;
    store.delete_sessions_of("u1").await.unwrap();
    heard().await;
    store.remove_member("u1", "h1").await.unwrap();
    heard().await;
}
