// SPDX-License-Identifier: Apache-2.0

//! What is said where encryption does not come about follows from what happened; and certificates that vouch for
//! themselves are believed where they are named.

use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use rustls::{ServerConfig, ServerConnection, Stream};
use transship::registry::{Pool, Settings};

use super::{client_with, repository};
use crate::support::faults::FaultRegistry;
use crate::support::tls::{Authority, Identity, SelfSigned};

/// A server whose connections are answered like this.
fn answering(answer: impl Fn(TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let host = listener.local_addr().unwrap().to_string();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    host
}

/// One that says this in place of a handshake.
fn plain(said: &'static [u8]) -> String {
    answering(move |mut stream| {
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(said);
    })
}

/// One that says this once encryption stands, and closes.
fn encrypted(config: Arc<ServerConfig>, said: &'static [u8]) -> String {
    answering(move |mut stream| {
        let mut connection = ServerConnection::new(Arc::clone(&config)).unwrap();
        let mut tls = Stream::new(&mut connection, &mut stream);
        let _ = tls.read(&mut [0; 4096]);
        let _ = tls.write_all(said);
        let _ = tls.flush();
        connection.send_close_notify();
        let _ = connection.write_tls(&mut stream);
    })
}

/// What is said of a registry.
async fn said(host: &str, ca_pem: Option<&str>) -> String {
    let settings = Settings {
        ca_pem: ca_pem.map(|pem| pem.as_bytes().to_vec()),
        ..Settings::default()
    };
    let pool = Pool::new("transship/test");
    let client = pool.client(&host.parse().unwrap(), &settings).unwrap();
    let error = client.list_tags(&repository()).await.unwrap_err();
    error.to_string().replace(host, "R")
}

#[tokio::test(flavor = "multi_thread")]
async fn each_failure_of_encryption_has_the_mend_that_fits() {
    let authority = Authority::generate();
    let served = |identity: &Identity| encrypted(identity.server(), b"");
    let own = |names: &[&str], is_authority, until| {
        SelfSigned {
            names,
            is_authority,
            until,
        }
        .generate()
    };
    let here = &["127.0.0.1"][..];
    let (late, other) = (own(here, true, 2002), own(&["other.test"], true, 4000));
    let nameless = own(&[], true, 4000);
    let ca = Some(authority.pem());
    let cases = [
        (
            "plain HTTP",
            plain(b"HTTP/1.0 400 Bad Request\r\n\r\nno\n"),
            None,
        ),
        ("closed at once", plain(b""), None),
        (
            "an authority that is not known",
            served(&authority.issue()),
            None,
        ),
        (
            "its own authority, not named",
            served(&own(here, true, 4000)),
            None,
        ),
        (
            "another that is its own authority",
            served(&own(here, true, 4000)),
            ca,
        ),
        (
            "for another name",
            served(&authority.issue_for(&["other.test"])),
            ca,
        ),
        (
            "named, and expired",
            served(&late),
            Some(late.certificate.as_str()),
        ),
        (
            "named, and for another name",
            served(&other),
            Some(other.certificate.as_str()),
        ),
        (
            "named, and for no name",
            served(&nameless),
            Some(nameless.certificate.as_str()),
        ),
        (
            "a client certificate is wanted",
            encrypted(authority.mutual_server(), b""),
            ca,
        ),
        (
            "no answer once it stands",
            encrypted(authority.server(), b""),
            ca,
        ),
        (
            "no HTTP once it stands",
            encrypted(authority.server(), b"SSH-2.0-x\r\n\r\n"),
            ca,
        ),
        (
            "half an answer",
            encrypted(authority.server(), b"HTTP/1.1 200 OK\r\ncontent-le"),
            ca,
        ),
    ];
    let mut told = String::new();
    for (name, host, ca_pem) in cases {
        told = format!("{told}{name}\n  {}\n", said(&host, ca_pem).await);
    }
    insta::assert_snapshot!(told);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_certificate_that_is_named_vouches_for_itself() {
    let authority = Authority::generate();
    for is_authority in [true, false] {
        let identity = SelfSigned {
            names: &["127.0.0.1"],
            is_authority,
            until: 4000,
        };
        let identity = identity.generate();
        let registry = FaultRegistry::options().tls_with(identity.server(), &authority);
        let registry = registry.start();
        let settings = Settings {
            ca_pem: Some(identity.certificate.clone().into_bytes()),
            ..Settings::default()
        };
        let client = client_with(&registry, &settings);
        client.ping().await.unwrap();
        client_with(&registry, &Settings::default())
            .ping()
            .await
            .unwrap_err();
    }
}
