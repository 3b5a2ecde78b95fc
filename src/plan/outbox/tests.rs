// SPDX-License-Identifier: Apache-2.0

use super::*;

fn noted(outbox: &mut Outbox, mirror: &str) -> bool {
    outbox.note(mirror, vec![News::Recovered], Timestamp::UNIX_EPOCH, true)
}

fn taken(outbox: &mut Outbox, now: Instant) -> String {
    match outbox.take(now) {
        DueNews::Now(bulletin) => format!("{} {}", bulletin.mirror, bulletin.news.len()),
        DueNews::NotBefore(_) => "later".to_owned(),
        DueNews::Nothing => "nothing".to_owned(),
    }
}

fn failed() -> News {
    News::Failed {
        reason: "Unreachable".to_owned(),
        message: "it does not answer".to_owned(),
        failures: Vec::new(),
    }
}

#[test]
fn a_mirror_has_one_message_a_minute_and_who_waits_longest_comes_first() {
    let began = Instant::now();
    let mut outbox = Outbox::default();
    assert_eq!(taken(&mut outbox, began), "nothing");
    assert!(noted(&mut outbox, "b"));
    assert!(noted(&mut outbox, "a"));
    assert_eq!(taken(&mut outbox, began), "b 1");
    assert_eq!(taken(&mut outbox, began), "a 1");
    for _ in 0..1_000 {
        assert!(noted(&mut outbox, "b"));
    }
    let news = vec![failed()];
    assert!(outbox.note("b", news, Timestamp::UNIX_EPOCH, true));
    let almost = began + PER_MIRROR.saturating_sub(Duration::from_millis(1));
    assert_eq!(taken(&mut outbox, almost), "later");
    assert_eq!(outbox.take(almost), DueNews::NotBefore(began + PER_MIRROR));
    assert!(noted(&mut outbox, "c"));
    assert_eq!(
        taken(&mut outbox, almost),
        "c 1",
        "others do not wait for it"
    );
    assert_eq!(taken(&mut outbox, began + PER_MIRROR), "b 1");
    assert!(outbox.is_empty());
}

#[test]
fn what_waits_is_bounded() {
    let mut outbox = Outbox::default();
    for number in 0..MOST {
        assert!(noted(&mut outbox, &number.to_string()));
    }
    assert!(!noted(&mut outbox, "more"));
    assert!(noted(&mut outbox, "0"), "what waits takes more of its own");
    assert_eq!(outbox.len(), MOST);
    let mut other = Outbox::default();
    let news = vec![News::Recovered];
    assert!(!other.note("a", news, Timestamp::UNIX_EPOCH, false));
}
