// SPDX-License-Identifier: Apache-2.0

//! Several replicas that share the work: each mirror is one replica's at any time, whatever becomes of the replicas.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::{Duration, Instant};

use futures::future::join_all;
use serde_json::{Value, json};

use super::scene::{Replica, Scene, is_holding};
use crate::support::access_log::is_mutating;
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{Controller, Namespace};
use crate::support::faults::FaultRegistry;
use crate::support::http::Request;
use crate::support::http::script::{Action, Gate, Recorded};
use crate::support::program::Program;

/// So many shards there are.
const SHARDS: u8 = 12;
/// So many mirrors.
const MIRRORS: usize = 24;
/// Within this, somebody else has the shards of one that died or hangs.
const TAKEOVER: Duration = Duration::from_secs(20);
/// Within this, one that comes has its part.
const JOINING: Duration = Duration::from_secs(30);
/// How often it is looked.
const POLL: Duration = Duration::from_millis(100);
/// More than a connection holds while nobody reads from it.
pub(super) const LAYER: usize = 16 << 20;

/// Mirrors, and a destination for them.
struct Fleet {
    scene: Scene,
    destination: FaultRegistry,
}

impl Fleet {
    /// Mirrors that have nothing in common but the source.
    async fn prepare(name: &str) -> Self {
        let scene = Scene::prepare(name, 1_000).await;
        let destination = FaultRegistry::start();
        for name in mirrors() {
            let place = scene.place(&format!("{name}/{{repository}}"));
            scene.mirror_as(&name, &destination.host(), &place).await;
        }
        Self { scene, destination }
    }

    async fn wait_until_ready(&self) {
        let names: Vec<String> = mirrors().collect();
        let ready = names
            .iter()
            .map(|name| self.scene.wait_until_one_is_ready(name));
        join_all(ready).await;
    }

    /// Asks for a round of each mirror, and waits until all of them were made.
    async fn go_round(&self, request: &str) {
        for name in mirrors() {
            self.scene.ask_one_for_round(&name, request).await;
        }
        let names: Vec<String> = mirrors().collect();
        let is_handled = |mirror: &Value| {
            mirror["status"]["lastHandledReconcileAt"] == request
                && find_condition(mirror, "Ready").is_some_and(|ready| ready["status"] == "True")
        };
        let namespace = self.scene.namespace();
        let handled = names
            .iter()
            .map(|name| namespace.wait_for("imir", name, request, is_handled));
        join_all(handled).await;
    }

    /// Waits until so many share the work; says how long that took.
    async fn wait_until_shared(&self, members: usize) -> Duration {
        wait_until_shared(self.scene.namespace(), SHARDS, members).await
    }
}

/// Waits until each of so many shards is held, by one of so many members, evenly; says how long that took.
pub(super) async fn wait_until_shared(
    namespace: &Namespace<'_>,
    shards: u8,
    members: usize,
) -> Duration {
    let began = Instant::now();
    loop {
        let held = holders(namespace).await;
        let counts: BTreeSet<usize> = loads(&held).into_values().collect();
        let each = usize::from(shards) / members;
        if held.len() == usize::from(shards) && counts == BTreeSet::from([each]) {
            return began.elapsed();
        }
        assert!(began.elapsed() < JOINING * 2, "{held:?}");
        tokio::time::sleep(POLL).await;
    }
}

fn mirrors() -> impl Iterator<Item = String> {
    (0..MIRRORS).map(|number| format!("mirror-{number}"))
}

/// Who holds which shard.
pub(super) async fn holders(namespace: &Namespace<'_>) -> BTreeMap<String, String> {
    let leases = namespace.list("lease").await.into_iter();
    let shards = leases.filter_map(|lease| {
        let name = lease["metadata"]["name"].as_str()?.to_owned();
        let holder = lease["spec"]["holderIdentity"].as_str()?.to_owned();
        (name.contains("-shard-") && !holder.is_empty()).then_some((name, holder))
    });
    shards.collect()
}

