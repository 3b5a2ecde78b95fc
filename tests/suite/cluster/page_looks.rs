// SPDX-License-Identifier: Apache-2.0

//! The page as a browser shows it, of 1,000 mirrors with 20,000 tags. Pictures of every view stay in `tmp/page` of the
//! target directory, with how much CPU a search took.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};
use url::form_urlencoded::byte_serialize;

use super::objects::Mirror;
use super::page::Page;
use super::stage::{change, controller_of, ready_for, sync, until};
use crate::support::browser::{Browser, Look};
use crate::support::cluster::namespace::find_condition;
use crate::support::cluster::{ControlPlane, Namespace};
use crate::support::content::ImageBuilder;
use crate::support::digest::sha256;
use crate::support::registries::{Kind, Registry, Security};
use crate::support::tools;

/// All mirrors, and the tags that each of most of them has.
const MIRRORS: usize = 1_000;
const TAGS: usize = 20;
/// Requests to the API server that are on their way at once.
const AT_ONCE: usize = 16;
/// Searches whose CPU is measured.
const SEARCHES: u32 = 20;

const LOOKS: [Look; 3] = [
    Look {
        name: "light",
        width: 1280,
        height: 900,
        is_dark: false,
    },
    Look {
        name: "dark",
        width: 1280,
        height: 900,
        is_dark: true,
    },
    Look {
        name: "narrow",
        width: 400,
        height: 900,
        is_dark: false,
    },
];

fn pictures() -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join("page")
}

/// Mirrors that are in every state, by a controller that works on them.
async fn every_state(namespace: &Namespace<'_>, source: &Registry, destination: &Registry) {
    let (from, to) = (source.host(), destination.host());
    for number in 0..TAGS {
        let seed = u64::try_from(number % 2).unwrap();
        let image = ImageBuilder::new(seed).layers(&[1_000]).build();
        let tag = format!("1.{number}");
        source.client().push("team/app", &tag, &image).await;
    }
    let policy = |name: &str, spec: Value| {
        let object = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImagePolicy", "metadata": {"name": name}, "spec": spec,
        });
        format!("---\n{object}\n")
    };
    let mirror = |name: &str| {
        let mirror = Mirror::of(&from).named(name);
        let mirror = mirror.destination("d", &to);
        mirror.with(
            "/destinations/0/repository",
            format!("{name}/{{repository}}"),
        )
    };
    let prune = json!({"mode": "Delete", "grace": "0s", "maxDeletes": 1, "maxPercent": 1, "inUse": "Ignore"});
    let long = format!("{}.{}", "m".repeat(126), "n".repeat(126));
    let documents = [
        policy(
            "labelled",
            json!({"require": {"labels": {"owner": "team"}}}),
        ),
        policy("aged", json!({"minAge": "72h"})),
        mirror("pattern").image("team/app", &["*"]).to_string(),
        mirror("refused")
            .image("team/app", &["1.1"])
            .policy("labelled")
            .to_string(),
        mirror("quarantined")
            .image("team/app", &["1.2"])
            .policy("aged")
            .to_string(),
        mirror("missing")
            .image("team/app", &["9.9", "9.8"])
            .to_string(),
        mirror("dependent")
            .image("team/app", &["1.3"])
            .policy("nobody")
            .to_string(),
        mirror("pruning")
            .image("team/app", &["*"])
            .with("/prune", prune)
            .to_string(),
        mirror("held")
            .image("team/app", &["1.4"])
            .with("/suspend", true)
            .to_string(),
        mirror(&long)
            .with("/destinations/0/repository", "long")
            .image("team/app", &["1.5"])
            .with("/suspend", true)
            .to_string(),
        mirror("silent")
            .image("team/app", &["1.6"])
            .with("/destinations/0/registry", "127.0.0.1:1")
            .to_string(),
    ];
    namespace.apply(&documents.concat()).await;
    for (name, reason) in [
        ("pattern", "Succeeded"),
        ("refused", "Succeeded"),
        ("quarantined", "Succeeded"),
        ("missing", "NotFound"),
        ("dependent", "DependencyNotReady"),
        ("pruning", "Succeeded"),
        ("silent", "Unreachable"),
    ] {
        until(name, async || {
            let object = namespace.json("imir", name).await.unwrap();
            find_condition(&object, "Ready").is_some_and(|ready| ready["reason"] == reason)
        })
        .await;
    }
    let narrow = json!({"spec": {"images": [{"repository": "team/app", "tags": ["1.0"]}]}});
    change(namespace, "imir", "pruning", &narrow).await;
    ready_for(namespace, "imir", "pruning", "Succeeded").await;
    until("a plan waits", async || {
        let object = sync(namespace, "pruning", &fastrand::u64(..).to_string()).await;
        find_condition(&object, "Pruned").is_some_and(|pruned| pruned["reason"] == "PrunePaused")
    })
    .await;
}

