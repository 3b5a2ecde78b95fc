// SPDX-License-Identifier: Apache-2.0

//! What registries do by APIs of their own, each played under its own name: deletes of tags, lists of repositories,
//! repositories that are made.

mod amazon;
mod deletes;
mod lists;
mod moto;
mod pruning;

use transship::oci::{Digest, Tag};
use transship::registry::{Client, Credential, Deletion, Kind, Pool, Proxy, Settings};

use crate::support::content::{Image, ImageBuilder};
use crate::support::credentials::Login;
use crate::support::faults::{FaultRegistry, Options};
use crate::support::tls::Authority;
use crate::support::tunnel::Tunnel;

/// A registry that is reached under its own name, and its APIs under theirs.
struct Named {
    registry: FaultRegistry,
    name: &'static str,
    authority: Authority,
    tunnel: Tunnel,
}

impl Named {
    fn start_with(name: &'static str, options: Options) -> Self {
        let authority = Authority::generate();
        let names = [
            name,
            "registry-1.docker.io",
            "hub.docker.com",
            "api.github.com",
            "gitlab.test",
        ];
        let registry = options
            .tls_with(authority.issue_for(&names).server(), &authority)
            .start();
        let tunnel = Tunnel::to(registry.host().parse().unwrap());
        Self {
            registry,
            name,
            authority,
            tunnel,
        }
    }

    fn settings(&self, credential: Credential) -> Settings {
        Settings {
            credential,
            ca_pem: Some(self.authority.pem().as_bytes().to_vec()),
            proxy: Some(Proxy {
                url: self.tunnel.url(),
                username: None,
                password: None,
            }),
            ..Settings::default()
        }
    }

    fn client(&self, credential: Credential) -> Client {
        self.client_of(&Pool::new("transship/test"), credential)
    }

    fn client_of(&self, pool: &Pool, credential: Credential) -> Client {
        let name = self.name.parse().unwrap();
        pool.client(&name, &self.settings(credential)).unwrap()
    }

    /// Everything that deletes or logs in, as method and path.
    fn writes(&self) -> Vec<String> {
        let requests = self.registry.requests().into_iter();
        requests
            .filter(|request| !matches!(request.method.as_str(), "GET" | "HEAD"))
            .map(|request| format!("{} {}", request.method, request.path))
            .collect()
    }

    fn deletes(&self) -> Vec<String> {
        let mut writes = self.writes();
        writes.retain(|write| write.starts_with("DELETE "));
        writes
    }
}

fn login() -> Credential {
    let Login { username, password } = Login::valid();
    Credential::Basic {
        username,
        password: password.into(),
    }
}

fn image(seed: u64) -> Image {
    ImageBuilder::new(seed).layers(&[1_000]).build()
}

fn digest(image: &Image) -> Digest {
    image.digest().parse().unwrap()
}

fn tag(name: &str) -> Tag {
    name.parse().unwrap()
}

/// Deletes `v1` of `team/app`, which stands for this image; `also` may go along.
async fn delete(client: &Client, image: &Image, also: &[&str]) -> Result<Deletion, (Kind, String)> {
    let also: Vec<Tag> = also.iter().map(|name| tag(name)).collect();
    let repository = "team/app".parse().unwrap();
    let (tag, digest) = (tag("v1"), digest(image));
    let deleted = client.delete_tag(&repository, &tag, &digest, &also, None);
    deleted.await.map_err(|error| {
        let message = error.to_string();
        assert!(!message.contains("canary"), "{message}");
        assert!(!message.contains(&Login::valid().password), "{message}");
        (error.kind(), message)
    })
}
