// SPDX-License-Identifier: Apache-2.0

use kube::core::DeserializeGuard;
use kube::runtime::{reflector, watcher};
use serde_json::json;
use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

use super::*;
use crate::controller::bystanders;

fn mirror(namespace: &str, name: &str) -> ImageMirror {
    let mirror = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror",
        "metadata": {"namespace": namespace, "name": name},
        "spec": {
            "source": {"registry": "r.test"},
            "images": [{"repository": "app", "tags": ["*"]}],
            "destinations": [{"name": "d", "registry": "d.test"}],
        },
    });
    serde_json::from_value(mirror).unwrap()
}

fn hint(tag: usize) -> Hint {
    Hint {
        registry: "r.test".parse().unwrap(),
        repository: "app".parse().unwrap(),
        tag: Some(tag.to_string().parse().unwrap()),
        pushed: None,
    }
}

fn now() -> Timestamp {
    Timestamp::from_second(1_000_000).unwrap()
}

/// Mirrors of these names, and who looks at them.
fn hinted(names: &[(&str, String)]) -> (Hinted, UnboundedReceiver<MirrorRef>) {
    let hinted = Hinted::new(true);
    let (looker, looks) = unbounded_channel();
    hinted.look_through(None, looker);
    for (namespace, name) in names {
        let object = mirror(namespace, name);
        let read = bystanders::read(&object);
        assert!(read.is_some());
        hinted.observe(&object, read.as_ref());
    }
    (hinted, looks)
}

fn flood(hinted: &Hinted, namespace: &str) {
    for tag in 0..1_000 {
        hinted.note(namespace, &hint(tag), now());
    }
}

#[test]
fn a_namespace_with_many_hints_gives_way_and_no_other_does() {
    let many = (0..50).map(|number| ("many", format!("m{number}")));
    let names: Vec<_> = many
        .chain([("few", "one".to_owned()), ("few", "two".to_owned())])
        .collect();
    let (hinted, mut looks) = hinted(&names);
    flood(&hinted, "many");
    assert_eq!(hinted.lock().waiting, MOST);
    while looks.try_recv().is_ok() {}

    hinted.note("few", &hint(1), now());
    assert!(matches!(hinted.take("few/one"), DueHints::Tags(tags) if tags.len() == 1));
    assert!(matches!(hinted.take("few/two"), DueHints::Tags(tags) if tags.len() == 1));
    assert!(hinted.lock().waiting <= MOST);
    let looked: Vec<_> = std::iter::from_fn(|| looks.try_recv().ok()).collect();
    let of = |namespace: &str| {
        let looked = looked.iter();
        looked
            .filter(|it| it.namespace.as_deref() == Some(namespace))
            .count()
    };
    assert_eq!((of("few"), of("many")), (2, 1), "the others wait as before");
    let whole = |name: &String| matches!(hinted.take(name), DueHints::Everything(_));
    let many: Vec<_> = (0..50).map(|number| format!("many/m{number}")).collect();
    assert_eq!(many.iter().filter(|name| whole(name)).count(), 1);
}

#[test]
fn where_the_namespace_with_most_has_more_its_own_mirror_looks_at_everything() {
    let names: Vec<_> = (0..51)
        .map(|number| ("many", format!("m{number}")))
        .collect();
    let (hinted, _looks) = hinted(&names);
    flood(&hinted, "many");
    assert!(hinted.lock().waiting <= MOST);
    let names = names
        .iter()
        .map(|(namespace, name)| format!("{namespace}/{name}"));
    let due: Vec<_> = names.map(|name| hinted.take(&name)).collect();
    assert!(due.iter().any(|due| matches!(due, DueHints::Everything(_))));
    assert!(due.iter().all(|due| !matches!(due, DueHints::Nothing)));
}

