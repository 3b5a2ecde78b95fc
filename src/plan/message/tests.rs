// SPDX-License-Identifier: Apache-2.0

use jiff::Timestamp;

use super::samples::{Amount, sample};
use super::*;

fn bulletin(news: Vec<News>) -> Bulletin {
    Bulletin {
        mirror: "base".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        news,
    }
}

fn some(kinds: &[NewsKind], amount: Amount) -> Vec<News> {
    let news = kinds.iter().map(|kind| sample(*kind, amount));
    news.collect::<Option<_>>().unwrap()
}

/// News whose words try to be something else where they are shown.
fn nasty() -> Bulletin {
    let mut news = some(&[NewsKind::New, NewsKind::Moved], Amount::Least);
    news.push(News::Failed {
        reason: "Unreachable".to_owned(),
        message: "<!channel> \"r\" & <https://evil.test|click>\u{202e}\n{{.summary}}".to_owned(),
        failures: Vec::new(),
    });
    bulletin(news)
}

fn template(text: &str) -> MessageForm {
    MessageForm::Template(TextTemplate::parse(text).unwrap())
}

fn written(form: &MessageForm, bulletin: &Bulletin) -> MessageBody {
    form.write("team", "chat", bulletin).unwrap()
}

#[test]
fn a_message_in_each_form() {
    let nasty = nasty();
    let slack = written(&MessageForm::Slack, &nasty);
    insta::assert_snapshot!("slack", slack.text);
    let event = written(&MessageForm::CloudEvents, &nasty);
    assert_eq!(event.content_type, "application/cloudevents+json");
    let event: Value = serde_json::from_str(&event.text).unwrap();
    insta::assert_snapshot!("cloud_event", format!("{event:#}"));
    let text = r#"{"text": {{json .summary}}, "up": {{.recovered}}, "images": [{{range .new.images}}{{json .image}}{{end}}]}"#;
    let generic = written(&template(text), &nasty);
    insta::assert_snapshot!("template", generic.text);
    let plain = written(&MessageForm::Json, &bulletin(vec![News::Recovered]));
    insta::assert_snapshot!(plain.text, @r#"{"events":["Recovered"],"failed":null,"id":"e1cb2a4e9a26-0","mirror":"base","moved":null,"namespace":"team","new":null,"pruneWaits":null,"recovered":true,"refused":null,"summary":"team/base: ready again","time":"1970-01-01T00:00:00Z"}"#);
}

#[test]
fn the_same_news_have_the_same_id_for_one_receiver() {
    let id = |notification: &str, since: i64, news: Vec<News>| {
        let since = Timestamp::from_second(since).unwrap();
        let bulletin = Bulletin {
            since,
            ..bulletin(news)
        };
        let body = MessageForm::Slack.write("team", notification, &bulletin);
        body.unwrap().id
    };
    let recovered = || vec![News::Recovered];
    let first = id("chat", 1, recovered());
    assert_eq!(first, id("chat", 1, recovered()));
    for other in [
        id("chat", 2, recovered()),
        id("other", 1, recovered()),
        id("chat", 1, some(&NewsKind::ALL, Amount::Least)),
    ] {
        assert_ne!(first, other);
    }
}

/// What is said of a template for messages about these kinds of news.
fn unfit(text: &str, kinds: &[NewsKind]) -> String {
    let found = template(text).check(&kinds.iter().copied().collect());
    found.map_or_else(|error| error.to_string(), |()| String::new())
}

#[test]
fn what_a_template_makes_is_json_whatever_a_message_says() {
    let all = &NewsKind::ALL[..];
    let cases = [
        (r#"{"text": {{json .summary}}}"#, all, None),
        (
            r#"{{if .failed}}{"why": {{json .failed.message}}}{{else}}null{{end}}"#,
            all,
            None,
        ),
        (
            r#"{"a": {{json .pruneWaits.plan}}, "b": {{json .refused}}}"#,
            all,
            None,
        ),
        (
            r#"{"text": "{{.failed.message}}"}"#,
            all,
            Some(("Failed", "column 14")),
        ),
        ("hello", all, Some(("New", "expected value"))),
        // Branches that are rarely taken, and only one at a time.
        (
            r#"{"a": 1{{if .pruneWaits}}, "plan": {{.pruneWaits.plan}}{{end}}}"#,
            all,
            Some(("PruneWaits", "column 18")),
        ),
        (r"[{{if .new}}1{{end}}{{if .failed}}2{{end}}]", all, None),
        (
            r#"[{{if .new}}"a"{{end}}{{if .failed}}"b"{{end}}]"#,
            all,
            Some(("New and Failed", "column 5")),
        ),
        (
            r#"[{{if .new}}"a",{{end}}{{if .moved}}"b"{{end}}]"#,
            &[NewsKind::New, NewsKind::Moved],
            Some(("New", "column 6")),
        ),
        // Of one there is no comma to forget.
        (
            r"[{{range .new.images}}{{json .image}}{{end}}]",
            all,
            Some(("New", "column 30")),
        ),
        (
            r"[{{range .failed.failures}}{{json .image}},{{end}}{{if .failed.failures}}1{{end}}]",
            all,
            None,
        ),
        // What is never told is not asked about.
        (
            r#"{"a": 1{{if .pruneWaits}}, "plan": {{.pruneWaits.plan}}{{end}}}"#,
            &[NewsKind::New, NewsKind::Failed],
            None,
        ),
    ];
    for (text, kinds, expected) in cases {
        let found = unfit(text, kinds);
        let is_expected = match expected {
            None => found.is_empty(),
            Some((kinds, why)) => {
                found.starts_with(&format!("in a message about {kinds}, it makes no JSON"))
                    && found.contains(why)
            }
        };
        assert!(is_expected, "{text}: {found}");
    }
    insta::assert_snapshot!(unfit("hello", all), @"in a message about New, it makes no JSON (expected value at line 1 column 1): check its braces and commas, and write {{json .summary}} without quotation marks around it");
    insta::assert_snapshot!(unfit("{{json .summery}}", all), @r#"in a message about New, there is no field "summery": there are events, failed, id, mirror, moved, namespace, new, pruneWaits, recovered, refused, summary, time"#);
}

#[test]
fn a_large_message_lists_less_and_one_that_is_large_all_the_same_is_not_sent() {
    let everything = bulletin(some(&NewsKind::ALL, Amount::Most));
    let times = |count: usize| "[".to_owned() + &"{{json .}},".repeat(count) + "1]";
    let kept = |text: &str| {
        let body: Value = serde_json::from_str(text).unwrap();
        let [whole, ..] = &body.as_array().unwrap()[..] else {
            panic!("{body}")
        };
        let count = |list: &Value| list.as_array().unwrap().len();
        assert_eq!(whole["new"]["count"], 10);
        (count(&whole["new"]["images"]), count(&whole["refused"]))
    };
    for (count, expected) in [(1, (5, 5)), (5, (1, 1)), (12, (0, 0))] {
        let body = written(&template(&times(count)), &everything);
        assert_eq!(kept(&body.text), expected, "{count}");
    }
    let large = template(&times(40)).check(&NewsKind::ALL.into());
    assert_eq!(large.unwrap_err().cause, MessageError::TooLarge);
    for form in [
        MessageForm::CloudEvents,
        MessageForm::Json,
        MessageForm::Slack,
    ] {
        assert_eq!(form.check(&NewsKind::ALL.into()), Ok(()));
    }
}