fn loads(held: &BTreeMap<String, String>) -> BTreeMap<&String, usize> {
    let mut loads = BTreeMap::new();
    for holder in held.values() {
        *loads.entry(holder).or_default() += 1;
    }
    loads
}

/// Rounds that ended well, of all of these.
fn rounds(members: &[&Controller]) -> usize {
    let mut rounds = 0;
    for member in members {
        let log = member.log();
        let ended = log
            .iter()
            .filter(|line| line["message"] == "the round ended");
        rounds += ended.count();
    }
    rounds
}

/// Who a member is: it says so when it joins.
pub(super) async fn identity(member: &Controller) -> String {
    let line = member
        .wait_for_log(|line| line["message"] == "sharing the work")
        .await;
    line["member"].as_str().unwrap().to_owned()
}

/// Waits until nobody of that name holds anything.
pub(super) async fn wait_until_replaced(
    namespace: &Namespace<'_>,
    shards: u8,
    gone: &str,
) -> Duration {
    let began = Instant::now();
    loop {
        let held = holders(namespace).await;
        if held.len() == usize::from(shards) && !held.values().any(|holder| holder == gone) {
            return began.elapsed();
        }
        assert!(began.elapsed() < TAKEOVER * 3, "{held:?}");
        tokio::time::sleep(POLL).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn members_come_and_go_and_each_round_is_run_once() {
    let fleet = Fleet::prepare("shares").await;
    let scene = &fleet.scene;
    let of_one = scene.member("one", SHARDS).await;
    let of_two = scene.member("two", SHARDS).await;
    let of_three = scene.member("three", SHARDS).await;
    let one = of_one.start().await;
    fleet.wait_until_ready().await;
    assert_eq!(rounds(&[&one]), MIRRORS);

    let (two, three) = (of_two.start().await, of_three.start().await);
    let took = fleet.wait_until_shared(3).await;
    println!("two that came had their part after {took:?}");
    assert!(took <= JOINING, "{took:?}");
    assert_eq!(rounds(&[&one, &two, &three]), MIRRORS, "none again");
    fleet.go_round("three share").await;
    assert_eq!(rounds(&[&one, &two, &three]), MIRRORS * 2);
    for member in [&one, &two, &three] {
        assert!(rounds(&[member]) > 0, "{}", member.output());
        let mut held = 0.0;
        for shard in 0..SHARDS {
            let series = format!("transship_shard_held{{shard=\"{shard}\"}}");
            held += member.metric(&series).await.unwrap();
        }
        assert!((held - 4.0).abs() < 0.1, "{held}");
    }

    // In the middle of rounds one dies.
    let dead = identity(&two).await;
    for name in mirrors() {
        scene.ask_one_for_round(&name, "one dies").await;
    }
    let mut two = two;
    two.kill();
    let took = wait_until_replaced(scene.namespace(), SHARDS, &dead).await;
    println!("the shards of one that was killed were taken after {took:?}");
    assert!(took <= TAKEOVER, "{took:?}");
    fleet.go_round("one is dead").await;
    let before = rounds(&[&one, &three]);
    fleet.go_round("two share").await;
    assert_eq!(rounds(&[&one, &three]), before + MIRRORS);

    let (status, output) = three.stop().await;
    assert_eq!(status.code(), Some(0), "{output}");
    let took = fleet.wait_until_shared(1).await;
    println!("the shards of one that stopped were taken after {took:?}");
    let before = rounds(&[&one]);
    fleet.go_round("one is left").await;
    assert_eq!(rounds(&[&one]), before + MIRRORS);
    for name in mirrors() {
        for (repository, tag) in [("app", "1"), ("app", "2"), ("tool", "1")] {
            let place = scene.place(&format!("{name}/{repository}"));
            let client = fleet.destination.client();
            let found = client.resolve_digest(&place, tag).await.unwrap();
            assert!(found.is_some(), "{place}:{tag}");
        }
    }
}

/// The body of a large blob.
pub(super) fn is_large_upload(request: &Request) -> bool {
    let length = request.headers.value("content-length");
    request.method == "PUT"
        && request.path.contains("/uploads/")
        && length.is_some_and(|length| length.parse::<usize>().is_ok_and(|length| length >= LAYER))
}

pub(super) fn changes(requests: &[Recorded]) -> Vec<(String, String)> {
    let changes = requests
        .iter()
        .filter(|request| is_mutating(&request.method));
    changes
        .map(|request| (request.method.clone(), request.path.clone()))
        .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_member_that_was_halted_writes_nothing_once_its_lease_has_passed() {
    let scene = Scene::prepare("shard-halted", LAYER).await;
    let destination = FaultRegistry::start();
    let gate = Gate::closed();
    let held = destination.script().when(is_large_upload).nth(1);
    held.does(Action::HoldUpload(gate.clone()));
    let (one, two) = (scene.member("one", 2).await, scene.member("two", 2).await);
    let (mut first, mut second) = (one.start().await, two.start().await);
    wait_until_shared(scene.namespace(), 2, 2).await;
    scene.mirror_to(&destination.host()).await;
    gate.reached().await;
    let (old, next) = whose_round(&scene, (&one, &mut first), (&two, &mut second)).await;
    let (replica, old) = old;
    old.halt().await;
    let halted = Instant::now();
    scene.wait_until_ready().await;
    println!(
        "somebody else finished the round after {:?}",
        halted.elapsed()
    );
    let writes = replica.writes(&scene).await;
    let before = changes(&destination.requests());
    tokio::time::sleep(Duration::from_secs(30).saturating_sub(halted.elapsed())).await;
    old.go_on();
    gate.open();
    let status = old.ended().await;
    assert_eq!(status.code(), Some(1), "{}", old.output());
    assert!(
        old.output().contains("the lease is lost"),
        "{}",
        old.output()
    );
    destination.quiet().await;
    assert_eq!(
        changes(&destination.requests()),
        before,
        "{}",
        next.1.output()
    );
    assert_eq!(replica.writes(&scene).await, writes);
    scene
        .wait_for_round("after the end of the one that hung")
        .await;
    scene.assert_mirrored(&destination.client()).await;
}

pub(super) type Running<'a> = (&'a Replica, &'a mut Controller);

/// Who has begun the round, and the other one.
pub(super) async fn whose_round<'a>(
    scene: &Scene,
    one: Running<'a>,
    two: Running<'a>,
) -> (Running<'a>, Running<'a>) {
    let writes = one.0.writes(scene).await;
    let is_mirrors = |resource: &str| resource == "imagemirrors.transship.dev/status";
    if writes
        .iter()
        .any(|entry| is_mirrors(&entry.full_resource()))
    {
        (one, two)
    } else {
        (two, one)
    }
}

/// Mirrors of two images that want the same tags, each two of them the same one.
async fn rivals(scene: &Scene, destination: &str, pairs: usize) {
    let mirrors = scene
        .client()
        .path("imir", Some(scene.namespace().name()))
        .await;
    let objects = (0..pairs).flat_map(|pair| {
        [("app", pair), ("tool", pair)].map(|(repository, pair)| {
            json!({
                "apiVersion": "transship.dev/v1alpha1",
                "kind": "ImageMirror",
                "metadata": {"name": format!("{repository}-{pair}")},
                "spec": {
                    "source": {"registry": scene.source(), "insecure": true},
                    "images": [{"repository": repository, "tags": ["1"]}],
                    "destinations": [{
                        "name": "destination", "registry": destination, "insecure": true,
                        "repository": scene.place(&format!("shared-{pair}")),
                    }],
                    "interval": "1h",
                },
            })
        })
    });
    let objects: Vec<Value> = objects.collect();
    let created = objects
        .iter()
        .map(|object| scene.client().create(&mirrors, object));
    for created in join_all(created).await {
        created.assert_success();
    }
}

/// Whether a member has run a round of a mirror.
fn has_run(member: &Controller, mirror: &str) -> bool {
    let is_of = |line: &Value| line["spans"].to_string().contains(&format!("/{mirror}\""));
    let log = member.log();
    let mut ended = log
        .iter()
        .filter(|line| line["message"] == "the round ended");
    ended.any(is_of)
}

/// Whether the mirrors of a pair are of different members, once both have run.
async fn is_split(members: [&Controller; 2], pair: usize) -> bool {
    let began = Instant::now();
    let mirrors = [format!("app-{pair}"), format!("tool-{pair}")];
    loop {
        let ran = mirrors
            .each_ref()
            .map(|mirror| members.map(|member| has_run(member, mirror)));
        if let [[true, _] | [_, true], [true, _] | [_, true]] = ran {
            return ran[0] != ran[1];
        }
        assert!(began.elapsed() < TAKEOVER * 3, "{mirrors:?} {ran:?}");
        tokio::time::sleep(POLL).await;
    }
}

/// The mirrors of a pair that are ready, and those that say that somebody else has the tag.
async fn outcome(scene: &Scene, pair: usize) -> (Vec<&'static str>, Vec<&'static str>) {
    let (mut ready, mut refused) = (Vec::new(), Vec::new());
    for repository in ["app", "tool"] {
        let mirror = scene
            .namespace()
            .json("imir", &format!("{repository}-{pair}"))
            .await;
        let mirror = mirror.unwrap();
        let Some(condition) = find_condition(&mirror, "Ready") else {
            continue;
        };
        if condition["status"] == "True" {
            ready.push(repository);
        } else if condition["reason"] == "DestinationConflict" {
            refused.push(repository);
        }
    }
    (ready, refused)
}

#[tokio::test(flavor = "multi_thread")]
async fn mirrors_of_different_shards_never_share_a_tag() {
    const PAIRS: usize = 12;
    let scene = Scene::prepare("shard-rivals", 1_000).await;
    let destination = FaultRegistry::start();
    let (of_one, of_two) = (scene.member("one", 64).await, scene.member("two", 64).await);
    let (one, two) = (of_one.start().await, of_two.start().await);
    wait_until_shared(scene.namespace(), 64, 2).await;
    rivals(&scene, &destination.host(), PAIRS).await;
    let mut split = Vec::new();
    for pair in 0..PAIRS {
        if is_split([&one, &two], pair).await {
            split.push(pair);
        }
    }
    assert!(!split.is_empty(), "all pairs are of one member each");
    let began = Instant::now();
    for pair in &split {
        loop {
            let (ready, refused) = outcome(&scene, *pair).await;
            assert!(ready.len() < 2, "both have shared-{pair}:1");
            if ready.len() == 1 && refused.len() == 1 {
                break;
            }
            assert!(
                began.elapsed().as_secs() < 240,
                "{pair}: {ready:?} {refused:?}\n{}\n{}",
                one.output(),
                two.output()
            );
            tokio::time::sleep(POLL).await;
        }
    }
    // Nobody wrote over what another one had.
    let requests = destination.requests();
    for pair in &split {
        let path = format!("{}/manifests/1", scene.place(&format!("shared-{pair}")));
        let written = requests
            .iter()
            .filter(|request| request.method == "PUT" && request.path.ends_with(&path));
        assert_eq!(written.count(), 1, "shared-{pair}");
    }
    assert!(
        !one.log().iter().any(is_holding),
        "nobody works on everything"
    );
}

#[tokio::test]
async fn what_does_not_go_with_shards_is_refused() {
    let cases = [
        (
            vec!["--shards=2", "--events-address=127.0.0.1:0"],
            "--shards and --events-address exclude each other",
        ),
        (
            vec!["--shards=2", "--watch-namespaces=a,b"],
            "--shards needs all namespaces or a single one",
        ),
        (vec!["--shards=65"], "65 is not in 0..=64"),
    ];
    for (arguments, expected) in cases {
        let program = Path::new(env!("CARGO_BIN_EXE_transship"));
        let arguments = ["controller"].into_iter().chain(arguments);
        let refused = Program::at(program, &arguments.collect::<Vec<_>>())
            .run()
            .await;
        assert_eq!(refused.code, Some(2), "{refused:?}");
        assert!(refused.stderr.contains(expected), "{refused:?}");
    }
}