/// As many mirrors like the first one as are missing to 1,000, with their records as a controller writes them.
async fn crowd(namespace: &Namespace<'_>) {
    let client = namespace.plane().client();
    let mirrors = client.path("imir", Some(namespace.name())).await;
    let records = client.path("mrepo", Some(namespace.name())).await;
    let pattern = namespace.json("imir", "pattern").await.unwrap();
    let record = namespace.list("mrepo").await.into_iter();
    let mut record = record.filter(|record| record["spec"]["mirror"] == "pattern");
    let record = record.next_back().unwrap();
    assert_eq!(record["status"]["tags"].as_array().unwrap().len(), TAGS);
    let missing = MIRRORS - namespace.list("imir").await.len();
    let (pattern, record, mirrors, records) = (&pattern, &record, &mirrors, &records);
    let made = stream::iter(0..missing).map(|number| async move {
        let name = format!("team-{number:03}");
        let named = |object: &Value| -> Value {
            let text = object.to_string().replace("/pattern/", &format!("/{name}/"));
            serde_json::from_str(&text).unwrap()
        };
        let mut spec = pattern["spec"].clone();
        spec["destinations"][0]["repository"] = json!(format!("{name}/{{repository}}"));
        let mut object = json!({
            "apiVersion": pattern["apiVersion"], "kind": pattern["kind"], "metadata": {"name": name}, "spec": spec,
        });
        let made = client.create(mirrors, &object).await.assert_success();
        let uid = made["metadata"]["uid"].as_str().unwrap();
        object = json!({"status": named(&pattern["status"])});
        let status = format!("{mirrors}/{name}/status?fieldManager=transship");
        client.merge(&status, &object).await.assert_success();

        let spec = {
            let mut spec = named(&record["spec"]);
            spec["mirror"] = json!(name);
            spec
        };
        let at = spec["repository"].as_str().unwrap();
        let key = format!("{uid}\nd\n{at}\n{}", spec["part"]);
        let named_as = sha256(key.as_bytes());
        let named_as = named_as.trim_start_matches("sha256:");
        let named_as = format!("mr-{}", &named_as[..40]);
        let owner = json!({"apiVersion": pattern["apiVersion"], "kind": "ImageMirror", "name": name, "uid": uid});
        object = json!({
            "apiVersion": record["apiVersion"], "kind": record["kind"], "spec": spec,
            "metadata": {"name": named_as, "ownerReferences": [owner], "labels": {"transship.dev/mirror-uid": uid, "transship.dev/destination": "d"}},
        });
        let own = format!("{records}?fieldManager=transship");
        client.create(&own, &object).await.assert_success();
        object = json!({"status": named(&record["status"])});
        let status = format!("{records}/{named_as}/status?fieldManager=transship");
        client.merge(&status, &object).await.assert_success();
    });
    made.buffer_unordered(AT_ONCE).collect::<Vec<()>>().await;
}

