// SPDX-License-Identifier: Apache-2.0

//! How tokens come, are kept and go.

use super::*;
use crate::registry::Kind;

#[tokio::test]
async fn nothing_is_sent_before_the_registry_asks() {
    let server = TokenServer::start([grant("t")]).await;
    for credential in [Credential::Anonymous, user(), identity()] {
        let registry = server.registry(credential);
        assert!(registry.authorization(&pull("a")).await.unwrap().is_none());
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn a_token_is_fetched_once_and_kept() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let scope = pull("team/a");
    let answer = registry.challenged(&server.challenge(), &scope, None).await;
    assert_eq!(said(&answer.unwrap()), "Bearer t1");
    let kept = registry.authorization(&scope).await.unwrap();
    assert_eq!(said(&kept.unwrap()), "Bearer t1");
    let expected = Asked {
        method: "GET".to_owned(),
        query: "service=s&scope=repository%3Ateam%2Fa%3Apull".to_owned(),
        authorization: Some(basic("user:pass:word")),
        body: String::new(),
    };
    assert_eq!(server.asked(), [expected]);
}

#[tokio::test]
async fn another_scope_gets_its_own_token_without_being_challenged() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(Credential::Anonymous);
    let challenge = server.challenge();
    registry
        .challenged(&challenge, &pull("a"), None)
        .await
        .unwrap();
    let other = registry.authorization(&pull("b")).await.unwrap();
    assert_eq!(said(&other.unwrap()), "Bearer t2");
    assert_eq!(server.asked()[1].authorization, None);
}

#[tokio::test]
async fn a_token_is_renewed_shortly_before_its_end() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let scope = pull("a");
    registry
        .challenged(&server.challenge(), &scope, None)
        .await
        .unwrap();
    let mut seen = Vec::new();
    for seconds in [50, 5] {
        pass(seconds).await;
        let token = registry.authorization(&scope).await.unwrap().unwrap();
        seen.push(said(&token));
    }
    assert_eq!(seen, ["Bearer t1", "Bearer t2"]);
}

/// A token of 60 s is used for 54 s: after so many of them, one that is to last so long is a new one or not.
#[tokio::test]
async fn a_long_request_gets_a_token_that_lasts_as_far_as_there_is_one() {
    let cases = [
        ("nothing long", 26, 0, "Bearer t1"),
        ("long enough", 20, 30, "Bearer t1"),
        ("too short, and half is gone", 28, 30, "Bearer t2"),
        ("too short, but young", 20, 300, "Bearer t1"),
        ("too short for any, and half is gone", 28, 300, "Bearer t2"),
        ("over", 55, 300, "Bearer t2"),
    ];
    for (name, gone, lasting, expected) in cases {
        let server = TokenServer::start([grant("t1"), grant("t2"), status(404)]).await;
        let registry = server.registry(user());
        let scope = pull("a");
        let lasting = Duration::from_secs(lasting);
        let unknown = registry.authorization_lasting(&scope, lasting).await;
        assert!(unknown.unwrap().is_none(), "{name}");
        registry
            .challenged(&server.challenge(), &scope, None)
            .await
            .unwrap();
        pass(gone).await;
        for _ in 0..2 {
            let token = registry.authorization_lasting(&scope, lasting).await;
            assert_eq!(said(&token.unwrap().unwrap()), expected, "{name}");
        }
    }
}

#[tokio::test]
async fn a_token_that_cannot_be_renewed_early_is_used_to_its_end() {
    let server = TokenServer::start([grant("t1"), status(404), grant("t2")]).await;
    let registry = server.registry(user());
    let (scope, long) = (pull("a"), Duration::from_secs(300));
    registry
        .challenged(&server.challenge(), &scope, None)
        .await
        .unwrap();
    pass(40).await;
    for _ in 0..3 {
        let token = registry.authorization_lasting(&scope, long).await;
        assert_eq!(said(&token.unwrap().unwrap()), "Bearer t1");
    }
    assert_eq!(server.asked().len(), 2, "a refusal is remembered");
    pass(6).await;
    let token = registry.authorization_lasting(&scope, long).await;
    assert_eq!(said(&token.unwrap().unwrap()), "Bearer t2");
}

#[tokio::test]
async fn a_hundred_requests_that_wait_cause_one_exchange() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let (challenge, scope) = (server.challenge(), pull("a"));
    let answers = (0..100).map(|_| registry.challenged(&challenge, &scope, None));
    for answer in join_all(answers).await {
        assert_eq!(said(&answer.unwrap()), "Bearer t1");
    }
    assert_eq!(server.asked().len(), 1);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let server = TokenServer::start([grant("t1"), grant("t2"), grant("t3")]).await;
    let registry = server.registry(user());
    let (challenge, scope) = (server.challenge(), pull("a"));
    registry.challenged(&challenge, &scope, None).await.unwrap();
    let first = registry.authorization(&scope).await.unwrap().unwrap();

    pass(2).await;
    let second = registry
        .challenged(&challenge, &scope, Some(&first))
        .await
        .unwrap();
    pause();
    assert_eq!(said(&second), "Bearer t2");
    let late = registry
        .challenged(&challenge, &scope, Some(&first))
        .await
        .unwrap();
    assert_eq!(
        said(&late),
        "Bearer t2",
        "who sent the old one gets the new one"
    );

    let error = registry
        .challenged(&challenge, &scope, Some(&second))
        .await
        .unwrap_err();
    assert_eq!(error.kind(), Kind::AuthenticationFailed);
    let fresh = registry.authorization(&scope).await.unwrap().unwrap();
    registry
        .challenged(&challenge, &scope, Some(&fresh))
        .await
        .unwrap_err();
    assert_eq!(server.asked().len(), 2);
}

