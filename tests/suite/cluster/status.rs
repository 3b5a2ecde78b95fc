//! What stands on the resources at each moment, and how often it is written.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::objects::{Mirror, policy};
use super::stage::{
    Stage, change, controller_of, handled, ready_for, request, sync, versions_since,
};
use crate::support::cluster::ControlPlane;
use crate::support::cluster::namespace::find_condition;
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

#[tokio::test(flavor = "multi_thread")]
async fn conditions_tell_what_kstatus_needs_at_every_step() {
    let (source, destination) = registries();
    let namespace = ControlPlane::shared().await.namespace("kstatus").await;
    let mut told = Vec::new();
    let mut tell = |step: &str, object: &Value| told.push(format!("{step}: {}", summary(object)));

    namespace
        .apply(&mirror_of(&source, &destination).to_string())
        .await;
    let fresh = namespace.json("imir", "mirror").await.unwrap();
    tell("fresh", &fresh);

    let gate = hold(&source);
    let _controller = controller_of(&namespace).start().await;
    gate.reached().await;
    tell(
        "first round",
        &namespace.json("imir", "mirror").await.unwrap(),
    );
    gate.open();
    tell(
        "synced",
        &ready_for(&namespace, "imir", "mirror", "Succeeded").await,
    );

    let gate = hold(&source);
    request(&namespace, "mirror", "refresh").await;
    gate.reached().await;
    tell(
        "refreshing",
        &namespace.json("imir", "mirror").await.unwrap(),
    );
    gate.open();
    tell("refreshed", &handled(&namespace, "mirror", "refresh").await);

    let gate = hold(&source);
    let spec = |spec: Value| json!({"spec": spec});
    change(
        &namespace,
        "imir",
        "mirror",
        &spec(json!({"interval": "1h"})),
    )
    .await;
    gate.reached().await;
    tell("edited", &namespace.json("imir", "mirror").await.unwrap());
    gate.open();
    tell(
        "synced",
        &ready_for(&namespace, "imir", "mirror", "Succeeded").await,
    );

    let mars =
        json!({"interval": null, "schedule": {"cron": "0 3 * * *", "timeZone": "Mars/Olympus"}});
    change(&namespace, "imir", "mirror", &spec(mars)).await;
    let invalid = ready_for(&namespace, "imir", "mirror", "InvalidSpec").await;
    tell("invalid", &invalid);
    let message = |name| find_condition(&invalid, name).unwrap()["message"].clone();
    assert_eq!(message("Ready"), message("Stalled"));
    insta::assert_snapshot!(message("Ready").as_str().unwrap(), @r#"spec.schedule: time zone "Mars/Olympus" does not exist: use a name of the IANA database, such as Europe/Berlin"#);
    let earth = json!({"schedule": {"timeZone": "Europe/Berlin"}});
    change(&namespace, "imir", "mirror", &spec(earth)).await;
    tell(
        "mended",
        &ready_for(&namespace, "imir", "mirror", "Succeeded").await,
    );

    change(
        &namespace,
        "imir",
        "mirror",
        &spec(json!({"suspend": true})),
    )
    .await;
    tell(
        "suspended",
        &ready_for(&namespace, "imir", "mirror", "Suspended").await,
    );
    change(
        &namespace,
        "imir",
        "mirror",
        &spec(json!({"suspend": false})),
    )
    .await;
    tell(
        "resumed",
        &ready_for(&namespace, "imir", "mirror", "Succeeded").await,
    );
    insta::assert_snapshot!(told.join("\n"), @"
    fresh: InProgress: generation 1, observed -1
    first round: InProgress: generation 1, observed -1, Ready=Unknown Progressing, Reconciling=True Progressing
    synced: Current: generation 1, observed 1, Ready=True Succeeded
    refreshing: Current: generation 1, observed 1, Ready=True Succeeded
    refreshed: Current: generation 1, observed 1, Ready=True Succeeded
    edited: InProgress: generation 2, observed 1, Ready=Unknown Progressing, Reconciling=True Progressing
    synced: Current: generation 2, observed 2, Ready=True Succeeded
    invalid: Failed: generation 3, observed 3, Ready=False InvalidSpec, Stalled=True InvalidSpec
    mended: Current: generation 4, observed 4, Ready=True Succeeded
    suspended: InProgress: generation 5, observed 5, Ready=Unknown Suspended
    resumed: Current: generation 6, observed 6, Ready=True Succeeded
    ");

    // And at no moment in between was anything else to be seen.
    for version in versions_since(&namespace, "imir", &fresh).await {
        let conditions = version["status"]["conditions"]
            .as_array()
            .into_iter()
            .flatten();
        for condition in conditions.filter(|condition| condition["type"] != "Ready") {
            assert_eq!(condition["status"], "True", "{condition}");
        }
        if find_condition(&version, "Ready").is_none_or(|ready| ready["status"] != "True") {
            assert_ne!(kstatus(&version), "Current", "{version:#}");
        }
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
    const MIRRORS: usize = 10;
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
    let (first, idle) = (rounds().await, MIRRORS as f64);
    while rounds().await < first + idle {
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert_eq!(objects().await, before);
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
                destination
                    .on("PUT", tag)
                    .responds(Reply::error(403, "DENIED", &"no ".repeat(200)))
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
    assert_eq!(records.len(), 20);
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
