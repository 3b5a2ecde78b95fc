// SPDX-License-Identifier: Apache-2.0

use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use axum::Router;
use axum::http::StatusCode;
use jiff::SignedDuration;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc::unbounded_channel;
use tokio::time::sleep;

use super::courier::Courier;
use super::*;
use crate::api::Reason;
use crate::plan::message::MessageForm;
use crate::plan::notification_status::Telling;
use crate::policy::TextTemplate;
use crate::registry::{Pool, Settings};
use crate::runtime::metrics::Metrics;

fn notifier() -> Arc<Notifier> {
    let metrics = ControllerMetrics::register(Metrics::new().registry());
    let notifier = Notifier::new(Arc::new(metrics), CancellationToken::new());
    Arc::new(notifier)
}

fn object(namespace: &str, name: &str) -> ImageNotification {
    let object = json!({
        "apiVersion": "transship.dev/v1alpha1", "kind": "ImageNotification",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {"type": "Generic", "address": "http://r.test"},
    });
    serde_json::from_value(object).unwrap()
}

fn target(namespace: &str, name: &str) -> Target {
    Target::of(&object(namespace, name))
}

fn follow(notifier: &Notifier, namespace: &str, numbers: std::ops::Range<usize>) {
    for number in numbers {
        notifier.follow(&object(namespace, &format!("{number:02}")));
    }
}

fn followed(notifier: &Notifier, namespace: &str) -> usize {
    let state = notifier.lock();
    let targets = state.targets.keys();
    targets.filter(|one| one.namespace == namespace).count()
}

fn tell(notifier: &Notifier, namespace: &str, mirrors: usize) {
    for number in 0..mirrors {
        let mirror = json!({
            "apiVersion": "transship.dev/v1alpha1", "kind": "ImageMirror",
            "metadata": {"name": format!("m{number}"), "namespace": namespace},
            "spec": {
                "source": {"registry": "r.test"}, "images": [{"repository": "a", "tags": ["1"]}],
                "destinations": [{"name": "d", "registry": "d.test"}],
            },
        });
        let mirror: ImageMirror = serde_json::from_value(mirror).unwrap();
        notifier.tell(&mirror, &[News::Recovered]);
    }
}

fn waiting(notifier: &Notifier, namespace: &str) -> usize {
    let state = notifier.lock();
    let targets = state.targets.iter();
    let own = targets.filter(|(target, _)| target.namespace == namespace);
    own.map(|(_, followed)| followed.outbox.len()).sum()
}

#[test]
fn so_many_messages_wait() {
    let notifier = notifier();
    follow(&notifier, "team", 0..1);
    tell(&notifier, "team", 70);
    assert_eq!(waiting(&notifier, "team"), 64);
    follow(&notifier, "team", 1..16);
    tell(&notifier, "team", 64);
    assert_eq!(waiting(&notifier, "team"), 256);
    // However much waits of others, there is room for those who come later.
    for number in 0..15 {
        let namespace = format!("team-{number}");
        follow(&notifier, &namespace, 0..16);
        tell(&notifier, &namespace, 64);
        let share = 256.min(2_048 / (number + 2));
        assert_eq!(waiting(&notifier, &namespace), share, "{namespace}");
    }
    assert_eq!(waiting(&notifier, "nobody"), 0);
}

#[test]
fn no_namespace_takes_the_places_of_all() {
    let notifier = notifier();
    let (looker, mut asked) = unbounded_channel();
    notifier.look_through(None, looker);
    for number in 0..16 {
        follow(&notifier, &format!("team-{number}"), 0..17);
        assert_eq!(followed(&notifier, &format!("team-{number}")), 16);
    }
    follow(&notifier, "late", 0..2);
    assert_eq!(followed(&notifier, "late"), 2);
    let mut given_up = 0;
    while let Ok(given) = asked.try_recv() {
        let namespace = given.namespace.unwrap();
        assert_eq!(followed(&notifier, &namespace), 15, "{namespace}");
        // It takes its place back from nobody.
        notifier.follow(&object(&namespace, &given.name));
        assert_eq!(followed(&notifier, &namespace), 15, "{namespace}");
        given_up += 1;
    }
    assert_eq!((given_up, notifier.lock().targets.len()), (2, 256));
}

