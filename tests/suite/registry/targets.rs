// SPDX-License-Identifier: Apache-2.0

//! Every way in which a registry or a mirror can lead us elsewhere, to every place where nobody has a business to lead
//! us: in a network of its own, in which each of these places answers.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv6Addr, TcpListener, TcpStream};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use transship::registry::{Addresses, Boundaries, Pool, Proxy, Settings};
use url::Url;

use super::credentials::{everything_apart, lures_to};
use super::{image, insecure, logged_in};
use crate::support::content::{Image, ImageBuilder};
use crate::support::faults::FaultRegistry;

/// Says to this test that it runs in the network.
const INSIDE: &str = "TRANSSHIP_TEST_NETWORK";
/// Every address of it is this machine, and names are what a file says: the first argument.
const NETWORK: &str = r#"
set -e
ip link set lo up
ip route add local default dev lo
ip -6 route add local default dev lo
mount --bind "$1" /etc/hosts
shift
exec "$@"
"#;
/// What the name servers of clusters and of clouds answer. The registry of the test is the only one at 127.0.0.1.
const HOSTS: &str = "\
127.0.0.2 localhost localhost.
::1 localhost ip6-localhost
127.0.0.2 loopback.evil.test
169.254.169.254 metadata.google.internal metadata.google.internal. metadata.evil.test instance-data
fd00:ec2::254 metadata6.evil.test
10.96.0.1 kubernetes.default.svc kubernetes.default.svc.cluster.local
10.0.0.7 registry.other-tenant.svc.cluster.local
192.168.1.1 router.evil.test
0.0.0.0 nowhere.evil.test
::ffff:169.254.169.254 mapped.evil.test
";

/// Networks that the operator closed; what is special is closed in any case.
const CLOSED: [&str; 5] = [
    "10.0.0.0/8",
    "172.16.0.0/12",
    "192.168.0.0/16",
    "100.64.0.0/10",
    "fc00::/7",
];

/// Hosts as a registry or a person may write them.
const TARGETS: [&str; 68] = [
    // The machine itself.
    "127.0.0.2",
    "127.2",
    "127.0.2",
    "2130706434",
    "0x7f000002",
    "0x7f.0.0.2",
    "0X7F.0.0.0X2",
    "0177.0.0.02",
    "017700000002",
    "127.0.0.2.",
    "127.255.255.254",
    "１２７.０.０.２",
    "127。0。0。2",
    "%31%32%37.0.0.2",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.2]",
    "[::ffff:7f00:2]",
    "[::127.0.0.2]",
    "[64:ff9b::127.0.0.2]",
    "[2002:7f00:2::]",
    "0.0.0.0",
    "0",
    "0.1.2.3",
    "[::]",
    "[::ffff:0.0.0.0]",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "ip6-localhost",
    "loopback.evil.test",
    "nowhere.evil.test",
    // Where clouds say who one is.
    "169.254.169.254",
    "2852039166",
    "0xa9fea9fe",
    "0251.0376.0251.0376",
    "169.254.43518",
    "[::ffff:169.254.169.254]",
    "[::ffff:a9fe:a9fe]",
    "[64:ff9b::a9fe:a9fe]",
    "[2002:a9fe:a9fe::]",
    "169.254.170.2",
    "169.254.170.23",
    "169.254.0.23",
    "169.254.42.42",
    "100.100.100.200",
    "168.63.129.16",
    "192.0.0.192",
    "192.80.8.124",
    "[fd00:ec2::254]",
    "[fd00:ec2::23]",
    "[fd20:ce::254]",
    "[fd00:42::42]",
    "[fd00:c1::a9fe:a9fe]",
    "metadata.google.internal",
    "metadata.google.internal.",
    "metadata.evil.test",
    "metadata6.evil.test",
    "mapped.evil.test",
    // The neighbours.
    "169.254.1.1",
    "10.0.0.1",
    "172.31.255.1",
    "192.168.1.1",
    "router.evil.test",
    "100.64.0.1",
    "[fd12:3456::1]",
    "kubernetes.default.svc",
    "registry.other-tenant.svc.cluster.local",
];

/// Takes all connections to a port, at whatever address.
struct Ear {
    port: u16,
    heard: Arc<Heard>,
}

#[derive(Default)]
struct Heard {
    connections: AtomicUsize,
    bytes: AtomicUsize,
}

impl Ear {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv6Addr::UNSPECIFIED, 0)).unwrap();
        let port = listener.local_addr().unwrap().port();
        let heard = Arc::<Heard>::default();
        let shared = Arc::clone(&heard);
        // It ends with the process, which is this test's own.
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                shared.connections.fetch_add(1, SeqCst);
                shared.listen(stream);
            }
        });
        Self { port, heard }
    }

    fn heard(&self) -> (usize, usize) {
        let Heard { connections, bytes } = &*self.heard;
        (connections.load(SeqCst), bytes.load(SeqCst))
    }

    /// Whether somebody who may go anywhere comes here by this URL.
    fn is_reached_by(&self, url: &Url) -> bool {
        let before = self.heard();
        let addresses = url.socket_addrs(|| None).unwrap_or_default();
        let short = Duration::from_secs(1);
        let mut addresses = addresses.iter();
        addresses.any(|address| TcpStream::connect_timeout(address, short).is_ok())
            && (0..1_000).any(|_| {
                std::thread::sleep(Duration::from_millis(1));
                self.heard() != before
            })
    }
}