#[tokio::test]
async fn a_token_for_another_server_is_not_used() {
    let server = TokenServer::start([grant("t1"), grant("t2")]).await;
    let registry = server.registry(user());
    let scope = pull("a");
    registry
        .challenged(&server.challenge(), &scope, None)
        .await
        .unwrap();
    let other = challenge(&format!(
        r#"Bearer realm="http://{}/other""#,
        server.address
    ));
    let answer = registry.challenged(&other, &scope, None).await.unwrap();
    assert_eq!(said(&answer), "Bearer t2");
}

#[tokio::test]
async fn an_identity_token_is_posted_and_replaced_by_the_one_that_comes_back() {
    let rotated = r#"{"access_token":"t1","refresh_token":"rotated"}"#.to_owned();
    let answers = [(StatusCode::OK, HeaderMap::new(), rotated), grant("t2")];
    let server = TokenServer::start(answers).await;
    let registry = server.registry(identity());
    let [a, b] = ["a", "b"].map(|name| name.parse().unwrap());
    let challenge = server.challenge();
    registry
        .challenged(&challenge, &Scope::mount(&a, &b), None)
        .await
        .unwrap();
    registry.authorization(&Scope::pull(&a)).await.unwrap();
    let [first, second] = &server.asked()[..] else {
        panic!("two exchanges")
    };
    assert_eq!((first.method.as_str(), first.query.as_str()), ("POST", ""));
    assert_eq!(first.authorization, None);
    assert_eq!(
        first.body,
        "grant_type=refresh_token&refresh_token=identity&client_id=transship\
         &scope=repository%3Aa%3Apull%2Cpush+repository%3Ab%3Apull&service=s"
    );
    assert!(second.body.contains("refresh_token=rotated&"));
}

#[tokio::test]
async fn servers_without_post_are_asked_with_get() {
    for code in [400, 401, 404, 405] {
        let server = TokenServer::start([status(code), grant("t")]).await;
        let registry = server.registry(identity());
        let answer = registry
            .challenged(&server.challenge(), &pull("a"), None)
            .await;
        assert_eq!(said(&answer.unwrap()), "Bearer t", "{code}");
        let last = server.asked().pop().unwrap();
        assert_eq!(last.method, "GET");
        assert_eq!(last.authorization, Some(basic("<token>:identity")));
    }
}

#[tokio::test]
async fn a_password_is_sent_to_a_registry_that_wants_it_and_not_again_when_refused() {
    let server = TokenServer::start([grant("t")]).await;
    for (credential, expected) in [
        (user(), basic("user:pass:word")),
        (identity(), basic("<token>:identity")),
    ] {
        let registry = server.registry(credential);
        let (challenge, scope) = (challenge("BASIC realm=x"), pull("a"));
        let answer = registry.challenged(&challenge, &scope, None).await.unwrap();
        assert_eq!(said(&answer), expected);
        let known = registry.authorization(&pull("b")).await.unwrap().unwrap();
        assert_eq!(said(&known), expected);

        let error = registry.challenged(&challenge, &scope, Some(&known)).await;
        assert_eq!(error.unwrap_err().kind(), Kind::AuthenticationFailed);
        assert!(registry.authorization(&scope).await.is_err());
        pass(6).await;
        assert!(registry.authorization(&scope).await.is_ok());
    }
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn a_token_for_the_registry_is_sent_at_once_and_asked_of_nobody() {
    let server = TokenServer::start([grant("t")]).await;
    let registry = server.registry(Credential::RegistryToken("own".into()));
    let scope = pull("a");
    let sent = registry.authorization(&scope).await.unwrap().unwrap();
    assert_eq!(said(&sent), "Bearer own");
    let refused = registry
        .challenged(&server.challenge(), &scope, Some(&sent))
        .await;
    assert_eq!(refused.unwrap_err().kind(), Kind::AuthenticationFailed);
    assert_eq!(server.asked(), []);
}

#[tokio::test]
async fn a_challenge_that_says_nothing_means_what_the_last_one_did() {
    let server = TokenServer::start([grant("t")]).await;
    let registry = server.registry(user());
    let (silent, scope) = (HeaderMap::new(), pull("a"));
    let error = registry
        .challenged(&silent, &scope, None)
        .await
        .unwrap_err();
    assert!(matches!(error, Error::BadChallenge { .. }));
    registry
        .challenged(&server.challenge(), &pull("b"), None)
        .await
        .unwrap();
    assert!(registry.challenged(&silent, &scope, None).await.is_ok());
}
