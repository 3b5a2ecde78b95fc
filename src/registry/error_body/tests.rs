// SPDX-License-Identifier: Apache-2.0

//! Bodies in every form.

use proptest::prelude::*;

use super::*;
use crate::registry::Credential;

fn parse(content_type: &str, body: &str) -> (Option<String>, Option<String>) {
    let ErrorBody { code, text } = ErrorBody::parse(content_type, body.as_bytes());
    (code.map(|code| code.as_str().to_owned()), text)
}

/// Body, code, text.
const JSON: &[(&str, &str, &str)] = &[
    (
        r#"{"errors":[{"code":"DENIED","message":"no"}]}"#,
        "DENIED",
        "no",
    ),
    (
        r#"{"errors":[{"code":"DENIED","message":"no"},{"code":"X","message":"y"}]}"#,
        "DENIED",
        "no",
    ),
    (
        r#"{"errors":[{"code":"DENIED","message":"no","detail":"quota"}]}"#,
        "DENIED",
        "no: quota",
    ),
    (
        r#"{"errors":[{"code":"DENIED","message":"no quota","detail":"quota"}]}"#,
        "DENIED",
        "no quota",
    ),
    (
        r#"{"errors":[{"code":"DENIED","message":"","detail":"quota"}]}"#,
        "DENIED",
        "quota",
    ),
    (
        r#"{"errors":[{"code":"DENIED","detail":[1,{"a":null,"b":"c"}]}]}"#,
        "DENIED",
        "1, b=c",
    ),
    (
        r#"{"errors":[{"code":"BLOB_UNKNOWN","message":"blob unknown.","detail":{"digest":"sha256:ab"}}]}"#,
        "BLOB_UNKNOWN",
        "blob unknown: digest=sha256:ab",
    ),
    (
        r#"{"errors":[{"code":"denied","message":"no"}]}"#,
        "DENIED",
        "no",
    ),
    (
        r#"{"errors":[{"code":"name unknown"}]}"#,
        "NAME_UNKNOWN",
        "",
    ),
    (r#"{"errors":[{"code":7,"message":"no"}]}"#, "7", "no"),
    (
        r#"{"errors":[{"code":["x"],"message":["no"]}]}"#,
        "",
        "message: no",
    ),
    (
        r#"{"errors":[{"code":"DENIED\u001b[31m","message":"no"}]}"#,
        "",
        "no",
    ),
    (r#"{"errors":[{"code":"é","message":"no"}]}"#, "", "no"),
    (
        r#"{"errors":[{"status":404,"message":"Not found"}]}"#,
        "",
        "Not found",
    ),
    (r#"{"errors":[null,{},"no"]}"#, "", "no"),
    (
        r#"{"errors":{"code":"DENIED","message":"no"}}"#,
        "DENIED",
        "no",
    ),
    (r#"{"errors":{"name":["is taken"]}}"#, "", "name: is taken"),
    (r#"{"errors":"no"}"#, "", "no"),
    (r#"{"errors":null,"message":"no"}"#, "", "no"),
    (r#"{"message":"no"}"#, "", "no"),
    (r#"{"Message":"no"}"#, "", "no"),
    (r#"{"code":"NotFound","message":"no"}"#, "NOTFOUND", "no"),
    (
        r#"{"details":"incorrect username or password"}"#,
        "",
        "incorrect username or password",
    ),
    (r#"{"error":"no"}"#, "", "no"),
    (
        r#"{"error":{"code":"DENIED","message":"no"}}"#,
        "DENIED",
        "no",
    ),
    (
        r#"{"error":{"code":403,"message":"no","status":"PERMISSION_DENIED"}}"#,
        "403",
        "no",
    ),
    (
        r#"{"error":"invalid_token","error_description":"it has expired"}"#,
        "INVALID_TOKEN",
        "it has expired",
    ),
    (r#"{"status":403,"message":"no","path":"/v2/"}"#, "", "no"),
    (
        "\u{feff}{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}",
        "DENIED",
        "no",
    ),
    (
        "\r\n\t{\"errors\":[{\"code\":\"DENIED\",\"message\":\"no\"}]}\n",
        "DENIED",
        "no",
    ),
    // RFC 9457, problem details.
    (
        r#"{"type":"about:blank","title":"Forbidden","status":403,"detail":"not yours"}"#,
        "",
        "Forbidden: not yours",
    ),
    // Django, GitHub.
    (r#"{"detail":"Not found."}"#, "", "Not found."),
    (
        r#"{"message":"Bad credentials","documentation_url":"https://docs.test/","status":"401"}"#,
        "",
        "Bad credentials",
    ),
    (r#""no""#, "", "no"),
    (r#"["no","yes"]"#, "", "no"),
    (r#"{"errors":[]}"#, "", ""),
    (r#"{"token":7}"#, "", ""),
    (r#"{"errors":[{"code":"DENIED""#, "", ""),
    (r#"{"errors":[[[[[[[["deep"]]]]]]]]}"#, "", ""),
];

#[test]
fn the_first_error_of_a_body_in_every_form() {
    for (body, code, text) in JSON {
        for content_type in ["application/json", "text/plain; charset=utf-8", ""] {
            let (found_code, found_text) = parse(content_type, body);
            let found = (
                found_code.unwrap_or_default(),
                found_text.unwrap_or_default(),
            );
            assert_eq!(
                (found.0.as_str(), found.1.as_str()),
                (*code, *text),
                "{body}"
            );
        }
    }
}

#[test]
fn what_is_no_json() {
    let xml = "<?xml version=\"1.0\"?><Error><Code>AccessDenied</Code><Message>Request has expired</Message><X>1</X></Error>";
    let cases = [
        (
            "text/plain",
            "404 page not found\nmore",
            "404 page not found",
        ),
        ("Text/Plain; charset=utf-8", "\n no\n", "no"),
        ("application/octet-stream", "no", ""),
        ("", "no", ""),
        ("text/html", "no", ""),
        ("text/html", "{\"message\":\"no\"}", ""),
        ("text/plain", "<!DOCTYPE html><p>no", ""),
        ("", "\n<HTML><body>no", ""),
        ("application/json", "<!doctype HTML><p>no", ""),
        ("application/xml", xml, "AccessDenied: Request has expired"),
        ("", xml, "AccessDenied: Request has expired"),
        (
            "application/xml",
            "<Error><Message>\n</Message></Error>",
            "",
        ),
        ("application/xml", "<Error><Message>no", ""),
    ];
    for (content_type, body, text) in cases {
        let found = parse(content_type, body).1.unwrap_or_default();
        assert_eq!(found, text, "{content_type} {body}");
    }
}

#[test]
fn codes_have_the_form_of_the_specification() {
    let long = "A".repeat(CODE_LENGTH + 1);
    for text in ["", " ", "a\nb", "a:b", "ä", &long] {
        assert_eq!(Code::read(text), None, "{text:?}");
    }
}

#[test]
fn a_code_may_be_what_we_sent() {
    let secrets = Secrets::new(&[&Credential::Basic {
        username: "robot".to_owned(),
        password: "pass-word9".into(),
    }]);
    let cases = [
        ("DENIED", false),
        ("pass-word9", true),
        ("not pass-word9", true),
    ];
    for (text, expected) in cases {
        let code = Code::read(text).unwrap();
        assert_eq!(code.reveals(&secrets), expected, "{text}");
    }
}

proptest! {
    #[test]
    fn any_body_is_read_without_a_panic(body in prop::collection::vec(any::<u8>(), 0..200), content_type in ".{0,20}") {
        let _ = ErrorBody::parse(&content_type, &body);
    }

    #[test]
    fn any_json_is_read(code in ".{0,10}", message in ".{0,10}", detail in "[\"{}\\[\\]:,a-z0-9]{0,20}") {
        let body = serde_json::json!({"errors": [{"code": code, "message": message}]}).to_string();
        let found = ErrorBody::parse("", body.as_bytes());
        prop_assert_eq!(found.text, non_empty(&message));
        let _ = ErrorBody::parse("", format!("{{\"errors\":[{{\"detail\":{detail}}}]}}").as_bytes());
    }
}