/// Answers all messages so, and counts them.
async fn receiver(status: StatusCode) -> (Channel, Arc<AtomicUsize>) {
    let count = Arc::new(AtomicUsize::new(0));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback({
        let count = Arc::clone(&count);
        async move || {
            count.fetch_add(1, SeqCst);
            status
        }
    });
    tokio::spawn(async move { axum::serve(listener, router).await });
    let pool = Pool::new("transship/test");
    let outlet = pool.outlet(&url.parse().unwrap(), &Settings::default());
    let channel = Channel {
        outlet: outlet.unwrap(),
        token: None,
        key: None,
    };
    (channel, count)
}

fn bulletin(age: SignedDuration) -> Bulletin {
    Bulletin {
        mirror: "m".to_owned(),
        since: clock::now() - age,
        news: vec![News::Recovered],
    }
}

/// Sends what a notification has in hand.
fn send(notifier: &Arc<Notifier>, channel: Channel, bulletin: Bulletin) {
    let target = target("team", "00");
    notifier.follow(&object("team", "00"));
    let mut state = notifier.lock();
    let followed = state.targets.get_mut(&target).unwrap();
    followed.in_hand = Some(bulletin);
    let courier = Courier {
        notifier: Arc::clone(notifier),
        target: target.clone(),
        channel: Arc::new(channel),
        seen: Arc::default(),
        more: Arc::clone(&followed.more),
        looker: None,
    };
    tokio::spawn(courier.run());
}

fn is_in_hand(notifier: &Notifier) -> bool {
    let state = notifier.lock();
    state.targets[&target("team", "00")].in_hand.is_some()
}

async fn until(holds: impl Fn() -> bool) {
    while !holds() {
        sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test]
async fn news_that_are_an_hour_old_are_not_tried_again_and_younger_ones_are() {
    let notifier = notifier();
    let (channel, count) = receiver(StatusCode::SERVICE_UNAVAILABLE).await;
    send(&notifier, channel, bulletin(SignedDuration::from_mins(61)));
    until(|| !is_in_hand(&notifier)).await;
    assert_eq!(count.load(SeqCst), 1);

    let notifier = self::notifier();
    let (channel, count) = receiver(StatusCode::SERVICE_UNAVAILABLE).await;
    send(&notifier, channel, bulletin(SignedDuration::from_mins(58)));
    until(|| count.load(SeqCst) == 2).await;
    assert!(is_in_hand(&notifier));
}

#[tokio::test]
async fn a_template_that_lost_a_message_is_told_until_there_is_another_one() {
    let notifier = notifier();
    let target = target("team", "00");
    notifier.follow(&object("team", "00"));
    let broken = |text: &str| {
        let template = TextTemplate::parse(text).unwrap();
        let mut notification = Notification::of(&object("team", "00")).unwrap();
        notification.form = MessageForm::Template(template);
        Arc::new(notification)
    };
    let (channel, count) = receiver(StatusCode::ACCEPTED).await;
    {
        let mut state = notifier.lock();
        let followed = state.targets.get_mut(&target).unwrap();
        followed.notification = broken("{");
        followed.in_hand = Some(bulletin(SignedDuration::ZERO));
    }
    let ready = |telling: &Telling| matches!(telling, Telling::Ready { .. });
    assert!(ready(&notifier.place(&target, channel)));
    until(|| !is_in_hand(&notifier)).await;
    assert_eq!(count.load(SeqCst), 0);
    let told = |status: StatusCode| {
        let (notifier, target) = (Arc::clone(&notifier), target.clone());
        async move {
            let (channel, _) = receiver(status).await;
            notifier.place(&target, channel)
        }
    };
    // Whatever arrives meanwhile, and by whichever channel.
    let first = told(StatusCode::ACCEPTED).await;
    assert_eq!(told(StatusCode::ACCEPTED).await, first);
    let Telling::Waiting { reason, message } = first else {
        panic!("it is told: {first:?}");
    };
    assert_eq!(reason, Reason::InvalidSpec);
    insta::assert_snapshot!(message, @"spec.template: a message was lost: in a message about Recovered, it makes no JSON (EOF while parsing an object at line 1 column 1): check its braces and commas, and write {{json .summary}} without quotation marks around it");
    notifier.follow(&object("team", "00"));
    assert!(ready(&told(StatusCode::ACCEPTED).await));
}
