// SPDX-License-Identifier: Apache-2.0

//! Which scope is asked for when the registry wants another one than we guessed.

use super::*;
use crate::registry::Kind;

/// The scopes that a token server was asked for, in the order of the requests.
fn scopes(server: &TokenServer) -> Vec<String> {
    let scope = |asked: Asked| {
        url::form_urlencoded::parse(asked.query.as_bytes())
            .filter(|(name, _)| name == "scope")
            .map(|(_, scope)| scope.into_owned())
            .collect::<Vec<_>>()
            .join(" ")
    };
    server.asked().into_iter().map(scope).collect()
}

impl TokenServer {
    fn challenge_for(&self, scope: &str) -> HeaderMap {
        let address = &self.address;
        challenge(&format!(
            r#"Bearer realm="http://{address}/token",service="s",scope="{scope}""#
        ))
    }
}

fn of(actions: &str) -> Scope {
    Scope::of(&"team/a".parse::<Repository>().unwrap(), actions)
}

/// What we want, what the challenge demands, and what is asked for.
#[tokio::test]
async fn as_little_as_possible_is_asked_otherwise_than_we_would() {
    let a = "repository:team/a";
    let cases = [
        ("the same", "pull", "repository:team/a:pull", "pull"),
        (
            "less, as GHCR says",
            "pull,push",
            "repository:team/a:pull",
            "pull,push",
        ),
        (
            "another order",
            "pull,push",
            "repository:team/a:push,pull",
            "pull,push",
        ),
        ("another right", "delete", "repository:team/a:push", "push"),
        (
            "several rights",
            "delete",
            "repository:team/a:pull,push",
            "pull,push",
        ),
        (
            "more than is needed",
            "pull",
            "repository:team/a:pull,push,delete",
            "pull",
        ),
        (
            "something else",
            "pull",
            "repository:user/image:pull",
            "pull",
        ),
        ("everything", "pull", "registry:catalog:*", "pull"),
    ];
    for (name, ours, demanded, expected) in cases {
        let server = TokenServer::start([grant("t")]).await;
        let registry = server.registry(user());
        let answer = registry
            .challenged(&server.challenge_for(demanded), &of(ours), None)
            .await;
        assert_eq!(said(&answer.unwrap()), "Bearer t", "{name}");
        assert_eq!(scopes(&server), [format!("{a}:{expected}")], "{name}");
    }
}

#[tokio::test]
async fn a_name_that_a_proxy_gives_is_the_one_to_ask_for() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let demanded = "repository:proxy/team/a:pull";
    registry
        .challenged(&server.challenge_for(demanded), &of("pull"), None)
        .await
        .unwrap();
    pass(55).await;
    let later = registry.authorization(&of("pull")).await.unwrap();
    assert_eq!(said(&later.unwrap()), "Bearer t2");
    assert_eq!(scopes(&server), [demanded, demanded], "it is remembered");
}

/// A token server that knows no right to delete refuses the guess; then the registry says what it wants.
#[tokio::test]
async fn a_guess_that_is_refused_waits_for_what_the_registry_says() {
    for (refusal, credential) in [
        (400, user()),
        (401, user()),
        (403, user()),
        (404, user()),
        (401, Credential::Anonymous),
    ] {
        let server = TokenServer::start([grant("t1"), status(refusal), grant("t2")]).await;
        let registry = server.registry(credential);
        let first = server.challenge_for("repository:team/a:pull");
        registry
            .challenged(&first, &of("pull"), None)
            .await
            .unwrap();
        for _ in 0..2 {
            let guess = registry.authorization(&of("delete")).await.unwrap();
            assert!(guess.is_none(), "{refusal}");
        }
        let second = server.challenge_for("repository:team/a:push");
        let answer = registry.challenged(&second, &of("delete"), None).await;
        assert_eq!(said(&answer.unwrap()), "Bearer t2", "{refusal}");
        let expected =
            ["pull", "delete", "push"].map(|action| format!("repository:team/a:{action}"));
        assert_eq!(scopes(&server), expected, "{refusal}");
    }
}

