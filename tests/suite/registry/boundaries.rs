// SPDX-License-Identifier: Apache-2.0

//! Bounds that hold whatever a registry, its name server or the settings say.

use std::net::Ipv4Addr;

use transship::registry::{
    Addresses, Boundaries, Class, Client, Error, Kind, Pool, Proxy, Settings,
};

use super::credentials::{everything_apart, lures, lures_to};
use super::{image, insecure, kind, loaded, logged_in, repository, tag};
use crate::support::canary::Canary;
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

/// A loopback address that no registry of these tests has.
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);

/// Bounds with these exceptions. Plain HTTP may be spoken to every host that is named here.
fn bounds(addresses: &[&str], insecure_hosts: &[&str]) -> Boundaries {
    Boundaries {
        addresses: Addresses {
            allow: addresses
                .iter()
                .map(|block| block.parse().unwrap())
                .collect(),
            deny: Vec::new(),
        },
        insecure_hosts: insecure_hosts
            .iter()
            .map(|host| host.parse().unwrap())
            .collect(),
        ..Boundaries::default()
    }
}

fn bounded(host: &str, settings: &Settings, boundaries: Boundaries) -> Result<Client, Error> {
    let pool = Pool::builder("transship/test")
        .boundaries(boundaries)
        .build();
    pool.client(&host.parse().unwrap(), settings)
}

/// How often each lure leads to the canary, with the bounds or without any.
async fn visits(boundaries: Option<&Boundaries>) -> Vec<(&'static str, usize)> {
    let mut visits = Vec::new();
    for place in 0..17 {
        let canary = Canary::answering_at(ELSEWHERE, Reply::new(404), None);
        let registry = FaultRegistry::start();
        let stored = ImageBuilder::new(4).layers(&[5_000]).build();
        registry.load("team/app", "v0", &stored);
        let settings = Settings {
            trusted_realms: vec![canary.host()],
            ..logged_in(insecure())
        };
        let builder = Pool::builder("transship/test");
        let pool = match boundaries {
            Some(boundaries) => builder.boundaries(boundaries.clone()).build(),
            None => builder.build(),
        };
        let client = pool.client(&registry.host().parse().unwrap(), &settings);
        let (name, fault, method, part) = lures(&registry, &canary).swap_remove(place);
        registry.on(method, part).does(fault);
        everything_apart(&client.unwrap(), &image(), &stored).await;
        assert!(!registry.requests().is_empty(), "{name}");
        visits.push((name, canary.connections()));
    }
    visits
}

#[tokio::test]
async fn no_lure_leads_out_of_bounds() {
    let free = visits(None).await;
    let followed = free.iter().filter(|(_, visits)| *visits > 0).count();
    assert_eq!(followed, 8, "without bounds: {free:?}");
    let boundaries = [
        bounds(&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]),
        bounds(&["127.0.0.0/8"], &["127.0.0.1"]),
    ];
    for boundaries in boundaries {
        for (name, visits) in visits(Some(&boundaries)).await {
            assert_eq!(visits, 0, "{name}");
        }
    }
}

/// One address as programs may write it.
const SPELLINGS: [&str; 12] = [
    "127.0.0.2",
    "127.2",
    "127.0.2",
    "0x7f000002",
    "2130706434",
    "017700000002",
    "0x7f.0.0.0x2",
    "0177.0.0.02",
    "127.0.0.2.",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[0:0:0:0:0:ffff:7f00:2]",
];

#[tokio::test]
async fn no_lure_leads_out_of_bounds_however_an_address_is_written() {
    let canary = Canary::answering_at(ELSEWHERE, Reply::new(404), None);
    let elsewhere = canary.host();
    let (_, port) = elsewhere.rsplit_once(':').unwrap();
    let stored = ImageBuilder::new(4).layers(&[5_000]).build();
    for spelling in SPELLINGS {
        let target = format!("{spelling}:{port}");
        for place in 0..17 {
            let registry = FaultRegistry::start();
            registry.load("team/app", "v0", &stored);
            let settings = Settings {
                trusted_realms: vec![canary.host(), target.clone()],
                ..logged_in(insecure())
            };
            let boundaries = bounds(&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]);
            let client = bounded(&registry.host(), &settings, boundaries).unwrap();
            let (lure, fault, method, path) = lures_to(&registry, &target).swap_remove(place);
            registry.on(method, path).does(fault);
            everything_apart(&client, &image(), &stored).await;
            assert!(!registry.requests().is_empty(), "{lure}");
            assert_eq!(canary.connections(), 0, "{lure} to {target}");
        }
    }
}