impl Heard {
    fn listen(&self, mut stream: TcpStream) {
        let mut buffer = [0; 4096];
        let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
        if let Ok(read) = stream.read(&mut buffer) {
            self.bytes.fetch_add(read, SeqCst);
        }
        let _ = stream
            .write_all(b"HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    }
}

/// Plain HTTP to the target is allowed, so that nothing but its address is in the way.
fn boundaries(target: &Url) -> Boundaries {
    let deny = CLOSED.map(|block| block.parse().unwrap());
    let plain = ["127.0.0.1", target.host_str().unwrap_or_default()];
    Boundaries {
        addresses: Addresses {
            allow: vec!["127.0.0.1".parse().unwrap()],
            deny: deny.into(),
        },
        insecure_hosts: plain.iter().filter_map(|host| host.parse().ok()).collect(),
        ..Boundaries::default()
    }
}

/// Tries all ways to one target, and names those on which something was heard there.
async fn leaks(target: &str, stored: &Image) -> Vec<String> {
    let ear = Ear::start();
    let target = format!("{target}:{}", ear.port);
    let url: Url = format!("http://{target}/").parse().unwrap();
    assert!(ear.is_reached_by(&url), "{target} would not answer");
    let before = ear.heard();
    let mut leaks = Vec::new();
    for place in 0..WAYS {
        let way = go(place, &target, &url, stored).await;
        if ear.heard() != before {
            leaks.push(format!("{way} to {target}: {:?}", ear.heard()));
        }
    }
    leaks
}

/// The lures of registries, and what the mirror itself names: a registry, a proxy, and one for a registry that is good.
const WAYS: usize = 17 + 3;

async fn go(place: usize, target: &str, url: &Url, stored: &Image) -> &'static str {
    let registry = FaultRegistry::start();
    registry.load("team/app", "v0", stored);
    let host = registry.host();
    let trusted = [target.to_owned(), url.authority().to_owned()];
    let settings = Settings {
        trusted_realms: trusted.into(),
        ..logged_in(insecure())
    };
    let pool = Pool::builder("transship/test");
    let pool = pool.boundaries(boundaries(url)).build();
    let through = |proxy: String| Settings {
        proxy: Some(Proxy {
            url: proxy,
            username: Some("me".to_owned()),
            password: Some("secret".into()),
        }),
        ..settings.clone()
    };
    let (way, client) = match place {
        17 => (
            "the registry",
            target
                .parse()
                .ok()
                .map(|named| pool.client(&named, &settings)),
        ),
        18 => {
            let settings = through(format!("http://{target}"));
            (
                "the proxy",
                Some(pool.client(&host.parse().unwrap(), &settings)),
            )
        }
        19 => {
            let settings = through(target.to_owned());
            (
                "the proxy, no scheme",
                Some(pool.client(&"r.test".parse().unwrap(), &settings)),
            )
        }
        _ => {
            let (lure, fault, method, path) = lures_to(&registry, target).swap_remove(place);
            registry.on(method, path).does(fault);
            (lure, Some(pool.client(&host.parse().unwrap(), &settings)))
        }
    };
    if let Some(Ok(client)) = client {
        everything_apart(&client, &image(), stored).await;
        assert!(place >= 17 || !registry.requests().is_empty(), "{way}");
    }
    way
}

/// Runs this test alone in a network of its own, or says why none can be made.
fn run_inside() -> Result<(), String> {
    let directory = tempfile::tempdir().unwrap();
    let hosts = directory.path().join("hosts");
    fs::write(&hosts, HOSTS).unwrap();
    let unshare = |arguments: &[&str]| -> Result<(), String> {
        let mut unshare = Command::new("unshare");
        unshare.args([
            "--map-root-user",
            "--net",
            "--mount",
            "sh",
            "-c",
            NETWORK,
            "sh",
        ]);
        unshare.arg(&hosts).args(arguments).env(INSIDE, "yes");
        let output = unshare.output().map_err(|error| error.to_string())?;
        let said = [output.stdout, output.stderr].concat();
        let said = String::from_utf8_lossy(&said).into_owned();
        output.status.success().then_some(()).ok_or(said)
    };
    unshare(&["true"])?;
    let program = std::env::current_exe().unwrap();
    let name = "registry::targets::no_way_leads_to_where_nobody_may_lead_us";
    let program = program.to_str().unwrap();
    let done = unshare(&[program, "--exact", name, "--nocapture"]);
    done.unwrap_or_else(|said| panic!("{said}"));
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn no_way_leads_to_where_nobody_may_lead_us() {
    if std::env::var_os(INSIDE).is_none() {
        if let Err(why) = run_inside() {
            println!("DID NOT RUN: no network of its own can be made here: {why}");
        }
        return;
    }
    let stored = ImageBuilder::new(4).layers(&[500]).build();
    let leaks = stream::iter(TARGETS).map(|target| leaks(target, &stored));
    let leaks: Vec<String> = leaks
        .buffer_unordered(4)
        .map(stream::iter)
        .flatten()
        .collect()
        .await;
    assert_eq!(leaks, Vec::<String>::new());
}
