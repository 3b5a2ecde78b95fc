// SPDX-License-Identifier: Apache-2.0

use jiff::Timestamp;

use super::*;

fn bulletin(news: Vec<News>) -> Bulletin {
    Bulletin {
        mirror: "base".to_owned(),
        since: Timestamp::UNIX_EPOCH,
        news,
    }
}

/// News whose words try to be something else where they are shown.
fn nasty() -> Bulletin {
    let mut news = everything();
    news.truncate(2);
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
        id("chat", 1, everything()),
    ] {
        assert_ne!(first, other);
    }
}

#[test]
fn what_a_template_makes_is_json_whatever_a_message_says() {
    let cases = [
        (r#"{"text": {{json .summary}}}"#, ""),
        (
            r#"{{if .failed}}{"why": {{json .failed.message}}}{{else}}null{{end}}"#,
            "",
        ),
        (
            r#"{"a": {{json .pruneWaits.plan}}, "b": {{json .refused}}}"#,
            "",
        ),
        (
            r#"{"text": "{{.failed.message}}"}"#,
            "it makes no JSON (expected `,` or `}` at line 1 column 12): check its braces and commas, and write {{json .summary}} without quotation marks around it",
        ),
        (
            "{{json .summery}}",
            "there is no field \"summery\": there are events, failed, id, mirror, moved, namespace, new, pruneWaits, recovered, refused, summary, time",
        ),
        (
            "hello",
            "it makes no JSON (expected value at line 1 column 1): check its braces and commas, and write {{json .summary}} without quotation marks around it",
        ),
    ];
    for (text, expected) in cases {
        let found = template(text).check();
        let found = found.map_or_else(|error| error.to_string(), |()| String::new());
        assert_eq!(found, expected, "{text}");
    }
}

#[test]
fn a_large_message_is_not_sent() {
    let large = "[".to_owned() + &"{{json .}},".repeat(40) + "1]";
    let found = template(&large).check();
    assert_eq!(found, Err(MessageError::TooLarge));
}