#[tokio::test]
async fn what_is_out_of_bounds_is_said_at_once_and_not_tried_again() {
    let canary = Canary::answering_at(ELSEWHERE, Reply::new(404), None);
    let (registry, _) = loaded();
    let there = Reply::new(307).header("location", &canary.url());
    registry.on("GET", "/manifests/").responds(there);
    let boundaries = bounds(&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]);
    let client = bounded(&registry.host(), &insecure(), boundaries).unwrap();
    let fetched = client.fetch_manifest(&repository(), &tag()).await;
    let error = fetched.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::OutOfBounds, false)
    );
    assert_eq!(registry.requests().len(), 1);
    let shown = error.to_string().replace(&registry.host(), "REGISTRY");
    insta::assert_snapshot!(shown, @"cannot fetch the manifest REGISTRY/team/app:v1: 127.0.0.2 (an address of the machine itself) is out of bounds: if it is meant, the operator has to open it with --allow-addresses");
}

#[tokio::test]
async fn a_name_is_judged_by_the_address_it_has() {
    let (registry, _) = loaded();
    let name = registry.host().replace("127.0.0.1", "localhost");
    let client = bounded(&name, &insecure(), bounds(&[], &["localhost"])).unwrap();
    let error = client
        .resolve(&repository(), &tag(), None)
        .await
        .unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::OutOfBounds, false)
    );
    let text = error.to_string();
    assert!(text.contains("localhost leads to "), "{text}");
    assert!(text.contains("--allow-addresses"), "{text}");
    assert_eq!(client.traffic().requests(Class::Lookup), 1);
    assert_eq!(registry.connections(), 0);

    let opened = bounds(&["127.0.0.0/8", "::1"], &["localhost"]);
    let client = bounded(&name, &insecure(), opened).unwrap();
    let found = client.resolve(&repository(), &tag(), None).await;
    assert!(found.unwrap().is_some());
}

#[tokio::test]
async fn a_token_server_out_of_bounds_is_named() {
    let canary = Canary::answering_at(ELSEWHERE, Reply::new(200), None);
    let registry = FaultRegistry::options().token_from(&canary.url()).start();
    let settings = Settings {
        trusted_realms: vec![canary.host()],
        ..logged_in(insecure())
    };
    let boundaries = bounds(&["127.0.0.1"], &["127.0.0.1", "127.0.0.2"]);
    let client = bounded(&registry.host(), &settings, boundaries).unwrap();
    let found = client.resolve(&repository(), &tag(), None).await;
    let error = found.unwrap_err();
    assert_eq!(
        (error.kind(), error.is_transient()),
        (Kind::OutOfBounds, false)
    );
    let shown = error.to_string();
    let shown = shown.replace(&registry.host(), "REGISTRY");
    let shown = shown.replace(&canary.host(), "TOKENS");
    insta::assert_snapshot!(shown, @"cannot look up REGISTRY/team/app:v1: the token server TOKENS of REGISTRY cannot be asked: 127.0.0.2 (an address of the machine itself) is out of bounds: if it is meant, the operator has to open it with --allow-addresses");
    assert_eq!(canary.connections(), 0);
}

/// What a client would be asked to do, within which boundaries, and what refuses it.
type Bound = (&'static str, Settings, Boundaries, Option<&'static str>);

/// Everything on this machine.
fn everything() -> Boundaries {
    bounds(&["127.0.0.0/8"], &["127.0.0.1"])
}

/// Everything but a block.
fn closed(block: &str) -> Boundaries {
    let mut closed = everything();
    closed.addresses.deny.push(block.parse().unwrap());
    closed
}

/// Plain HTTP through a proxy.
fn through(url: String) -> Settings {
    Settings {
        proxy: Some(Proxy {
            url,
            username: None,
            password: None,
        }),
        ..insecure()
    }
}

fn assert_bounds(host: &str, cases: impl IntoIterator<Item = Bound>) {
    for (name, settings, boundaries, expected) in cases {
        match (bounded(host, &settings, boundaries), expected) {
            (Ok(_), None) => {}
            (Err(error), Some(expected)) => {
                let text = error.to_string().replace(host, "HOST");
                assert!(text.contains(expected), "{name}: {text}");
                assert_eq!(kind::<()>(Err(error)), Err(Kind::OutOfBounds), "{name}");
            }
            (found, _) => panic!("{name}: {found:?}"),
        }
    }
}

#[tokio::test]
async fn registries_out_of_bounds_get_no_client() {
    let registry = FaultRegistry::start();
    let host = registry.host();
    let elsewhere = Boundaries {
        allowed_hosts: vec!["*.example.com".parse().unwrap()],
        ..everything()
    };
    let cases = [
        ("in bounds", insecure(), everything(), None),
        (
            "plain HTTP",
            insecure(),
            bounds(&["127.0.0.1"], &[]),
            Some("plain HTTP to HOST is out of bounds"),
        ),
        (
            "plain HTTP to another port",
            insecure(),
            bounds(&["127.0.0.1"], &["127.0.0.1:1"]),
            Some("--insecure-hosts HOST"),
        ),
        (
            "its address",
            Settings::default(),
            bounds(&[], &[]),
            Some("127.0.0.1 (an address of the machine itself) is out of bounds"),
        ),
        (
            "its name",
            insecure(),
            elsewhere,
            Some("--allowed-hosts HOST"),
        ),
        (
            "an address that is closed",
            insecure(),
            closed("127.0.0.1"),
            Some(
                "127.0.0.1 (in 127.0.0.1/32, which is closed with --deny-addresses) is out of bounds",
            ),
        ),
    ];
    assert_bounds(&host, cases);
    assert_eq!(registry.connections(), 0);
}

