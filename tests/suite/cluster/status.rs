// SPDX-License-Identifier: Apache-2.0

//! What stands on the resources at each moment, and how often it is written.

use std::fmt::Write as _;
use std::time::Instant;

use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::stage::{
    Stage, change, controller_of, handled, message, ready_for, request, sync, until,
    versions_since, within,
};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::ImageBuilder;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;
use crate::support::http::script::{Action, Gate};

/// What a tool that follows kstatus makes of an object, by kstatus's own rules.
fn kstatus(object: &Value) -> &'static str {
    let is_true =
        |name| find_condition(object, name).is_some_and(|found| found["status"] == "True");
    let observed = &object["status"]["observedGeneration"];
    if *observed != object["metadata"]["generation"] || is_true("Reconciling") {
        "InProgress"
    } else if is_true("Stalled") {
        "Failed"
    } else if find_condition(object, "Ready").is_none_or(|ready| ready["status"] == "True") {
        "Current"
    } else {
        "InProgress"
    }
}

/// Generation, and what is said of which.
fn summary(object: &Value) -> String {
    let (metadata, status) = (&object["metadata"], &object["status"]);
    let mut text = format!(
        "{}: generation {}, observed {}",
        kstatus(object),
        metadata["generation"],
        status["observedGeneration"]
    );
    for condition in status["conditions"].as_array().into_iter().flatten() {
        let word = |field: &str| condition[field].as_str().unwrap_or_default().to_owned();
        let (name, holds, reason) = (word("type"), word("status"), word("reason"));
        write!(text, ", {name}={holds} {reason}").unwrap();
        if condition["observedGeneration"] != metadata["generation"] {
            write!(text, " of {}", condition["observedGeneration"]).unwrap();
        }
    }
    text
}

/// Source and destination in memory, with one image.
fn registries() -> (FaultRegistry, FaultRegistry) {
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let image = ImageBuilder::new(1).layers(&[64]).build();
    source.load("app", "1", &image);
    (source, destination)
}

fn mirror_of(source: &FaultRegistry, destination: &FaultRegistry) -> Mirror {
    Mirror::of(&source.host())
        .image("app", &["*"])
        .destination("copy", &destination.host())
}

/// Holds all requests until the gate is opened.
fn hold(registry: &FaultRegistry) -> Gate {
    let gate = Gate::closed();
    registry.on("*", "/v2/").does(Action::Hold(gate.clone()));
    gate
}

/// What was to be seen of a mirror, step by step.
struct Diary {
    namespace: Namespace<'static>,
    lines: Vec<String>,
}

impl Diary {
    /// Notes what is to be seen now.
    async fn note_now(&mut self, step: &str) -> Value {
        let object = self.namespace.json("imir", "mirror").await.unwrap();
        self.note(step, object)
    }

    /// Notes what is to be seen when `Ready` has a reason.
    async fn note_when(&mut self, reason: &str, step: &str) -> Value {
        let object = ready_for(&self.namespace, "imir", "mirror", reason).await;
        self.note(step, object)
    }

    /// Notes what is to be seen when it was suspended: `Ready` stays what it was.
    async fn note_suspended(&mut self, step: &str) -> Value {
        let is_it =
            |object: &Value| message(object).ends_with("spec.suspend is true: no round runs");
        let object = self.namespace.wait_for("imir", "mirror", step, is_it).await;
        self.note(step, object)
    }

    fn note(&mut self, step: &str, object: Value) -> Value {
        self.lines.push(format!("{step}: {}", summary(&object)));
        object
    }