/// What a search leads to, by the name of its picture.
fn searches(destination: &str) -> Vec<(&'static str, String)> {
    let at = |mirror: &str, tag: &str| format!("{destination}/{mirror}/team/app:{tag}");
    vec![
        ("found", at("pattern", "1.3")),
        ("everywhere", "team/app:1.3".to_owned()),
        ("refused", at("refused", "1.1")),
        ("quarantined", at("quarantined", "1.2")),
        ("missing", at("missing", "9.9")),
        ("held", at("held", "1.4")),
        ("not-selected", at("missing", "1.0")),
        ("nowhere", "team/nothing:1".to_owned()),
        ("digest", "sha256:1234567".to_owned()),
        ("component", "app:1.3".to_owned()),
        ("no-name", "where is my image".to_owned()),
        (
            "markup",
            "<img src=/x onerror=alert(1)>\u{202e}\u{200b}:1".to_owned(),
        ),
        ("long", "n".repeat(253)),
        ("mirror", "quarantined".to_owned()),
        (
            "error",
            format!(
                "Failed to pull image \"{}\": rpc error: code = NotFound",
                at("pattern", "1.3")
            ),
        ),
    ]
}

/// What fits into the width that it has, with nothing to the side of it.
const FITS: &str = "document.documentElement.scrollWidth <= window.innerWidth";

#[tokio::test(flavor = "multi_thread")]
async fn every_view_in_a_browser() {
    let test = "cluster::page_looks::every_view_in_a_browser";
    let Some(mut browser) = Browser::start(test).await else {
        return;
    };
    let namespace = ControlPlane::shared().await.namespace("shop").await;
    let (source, destination) = tokio::join!(
        Registry::start(Kind::Distribution3, Security::Plain),
        Registry::start(Kind::Distribution3, Security::Plain),
    );
    let controller = controller_of(&namespace).start().await;
    every_state(&namespace, &source, &destination).await;
    controller.stop().await;
    crowd(&namespace).await;
    let options = controller_of(&namespace).argument("--page-address=127.0.0.1:0");
    let controller = options.start().await;
    let page = Page::of(&controller).await;
    page.shows("team-123</th>").await;
    page.shows("/quarantined</th>").await;

    let origin = format!("http://{}", page.address());
    let directory = pictures();
    let _ = fs::remove_dir_all(&directory);
    let searches = searches(&destination.host());
    for look in LOOKS {
        browser.look(look).await;
        browser.open(&origin).await;
        for view in ["mirrors", "arrived", "leaves", "registries"] {
            let scroll = format!("document.getElementById('{view}').scrollIntoView()");
            if view != "mirrors" {
                browser.evaluate(&scroll).await;
            }
            browser
                .picture(&directory.join(format!("{view}-{}.png", look.name)))
                .await;
        }
        assert_eq!(browser.evaluate(FITS).await, true, "{}", look.name);
        for (view, text) in &searches {
            let typed: String = byte_serialize(text.as_bytes()).collect();
            browser.open(&format!("{origin}/?q={typed}")).await;
            browser
                .picture(&directory.join(format!("{view}-{}.png", look.name)))
                .await;
            assert_eq!(browser.evaluate(FITS).await, true, "{view}, {}", look.name);
            assert_eq!(
                browser
                    .evaluate("document.querySelectorAll('main img, main script').length")
                    .await,
                0,
                "{view}"
            );
        }
    }
    people_without_sight_are_served(&mut browser, &origin, &searches).await;
    what_is_typed_is_found(&mut browser, &origin, &destination.host()).await;
    for address in browser.requested() {
        assert!(address.starts_with(&format!("{origin}/")), "{address}");
    }
    let figures = measured(&page, controller.process().id(), &searches).await;
    fs::write(directory.join("figures.txt"), &figures).unwrap();
    println!("{figures}");
}

