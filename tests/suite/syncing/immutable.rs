// SPDX-License-Identifier: Apache-2.0

//! Tags that a mirror says never move: nobody is asked about them, but now and then about all that they lead to.

use serde_json::json;

use super::*;
use crate::support::faults::FaultRegistry;
use crate::support::http::Reply;

const TAGS: [&str; 3] = ["v1", "v2", "v3"];
/// Long before any look that counts.
const LONG_AGO: &str = "2020-01-01T00:00:00Z";

/// Two registries, a mirror between them, and what it remembers.
struct Yard {
    source: Registry,
    destination: Registry,
    directory: TempDir,
}

impl Yard {
    async fn open(kind: Kind) -> Self {
        let (source, destination) = pair(kind).await;
        for (seed, tag) in (0_u64..).zip(TAGS) {
            source.client().push("app", tag, &Self::image(seed)).await;
        }
        Self {
            source,
            destination,
            directory: TempDir::new().unwrap(),
        }
    }

    fn image(seed: u64) -> Image {
        let builder = ImageBuilder::new(seed).platforms(&["linux/amd64", "linux/arm64"]);
        builder.layers(&[2_000, 20_000]).build()
    }

    fn mirror(&self) -> Mirror {
        let mirror = Mirror::from(&self.source).image("app", &TAGS);
        mirror.to(&self.destination)
    }

    /// A run that remembers; how many requests the source and the destination had.
    async fn sync(&self, mirror: &Mirror) -> (Report, [usize; 2]) {
        self.source.forget_requests().await;
        self.destination.forget_requests().await;
        let state = self.directory.path().join("state.json");
        let command = mirror.command().argument("--state").argument(&state);
        let report = Report::read(&command.run().await);
        let read = self.source.requests().await.len();
        (report, [read, self.destination.requests().await.len()])
    }

    /// Makes all that is on record a thing of long ago.
    fn age(&self) {
        let state = self.directory.path().join("state.json");
        let mut document: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
        let aged = age(&mut document);
        assert!(aged >= TAGS.len(), "{document}");
        std::fs::write(&state, document.to_string()).unwrap();
        // Nothing beside it says that somebody else wrote it.
        std::fs::remove_file(self.directory.path().join("state.json.lock")).unwrap();
    }

    async fn assert_whole(&self) {
        assert_same(&self.source, &self.destination, "app", &TAGS).await;
    }
}