    async fn edit(&self, spec: Value) {
        change(&self.namespace, "imir", "mirror", &json!({"spec": spec})).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn conditions_tell_what_kstatus_needs_at_every_step() {
    let (source, destination) = registries();
    let mut diary = Diary {
        namespace: ControlPlane::shared().await.namespace("kstatus").await,
        lines: Vec::new(),
    };
    let mirror = mirror_of(&source, &destination);
    diary.namespace.apply(&mirror.to_string()).await;
    let fresh = diary.note_now("fresh").await;

    let gate = hold(&source);
    let _controller = controller_of(&diary.namespace).start().await;
    within("a request", gate.reached()).await;
    diary.note_now("first round").await;
    gate.open();
    diary.note_when("Succeeded", "synced").await;

    let gate = hold(&source);
    request(&diary.namespace, "mirror", "refresh").await;
    within("a request", gate.reached()).await;
    diary.note_now("refreshing").await;
    gate.open();
    handled(&diary.namespace, "mirror", "refresh").await;
    diary.note_now("refreshed").await;

    let gate = hold(&source);
    diary.edit(json!({"interval": "1h"})).await;
    within("a request", gate.reached()).await;
    diary.note_now("edited").await;
    gate.open();
    diary.note_when("Succeeded", "synced").await;

    let mars = json!({"cron": "0 3 * * *", "timeZone": "Mars/Olympus"});
    diary
        .edit(json!({"interval": null, "schedule": mars}))
        .await;
    let invalid = diary.note_when("InvalidSpec", "invalid").await;
    diary
        .edit(json!({"schedule": {"timeZone": "Europe/Berlin"}}))
        .await;
    diary.note_when("Succeeded", "mended").await;
    diary.edit(json!({"suspend": true})).await;
    diary.note_suspended("suspended").await;
    diary.edit(json!({"suspend": false})).await;
    diary.note_when("Succeeded", "resumed").await;
    insta::assert_snapshot!(diary.lines.join("\n"), @"
    fresh: InProgress: generation 1, observed -1
    first round: InProgress: generation 1, observed -1, Ready=Unknown Progressing, Reconciling=True Progressing
    synced: Current: generation 1, observed 1, Ready=True Succeeded
    refreshing: Current: generation 1, observed 1, Ready=True Succeeded
    refreshed: Current: generation 1, observed 1, Ready=True Succeeded
    edited: InProgress: generation 2, observed 1, Ready=Unknown Progressing, Reconciling=True Progressing
    synced: Current: generation 2, observed 2, Ready=True Succeeded
    invalid: Failed: generation 3, observed 3, Ready=False InvalidSpec, Stalled=True InvalidSpec
    mended: Current: generation 4, observed 4, Ready=True Succeeded
    suspended: Current: generation 5, observed 5, Ready=True Succeeded
    resumed: Current: generation 6, observed 6, Ready=True Succeeded
    ");

    let message = |name| find_condition(&invalid, name).unwrap()["message"].clone();
    assert_eq!(message("Ready"), message("Stalled"));
    insta::assert_snapshot!(message("Ready").as_str().unwrap(), @r#"spec.schedule: time zone "Mars/Olympus" does not exist: use a name of the IANA database, such as Europe/Berlin"#);
    assert_seen_at_no_moment(&versions_since(&diary.namespace, "imir", &fresh).await);
}

/// What tools would take for the end of something that goes on.
fn assert_seen_at_no_moment(versions: &[Value]) {
    for version in versions {
        let conditions = version["status"]["conditions"].as_array();
        for condition in conditions.into_iter().flatten() {
            let may_be_false = condition["type"] == "Ready";
            assert!(may_be_false || condition["status"] == "True", "{condition}");
        }
        let is_ready =
            find_condition(version, "Ready").is_some_and(|ready| ready["status"] == "True");
        assert!(is_ready || kstatus(version) != "Current", "{version:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_on_request_that_find_nothing_write_the_request_and_nothing_else() {
    let (source, destination) = registries();
    let stage = Stage::open("echo").await;
    let namespace = &stage.namespace;
    let mirror = mirror_of(&source, &destination).policy("all");
    let all = policy("all", &json!({"include": [".*"]}));
    namespace.apply(&format!("{mirror}{all}")).await;
    let before = ready_for(namespace, "imir", "mirror", "Succeeded").await;
    let used = |policy: &Value| policy["status"]["selected"] == 1;
    let policy = namespace.wait_for("impol", "all", "used", used).await;
    let records = namespace.list("mrepo").await;
    let written = stage.writes().await.len();

    for round in 1..=10 {
        sync(namespace, "mirror", &round.to_string()).await;
    }
    assert_eq!(stage.writes().await.len(), written + 10);
    assert_eq!(namespace.json("impol", "all").await.unwrap(), policy);
    assert_eq!(namespace.list("mrepo").await, records);
    let versions = versions_since(namespace, "imir", &before).await;
    // The annotation and the echo.
    assert_eq!(versions.len(), 20);
    for version in versions {
        assert_eq!(
            version["status"]["conditions"],
            before["status"]["conditions"]
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_on_schedule_that_find_nothing_write_nothing() {
    /// Each has one round more than the first.
    const MIRRORS: u32 = 10;
    let (source, destination) = registries();
    let stage = Stage::open("idle").await;
    let namespace = &stage.namespace;
    let all = policy("all", &json!({"include": [".*"]}));
    namespace.apply(&all).await;
    for number in 0..MIRRORS {
        let name = format!("mirror-{number}");
        let mirror = mirror_of(&source, &destination)
            .named(&name)
            .policy("all")
            .with(
                "/destinations/0/repository",
                format!("{name}/{{repository}}"),
            )
            .with("/interval", "30s");
        namespace.apply(&mirror.to_string()).await;
    }
    for number in 0..MIRRORS {
        ready_for(namespace, "imir", &format!("mirror-{number}"), "Succeeded").await;
    }
    let used = |policy: &Value| policy["status"]["selected"] == MIRRORS;
    namespace
        .wait_for("impol", "all", "used by all", used)
        .await;
    let objects = async || {
        let kinds = [
            namespace.list("imir").await,
            namespace.list("impol").await,
            namespace.list("mrepo").await,
        ];
        kinds.concat()
    };
    let before = objects().await;
    let rounds = async || {
        let rounds = "transship_rounds_total{result=\"succeeded\",reason=\"Succeeded\"}";
        stage.controller.metric(rounds).await.unwrap_or_default()
    };
    let (first, idle) = (rounds().await, f64::from(MIRRORS));
    let all_had_one = async || rounds().await >= first + idle;
    until("a round of each", all_had_one).await;
    assert_eq!(objects().await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn rounds_that_fail_as_the_one_before_write_nothing() {
    let (source, destination) = registries();
    source.on("*", "/v2/").responds(Reply::new(403));
    let stage = Stage::open("failing").await;
    let namespace = &stage.namespace;
    let mirror = mirror_of(&source, &destination).policy("all");
    let all = policy("all", &json!({"include": [".*"]}));
    namespace.apply(&format!("{mirror}{all}")).await;
    let twice = |mirror: &Value| mirror["status"]["failures"][0]["attempts"] == 2;
    let before = namespace
        .wait_for("imir", "mirror", "tried twice", twice)
        .await;
    let written = stage.writes().await.len();
    let rounds = "transship_rounds_total{result=\"failed\",reason=\"AccessDenied\"}";
    let thrice = async || stage.controller.metric(rounds).await.unwrap_or_default() >= 3.0;
    until("a third round", thrice).await;
    assert_eq!(namespace.json("imir", "mirror").await.unwrap(), before);
    assert_eq!(stage.writes().await.len(), written);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_round_that_copies_tells_its_progress_every_ten_seconds_at_most() {
    /// Images that arrive together. All of them are asked for at once.
    const BATCH: u64 = 2;
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let mut gates = Vec::new();
    for number in 0..3 * BATCH {
        let image = ImageBuilder::new(number).layers(&[64]).build();
        source.load("app", &number.to_string(), &image);
        if number % BATCH == 0 {
            gates.push(Gate::closed());
        }
        for blob in &image.blobs {
            let gate = gates.last().unwrap().clone();
            source
                .on("GET", blob.digest.clone())
                .does(Action::Hold(gate));
        }
    }
    let stage = Stage::open("progress").await;
    let namespace = &stage.namespace;
    let began = Instant::now();
    namespace
        .apply(&mirror_of(&source, &destination).to_string())
        .await;
    let mut seen = Vec::new();
    for (gate, done) in gates.iter().zip(1..) {
        let what = format!("{done} batches are there");
        gate.open();
        let object = namespace
            .wait_for("imir", "mirror", &what, |mirror| {
                mirror["status"]["tags"]["synced"] == done * BATCH
            })
            .await;
        seen.push(summary(&object));
    }
    insta::assert_snapshot!(seen.join("\n"), @"
    InProgress: generation 1, observed -1, Ready=Unknown Progressing, Reconciling=True Progressing
    InProgress: generation 1, observed -1, Ready=Unknown Progressing, Reconciling=True Progressing
    Current: generation 1, observed 1, Ready=True Succeeded
    ");
    // The first word, the last word, and one for each ten seconds in between.
    let writes = stage.writes().await;
    let statuses = writes
        .iter()
        .filter(|write| write.resource == "imagemirrors")
        .count();
    let most = 2 + began.elapsed().as_secs() / 10;
    assert!(
        (4..=most).contains(&(statuses as u64)),
        "{statuses} writes, at most {most}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn twenty_thousand_tags_fit_into_bounded_objects() {
    const TAGS: usize = 20_000;
    /// The longest name that a tag can have.
    const TAG_LENGTH: usize = 128;
    let (source, destination) = (FaultRegistry::start(), FaultRegistry::start());
    let repository = ["a-long-name-of-a-repository"; 8].join("/");
    let image = ImageBuilder::new(1).layers(&[64]).build();
    source.load(&repository, "0", &image);
    destination.load(&repository, "0", &image);
    for number in 1..TAGS {
        let tag = format!("{number:0TAG_LENGTH$}");
        source.load_manifest(&repository, &tag, &image.root);
        // Some are there, some are only tagged, and some cannot be.
        match number % 100 {
            0 => {
                let denied = Reply::error(403, "DENIED", &"no ".repeat(200));
                destination.on("PUT", tag).responds(denied);
            }
            1 => {}
            _ => destination.load_manifest(&repository, &tag, &image.root),
        }
    }
    let stage = Stage::open("many").await;
    let namespace = &stage.namespace;
    let mirror = Mirror::of(&source.host())
        .image(&repository, &["*"])
        .destination("copy", &destination.host());
    namespace.apply(&mirror.to_string()).await;
    let mirror = ready_for(namespace, "imir", "mirror", "AccessDenied").await;
    assert_eq!(mirror["status"]["tags"]["selected"], TAGS);
    assert_eq!(mirror["status"]["synced"], "19801/20000");
    let status = mirror["status"].to_string();
    assert!(status.len() <= 32 * 1024, "{} bytes", status.len());
    let records = namespace.list("mrepo").await;
    for record in &records {
        let length = record.to_string().len();
        assert!(length < 1_000_000, "{length} bytes");
    }
    let recorded: usize = records
        .iter()
        .map(|record| record["status"]["tags"].as_array().unwrap().len())
        .sum();
    assert_eq!(recorded, TAGS);
}