#[test]
fn nothing_waits_of_a_mirror_that_does_not_look() {
    let (hinted, mut looks) = hinted(&[("team", "one".to_owned())]);
    hinted.note("team", &hint(1), now());
    hinted.halt("team/one");
    assert_eq!(hinted.take("team/one"), DueHints::Nothing);
    while looks.try_recv().is_ok() {}
    assert_eq!(hinted.note("team", &hint(2), now()), 0);
    assert_eq!(hinted.oldest("team/one"), None);
    assert!(looks.try_recv().is_err());
    hinted.go_on("team/one");
    hinted.note("team", &hint(3), now());
    assert!(matches!(hinted.take("team/one"), DueHints::Tags(tags) if tags.len() == 1));
}

#[test]
fn what_comes_back_of_a_mirror_that_is_gone_is_forgotten_with_it() {
    let (hinted, _looks) = hinted(&[("team", "one".to_owned())]);
    let gone = mirror("team", "one");
    hinted.note("team", &hint(1), now());
    let taken = hinted.take_all("team/one");
    hinted.forget(&gone);
    hinted.put_back("team/one", taken);
    let mut next = mirror("team", "one");
    next.metadata.uid = Some("another".to_owned());
    hinted.observe(&next, bystanders::read(&next).as_ref());
    hinted.forget(&gone);
    assert!(hinted.lock().pending.is_empty());
    assert_eq!(
        hinted.note("team", &hint(2), now()),
        1,
        "the next one looks"
    );
    hinted.forget(&next);
    let state = hinted.lock();
    assert!(state.pending.is_empty() && state.interests.is_empty());
    assert_eq!(state.waiting, 0);
}

/// Puts mirrors where a watch keeps them.
fn stored(mirrors: &[ImageMirror]) -> Store<Guarded<ImageMirror>> {
    let (store, mut writer) = reflector::store();
    for mirror in mirrors {
        writer.apply_watcher_event(&watcher::Event::Apply(DeserializeGuard(Ok(mirror.clone()))));
    }
    store
}

#[test]
fn without_a_listener_what_mirrors_want_is_kept_where_a_queue_may_tell_of_it() {
    let hinted = Hinted::new(false);
    let (early, late) = (mirror("team", "early"), mirror("team", "late"));
    let others = mirror("others", "early");
    let store = stored(&[early.clone(), others.clone()]);
    let observe = |mirror| hinted.observe(mirror, bystanders::read(mirror).as_ref());
    let wanting = |namespace| hinted.note(namespace, &hint(1), now());
    observe(&early);
    observe(&others);
    hinted.complete("team", &store, bystanders::read);
    assert!(hinted.lock().interests.is_empty(), "nothing tells of it");

    hinted.hear("team", "first");
    hinted.hear("team", "second");
    observe(&late);
    assert_eq!(wanting("team"), 1);
    hinted.complete("team", &store, bystanders::read);
    assert_eq!((wanting("team"), wanting("others")), (2, 0));

    hinted.unhear("team", "first");
    assert_eq!(wanting("team"), 2, "one is left");
    hinted.unhear("team", "second");
    assert!(hinted.lock().interests.is_empty());
    hinted.hear("team", "first");
    hinted.complete("team", &store, bystanders::read);
    assert_eq!(wanting("team"), 1, "they are looked for again");
}

#[test]
fn what_is_known_of_a_mirror_is_newer_than_what_the_store_has() {
    let hinted = Hinted::new(false);
    let before = mirror("team", "one");
    let mut changed = before.clone();
    changed.spec.images[0].repository = "other".to_owned();
    hinted.hear("team", "queue");
    hinted.observe(&changed, bystanders::read(&changed).as_ref());
    hinted.complete("team", &stored(&[before]), bystanders::read);
    assert_eq!(hinted.note("team", &hint(1), now()), 0);
}

#[test]
fn with_a_listener_the_end_of_a_queue_leaves_what_mirrors_want() {
    let (hinted, _looks) = hinted(&[("team", "one".to_owned())]);
    hinted.hear("team", "queue");
    hinted.unhear("team", "queue");
    assert_eq!(hinted.note("team", &hint(1), now()), 1);
}
