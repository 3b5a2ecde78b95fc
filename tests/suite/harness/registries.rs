//! Real registries start, refuse strangers, take images and log what they are asked.

use crate::support::access_log::{Resource, count};
use crate::support::client::{Access, Client};
use crate::support::content::ImageBuilder;
use crate::support::credentials::Login;
use crate::support::registries::{Kind, Registry, Security};

#[tokio::test]
async fn every_kind_takes_an_image_in_every_mode() {
    for kind in Kind::ALL {
        for security in Security::ALL {
            let registry = Registry::start(kind, security).await;
            let image = ImageBuilder::new(1)
                .layers(&[3000, 70_000])
                .platforms(&["linux/amd64", "linux/arm64/v8"])
                .build();
            registry.client().push("team/app", "v1", &image).await;
            let digest = registry
                .client()
                .resolve_digest("team/app", "v1")
                .await
                .unwrap();
            assert_eq!(
                digest.as_deref(),
                Some(image.digest()),
                "{kind:?} {security:?}"
            );
        }
    }
}

#[tokio::test]
async fn a_guarded_registry_refuses_strangers() {
    for kind in Kind::ALL {
        for security in [Security::Basic, Security::Token] {
            let registry = Registry::start(kind, security).await;
            for (who, login) in [
                ("anonymous", None),
                ("wrong password", Some(Login::wrong())),
            ] {
                let stranger = Client::new(Access {
                    login,
                    ..registry.access()
                });
                let status = stranger.get("/v2/team/app/tags/list").await.unwrap().status;
                assert_eq!(status, 401, "{kind:?} {security:?} {who}");
            }
        }
    }
}

#[tokio::test]
async fn a_registry_logs_requests_of_others_completely() {
    for kind in Kind::ALL {
        let registry = Registry::start(kind, Security::Plain).await;
        let other = reqwest::Client::builder()
            .user_agent("other")
            .no_proxy()
            .build()
            .unwrap();
        for page in 0..50 {
            other
                .get(format!("{}/v2/a/b/tags/list?page={page}", registry.url()))
                .send()
                .await
                .unwrap();
        }
        let requests = registry.requests().await;
        assert_eq!(count(&requests, "GET", Resource::Tags), 50, "{kind:?}");
        assert_eq!(
            (requests[49].path.as_str(), requests[49].status),
            ("/v2/a/b/tags/list?page=49", 404),
            "{kind:?}"
        );
        registry.forget_requests().await;
        assert_eq!(registry.requests().await, [], "{kind:?}");
    }
}