fn age(value: &mut Value) -> usize {
    match value {
        Value::Object(fields) => {
            let mut aged = 0;
            for (name, value) in fields {
                if ["copiedAt", "checkedAt"].contains(&name.as_str()) {
                    *value = json!(LONG_AGO);
                    aged += 1;
                } else {
                    aged += age(value);
                }
            }
            aged
        }
        Value::Array(items) => items.iter_mut().map(age).sum(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_about_what_is_on_record() {
    let yard = Yard::open(Kind::Distribution3).await;
    let immutable = yard.mirror().with("immutableTags: ['v*']");
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [3, 0, 0, 0, 0], "{}", report.text);
    yard.assert_whole().await;

    let (report, requests) = yard.sync(&immutable).await;
    assert_eq!(
        (report.code, report.counts(), requests),
        (Some(0), [0, 0, 3, 0, 0], [0, 0]),
        "{}",
        report.text
    );
    let others = [
        ("another name", "immutableTags: ['w*']", [0, 0, 3, 0, 0], 3),
        ("nothing said", "suspend: false", [0, 0, 3, 0, 0], 3),
        ("one of them", "immutableTags: [v1, v2]", [0, 0, 3, 0, 0], 1),
    ];
    for (name, field, counts, looks) in others {
        let (report, [_, there]) = yard.sync(&yard.mirror().with(field)).await;
        assert_eq!((report.counts(), there), (counts, looks), "{name}");
    }
    // Of what is not wanted in this shape nothing is on record.
    let fewer = immutable.with("platforms: {mode: List, list: [linux/amd64]}");
    let (report, _) = yard.sync(&fewer).await;
    assert_eq!(report.counts(), [3, 0, 0, 0, 0], "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_deleted_or_broke_is_found_in_time_and_copied_again() {
    let image = Yard::image(1);
    let (child, layer) = (&image.children[0].digest, &image.blobs[0].digest);
    for damage in ["a tag", "a child", "a blob", "a blob behind its back"] {
        let yard = Yard::open(Kind::Distribution3).await;
        let client = yard.destination.client();
        let immutable = yard.mirror().with("immutableTags: ['*']");
        yard.sync(&immutable).await;
        match damage {
            "a tag" => {
                let path = "/v2/app/manifests/v2";
                assert_eq!(client.delete(path).await.unwrap().status, 202);
            }
            "a child" => {
                let path = format!("/v2/app/manifests/{child}");
                assert_eq!(client.delete(&path).await.unwrap().status, 202);
            }
            "a blob" => {
                let path = format!("/v2/app/blobs/{layer}");
                assert_eq!(client.delete(&path).await.unwrap().status, 202);
            }
            _ => yard.destination.lose_content(layer),
        }
        let (report, requests) = yard.sync(&immutable).await;
        assert_eq!(
            (report.counts(), requests),
            ([0, 0, 3, 0, 0], [0, 0]),
            "{damage}: not before it is time"
        );

        yard.age();
        let (report, _) = yard.sync(&immutable).await;
        let expected = (Some(0), [1, 0, 2, 0, 0]);
        assert_eq!(
            (report.code, report.counts()),
            expected,
            "{damage}: {}",
            report.text
        );
        yard.assert_whole().await;
        let (report, requests) = yard.sync(&immutable).await;
        let expected = ([0, 0, 3, 0, 0], [0, 0]);
        assert_eq!(
            (report.counts(), requests),
            expected,
            "{damage}: {}",
            report.text
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_look_writes_nothing_where_all_is_there() {
    let yard = Yard::open(Kind::Distribution3).await;
    let immutable = yard.mirror().with("immutableTags: ['*']");
    yard.sync(&immutable).await;
    yard.age();
    let (report, [read, _]) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [0, 0, 3, 0, 0], "{}", report.text);
    let there = yard.destination.requests().await;
    assert_eq!(writes(&there), 0, "{there:#?}");
    let blobs = count(&yard.source.requests().await, "GET", Resource::Blob);
    assert_eq!((blobs, read > 0), (0, true));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tag_that_moves_all_the_same_is_treated_as_the_mirror_says_once_it_is_looked_at() {
    let yard = Yard::open(Kind::Distribution3).await;
    let fields = "immutableTags: ['*']\n  tagMutability: Fail";
    let immutable = yard.mirror().with(fields);
    yard.sync(&immutable).await;
    let client = yard.source.client();
    client.push("app", "v2", &Yard::image(100)).await;
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [0, 0, 3, 0, 0], "{}", report.text);
    yard.age();
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [0, 0, 2, 0, 1], "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_mirror_wrote_over_it_since_is_looked_at() {
    let yard = Yard::open(Kind::Distribution3).await;
    let other = Yard::image(9);
    yard.source.client().push("other", "v1", &other).await;
    let immutable = yard.mirror().with("immutableTags: ['*']");
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [3, 0, 0, 0, 0], "{}", report.text);
    // Nobody who reads this file alone sees that the two of them want one tag.
    let overwriting = Mirror::from(&yard.source).image("other", &["v1"]);
    let overwriting = overwriting.at(&yard.destination.host(), ", repository: app");
    let named = overwriting.yaml().replace("{name: m}", "{name: other}");
    let state = yard.directory.path().join("state.json");
    let run = Program::transship(&["sync", "-o", "json", "-f", "-", "--state"]);
    let finished = run.argument(&state).input(named).run().await;
    assert_eq!(Report::read(&finished).counts(), [1, 0, 0, 0, 0]);

    let (report, [_, there]) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [1, 0, 2, 0, 0], "{}", report.text);
    assert!(there > 0, "the destination was asked");
    yard.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_confirms_and_does_not_store_fails() {
    let yard = Yard::open(Kind::Distribution3).await;
    let immutable = yard.mirror().with("immutableTags: ['*']");
    yard.sync(&immutable).await;
    let image = Yard::image(1);
    let layer = image.blobs.iter().max_by_key(|blob| blob.bytes.len());
    yard.destination.cut_content(&layer.unwrap().digest);
    yard.age();
    for _ in 0..2 {
        let (report, _) = yard.sync(&immutable).await;
        let told = "confirmed what was copied again, and still does not serve all of it";
        assert!(report.text.contains(told), "{}", report.text);
        assert_eq!(report.counts(), [0, 0, 2, 0, 1], "{}", report.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_told_is_no_loss() {
    let source = FaultRegistry::start();
    let destination = FaultRegistry::start();
    source.load("app", "v1", &Yard::image(1));
    let directory = TempDir::new().unwrap();
    let state = directory.path().join("state.json");
    let yaml = format!(
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nmetadata: {{name: m}}\nspec:\n  \
         source: {{registry: '{source}', insecure: true}}\n  images: [{{repository: app, tags: [v1]}}]\n  \
         destinations: [{{name: d, registry: '{destination}', insecure: true}}]\n  immutableTags: ['*']\n",
        source = source.host(),
        destination = destination.host(),
    );
    let sync = async || {
        let program = Program::transship(&["sync", "-o", "json", "-f", "-"]).input(yaml.clone());
        Report::read(&program.argument("--state").argument(&state).run().await)
    };
    assert_eq!(sync().await.counts(), [1, 0, 0, 0, 0]);
    let mut document: Value = serde_json::from_slice(&std::fs::read(&state).unwrap()).unwrap();
    age(&mut document);
    std::fs::write(&state, document.to_string()).unwrap();
    destination.on("GET", "/blobs/").responds(Reply::new(403));
    destination.on("HEAD", "/blobs/").responds(Reply::new(403));
    let report = sync().await;
    assert_eq!(report.counts(), [0, 0, 0, 0, 1], "{}", report.text);
    assert!(report.text.contains("AccessDenied"), "{}", report.text);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_file_that_somebody_wrote_is_not_believed() {
    let yard = Yard::open(Kind::Distribution3).await;
    let immutable = yard.mirror().with("immutableTags: ['*']");
    yard.sync(&immutable).await;
    let state = yard.directory.path().join("state.json");
    let text = std::fs::read_to_string(&state).unwrap();
    std::fs::write(&state, format!("{text} ")).unwrap();
    let path = "/v2/app/manifests/v2";
    let deleted = yard.destination.client().delete(path).await.unwrap();
    assert_eq!(deleted.status, 202);
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), [1, 0, 2, 0, 0], "{}", report.text);
    yard.assert_whole().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_says_nothing_of_the_registry_that_it_stands_in_for() {
    let yard = Yard::open(Kind::Distribution3).await;
    let immutable = yard.mirror().with("immutableTags: ['*']");
    let state = yard.directory.path().join("state.json");
    let stick = yard.directory.path().join("stick");
    let copied = [3, 0, 0, 0, 0];
    for _ in 0..2 {
        let command = immutable.command().argument("--state").argument(&state);
        let command = command.argument("--to-layout").argument(&stick);
        let report = Report::read(&command.run().await);
        assert_eq!(report.counts(), copied, "{}", report.text);
        std::fs::remove_dir_all(&stick).unwrap();
    }
    let (report, _) = yard.sync(&immutable).await;
    assert_eq!(report.counts(), copied, "{}", report.text);
    yard.assert_whole().await;
}
