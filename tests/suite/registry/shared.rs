// SPDX-License-Identifier: Apache-2.0

//! Small requests share a connection where a registry speaks HTTP/2; bodies have connections of their own.

use std::sync::Arc;
use std::time::Duration;

use futures::future::join_all;
use rustls::ServerConfig;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use transship::registry::{Client, Pool, Settings, Tls};

use super::{descriptor, image, read, repository, tag};
use crate::support::content::Image;
use crate::support::faults::FaultRegistry;
use crate::support::http::server;
use crate::support::proxy::DelayProxy;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tls::Authority;

/// As many as are asked at once.
const LOOKUPS: usize = 60;
/// The most that are asked before it is known how the registry speaks.
const AT_FIRST: usize = 4;

/// A registry that speaks HTTP/2, some way off, with an image.
struct Distant {
    registry: Registry,
    way: DelayProxy,
    image: Image,
}

impl Distant {
    async fn start() -> Self {
        let registry = Registry::start(Kind::Distribution3, Security::Tls).await;
        let image = image();
        registry.client().push("team/app", "v1", &image).await;
        let way = DelayProxy::start(registry.address(), Duration::from_millis(20));
        Self {
            registry,
            way,
            image,
        }
    }

    fn client(&self) -> Client {
        client(&self.way.host(), self.registry.ca_pem().unwrap())
    }
}

/// A client of the registry at `host`, whose certificate is of this authority.
fn client(host: &str, authority: &str) -> Client {
    let settings = Settings {
        tls: Tls {
            ca_pem: Some(authority.as_bytes().to_vec()),
            identity_pem: None,
        },
        ..Settings::default()
    };
    let pool = Pool::new("transship/test");
    pool.client(&host.parse().unwrap(), &settings).unwrap()
}

async fn look_up_at_once(client: &Client) {
    let (repository, tag) = (repository(), tag());
    let lookups = (0..LOOKUPS).map(|_| client.resolve(&repository, &tag, None));
    for found in join_all(lookups).await {
        assert!(found.unwrap().is_some());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn lookups_share_a_connection_and_bodies_have_their_own() {
    let distant = Distant::start().await;
    let client = distant.client();
    client.resolve(&repository(), &tag(), None).await.unwrap();
    look_up_at_once(&client).await;
    client.fetch_manifest(&repository(), &tag()).await.unwrap();
    client.list_tags(&repository()).await.unwrap();
    assert_eq!(distant.way.connections(), 1);
    let layer = descriptor(&distant.image.blobs[1]);
    read(&client, &layer, 0).await.unwrap();
    assert_eq!(distant.way.connections(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn few_connections_are_made_to_a_registry_that_nobody_knows() {
    let distant = Distant::start().await;
    look_up_at_once(&distant.client()).await;
    let made = distant.way.connections();
    assert!(made <= AT_FIRST, "{made} connections");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_without_http_2_is_asked_as_before() {
    let authority = Authority::generate();
    let registry = FaultRegistry::options().tls(&authority).start();
    registry.load("team/app", "v1", &image());
    look_up_at_once(&client(&registry.host(), authority.pem())).await;
    let made = registry.connections();
    assert!((1..=LOOKUPS).contains(&made), "{made} connections");
}

/// Agrees to HTTP/2 and breaks off; in HTTP/1 it has the manifest that is asked for.
async fn break_off(stream: TcpStream, tls: Arc<ServerConfig>) -> std::io::Result<()> {
    let mut stream = TlsAcceptor::from(tls).accept(stream).await?;
    if stream.get_ref().1.alpn_protocol() == Some(b"h2") {
        return Ok(());
    }
    let mut head = Vec::new();
    loop {
        head.push(stream.read_u8().await?);
        if head.ends_with(b"\r\n\r\n") {
            let digest = format!("sha256:{}", "a".repeat(64));
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-type: application/vnd.oci.image.manifest.v1+json\r\n\
                 content-length: 5\r\ndocker-content-digest: {digest}\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await?;
            head.clear();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_registry_that_breaks_off_http_2_is_asked_without_it() {
    let authority = Authority::generate();
    let mut tls = ServerConfig::clone(&authority.server());
    tls.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let tls = Arc::new(tls);
    let listener = server::listen();
    let host = listener.local_addr().unwrap().to_string();
    let serving = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(break_off(stream, Arc::clone(&tls)));
        }
    });
    look_up_at_once(&client(&host, authority.pem())).await;
    serving.abort();
}