#[tokio::test]
async fn a_guess_that_the_registry_confirms_is_not_asked_for_again() {
    let server = TokenServer::start([grant("t1"), status(403)]).await;
    let registry = server.registry(user());
    let first = server.challenge_for("repository:team/a:pull");
    registry
        .challenged(&first, &of("pull"), None)
        .await
        .unwrap();
    assert!(
        registry
            .authorization(&of("delete"))
            .await
            .unwrap()
            .is_none()
    );
    for demanded in ["repository:team/a:delete", "repository:other:push"] {
        let challenge = server.challenge_for(demanded);
        let error = registry.challenged(&challenge, &of("delete"), None).await;
        assert_eq!(error.unwrap_err().kind(), Kind::AuthenticationFailed);
    }
    registry.authorization(&of("delete")).await.unwrap_err();
    assert_eq!(server.asked().len(), 2);
}

/// A credential that nobody took so far is not tried a second time for another scope.
#[tokio::test]
async fn a_wrong_password_is_no_wrong_guess() {
    let server = TokenServer::start([status(401)]).await;
    let registry = server.registry(user());
    let first = server.challenge_for("repository:team/a:pull");
    registry
        .challenged(&first, &of("pull"), None)
        .await
        .unwrap_err();
    registry.authorization(&of("delete")).await.unwrap_err();
    let second = server.challenge_for("repository:team/a:push");
    registry
        .challenged(&second, &of("delete"), None)
        .await
        .unwrap_err();
    assert_eq!(server.asked().len(), 1);
}

/// A token of which the registry says that it is for too little, or for too much: what it demands is tried, once.
#[tokio::test]
async fn a_token_that_is_refused_is_followed_by_one_for_what_is_demanded() {
    let mount = Scope::mount(&"team/a".parse().unwrap(), &"b".parse().unwrap());
    let server = TokenServer::start([grant("t1"), grant("t2"), grant("t3")]).await;
    let registry = server.registry(user());
    let challenge = server.challenge_for("repository:b:pull");
    let first = registry.challenged(&challenge, &mount, None).await.unwrap();
    let second = registry.challenged(&challenge, &mount, Some(&first)).await;
    let second = second.unwrap();
    let error = registry.challenged(&challenge, &mount, Some(&second)).await;
    assert_eq!(error.unwrap_err().kind(), Kind::AuthenticationFailed);
    let both = "repository:team/a:pull,push repository:b:pull";
    assert_eq!(scopes(&server), [both, "repository:b:pull"]);
    let again = registry.challenged(&challenge, &mount, None).await;
    assert_eq!(said(&again.unwrap()), "Bearer t2", "what was granted stays");
}

/// A token that expired early says nothing about its scope: GHCR demands `pull` of who pushes.
#[tokio::test]
async fn a_token_that_expired_is_replaced_by_one_for_the_same() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let challenge = server.challenge_for("repository:team/a:pull");
    let scope = of("pull,push");
    registry.challenged(&challenge, &scope, None).await.unwrap();
    pass(2).await;
    let kept = registry.authorization(&scope).await.unwrap().unwrap();
    let renewed = registry.challenged(&challenge, &scope, Some(&kept)).await;
    assert_eq!(said(&renewed.unwrap()), "Bearer t2");
    let same = "repository:team/a:pull,push";
    assert_eq!(scopes(&server), [same, same]);
}

#[tokio::test]
async fn who_waited_while_another_was_challenged_uses_its_token() {
    let server = TokenServer::start([grant("t1"), grant("t2"), grant("t3")]).await;
    let registry = server.registry(user());
    let challenge = server.challenge_for("repository:team/a:push");
    let scope = of("pull,push");
    let old = registry.challenged(&challenge, &scope, None).await.unwrap();
    let first = registry.challenged(&challenge, &scope, Some(&old)).await;
    let second = registry.challenged(&challenge, &scope, Some(&old)).await;
    assert_eq!(said(&first.unwrap()), "Bearer t2");
    assert_eq!(said(&second.unwrap()), "Bearer t2");
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn only_a_guess_is_doubted_and_only_once() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let challenge = server.challenge();
    let first = registry.challenged(&challenge, &of("pull"), None).await;
    assert!(!registry.is_guess(&of("pull"), &first.unwrap()).await);
    let guess = registry.authorization(&of("push")).await.unwrap().unwrap();
    assert!(registry.is_guess(&of("push"), &guess).await);
    assert!(!registry.is_guess(&of("push"), &guess).await);
    let password = Authorization::basic("a", &"b".into());
    assert!(!registry.is_guess(&of("delete"), &password).await);
}