#[tokio::test]
async fn proxies_out_of_bounds_get_no_client() {
    let (registry, canary) = (FaultRegistry::start(), Canary::start());
    let host = registry.host();
    let proxy = through(canary.url().replace("127.0.0.1", "[::ffff:169.254.1.1]"));
    let bare_proxy = through("169.254.1.1:3128".to_owned());
    let others = Boundaries {
        allowed_proxies: vec!["proxy.example.com:3128".parse().unwrap()],
        ..everything()
    };
    let cases = [
        (
            "its proxy",
            proxy,
            everything(),
            Some("the proxy at 169.254.1.1 (a link-local address) is out of bounds"),
        ),
        (
            "its proxy without a scheme",
            bare_proxy,
            everything(),
            Some("the proxy at 169.254.1.1 (a link-local address) is out of bounds"),
        ),
        (
            "a proxy in a network that is closed",
            through("http://10.1.2.3:3128".to_owned()),
            closed("10.0.0.0/8"),
            Some("the proxy at 10.1.2.3 (in 10.0.0.0/8, which is closed with --deny-addresses)"),
        ),
        (
            "another proxy",
            through(canary.url()),
            others.clone(),
            Some("--allowed-proxies 127.0.0.1:"),
        ),
        (
            "another port of the proxy",
            through("http://proxy.example.com:3129".to_owned()),
            others.clone(),
            Some("the proxy proxy.example.com:3129 is out of bounds"),
        ),
        (
            "the proxy",
            through("http://proxy.example.com:3128".to_owned()),
            others,
            None,
        ),
    ];
    assert_bounds(&host, cases);
    assert_eq!((registry.connections(), canary.connections()), (0, 0));
}

#[tokio::test]
async fn a_proxy_is_judged_by_the_address_it_has() {
    let (registry, proxy) = (FaultRegistry::start(), Canary::start());
    let settings = Settings {
        proxy: Some(Proxy {
            url: proxy.url().replace("127.0.0.1", "localhost"),
            username: None,
            password: None,
        }),
        ..insecure()
    };
    let boundaries = bounds(&[], &["r.test", "localhost"]);
    let client = bounded("r.test", &settings, boundaries).unwrap();
    let found = client.resolve(&repository(), &tag(), None).await;
    assert_eq!(kind(found), Err(Kind::OutOfBounds));
    assert_eq!((registry.connections(), proxy.connections()), (0, 0));
}

#[tokio::test]
async fn a_redirect_leads_to_no_address_that_is_closed() {
    let canary = Canary::answering_at(ELSEWHERE, Reply::new(404), None);
    let (registry, _) = loaded();
    let there = Reply::new(307).header("location", &canary.url());
    registry.on("GET", "/manifests/").responds(there);
    let mut boundaries = bounds(&["127.0.0.0/8"], &["127.0.0.1", "127.0.0.2"]);
    boundaries
        .addresses
        .deny
        .push("127.0.0.2/31".parse().unwrap());
    let client = bounded(&registry.host(), &insecure(), boundaries).unwrap();
    let fetched = client.fetch_manifest(&repository(), &tag()).await;
    assert_eq!(kind(fetched), Err(Kind::OutOfBounds));
    assert_eq!((registry.requests().len(), canary.connections()), (1, 0));
}

/// What is not encrypted is as readable on the way to a proxy as it is to the proxy.
#[tokio::test]
async fn plain_http_goes_through_a_proxy_only_where_that_may_see_it() {
    let cases: [(&[&str], bool); 2] = [(&["127.0.0.1", "r.test"], true), (&["r.test"], false)];
    for (insecure_hosts, expected) in cases {
        let proxy = Canary::start();
        let settings = Settings {
            proxy: Some(Proxy {
                url: proxy.url(),
                username: None,
                password: None,
            }),
            ..insecure()
        };
        let boundaries = bounds(&["127.0.0.1"], insecure_hosts);
        let client = bounded("r.test", &settings, boundaries).unwrap();
        let found = kind(client.resolve(&repository(), &tag(), None).await);
        let outcome = if expected {
            Ok(None)
        } else {
            Err(Kind::OutOfBounds)
        };
        assert_eq!(found, outcome);
        assert_eq!(proxy.connections() > 0, expected);
    }
}