/// axe finds nothing serious or critical in views that are made of other parts.
async fn people_without_sight_are_served(
    browser: &mut Browser,
    origin: &str,
    searches: &[(&str, String)],
) {
    let axe = fs::read_to_string(tools::built("axe-core")).unwrap() + ";true";
    let run = "axe.run(document, {resultTypes: ['violations']}).then((told) => told.violations\
        .filter((one) => ['serious', 'critical'].includes(one.impact))\
        .map((one) => `${one.id}: ${one.nodes.slice(0, 3).map((node) => node.html).join(' ')}`))";
    let unlike = ["found", "refused", "nowhere", "no-name", "mirror"];
    let searches = searches.iter().filter(|(name, _)| unlike.contains(name));
    let queries = searches.map(|(_, text)| {
        let typed: String = byte_serialize(text.as_bytes()).collect();
        format!("?q={typed}")
    });
    let queries: Vec<String> = queries.chain([String::new()]).collect();
    for look in &LOOKS[..2] {
        browser.look(*look).await;
        for query in &queries {
            browser.open(&format!("{origin}/{query}")).await;
            // Of many rows some do: they are alike.
            let few = "document.querySelectorAll('tbody tr:nth-child(n+40)').forEach((row) => row.remove())";
            browser.evaluate(few).await;
            browser.evaluate(&axe).await;
            let told = browser.evaluate(run).await;
            assert_eq!(told, json!([]), "{query}, {}", look.name);
        }
    }
}

/// What is typed is answered without Enter, and rows are found by it.
async fn what_is_typed_is_found(browser: &mut Browser, origin: &str, destination: &str) {
    browser.open(origin).await;
    let image = format!("{destination}/pattern/team/app:1.3");
    let type_text = |text: &str| {
        format!(
            "(() => {{ const box = document.getElementById('find'); box.value = {text:?}; box.dispatchEvent(new Event('input')); }})()"
        )
    };
    browser.evaluate(&type_text(&image)).await;
    let answered = format!(
        "new Promise((done) => {{ const look = () => document.getElementById('answers').textContent.includes({:?}) ? done(true) : setTimeout(look, 20); look(); }})",
        format!("{image} is mirrored")
    );
    assert_eq!(browser.evaluate(&answered).await, true);
    browser.evaluate(&type_text("team-007")).await;
    let rows = "[...document.querySelectorAll('#mirrors tbody tr')].filter((row) => !row.hidden).map((row) => row.firstElementChild.textContent)";
    let named = browser.evaluate(rows).await;
    assert_eq!(named.as_array().unwrap().len(), 1, "{named}");
    let found = browser
        .evaluate("document.getElementById('found').textContent")
        .await;
    assert!(found.as_str().unwrap().starts_with("Below: "), "{found}");
}

/// How much CPU of the controller a search takes.
async fn measured(page: &Page, process: u32, searches: &[(&str, String)]) -> String {
    let mut figures = format!(
        "{MIRRORS} mirrors, {TAGS} tags each, CPU of the controller as it is built for tests:\n"
    );
    let pages = searches.iter().map(|(name, text)| {
        let typed: String = byte_serialize(text.as_bytes()).collect();
        (*name, format!("/?q={typed}"))
    });
    for (name, path) in pages.chain([("all", "/".to_owned())]) {
        let before = ticks(process);
        let mut bytes = 0;
        for _ in 0..SEARCHES {
            bytes = page.get(&path).await.body.len();
        }
        let milliseconds = (ticks(process) - before) * 10 / u64::from(SEARCHES);
        writeln!(figures, "{name}: {milliseconds} ms, {bytes} bytes").unwrap();
    }
    figures
}

/// CPU of a process so far, in hundredths of a second.
fn ticks(process: u32) -> u64 {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
    let (_, fields) = stat.rsplit_once(')').unwrap();
    let fields: Vec<&str> = fields.split_whitespace().collect();
    fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
}
