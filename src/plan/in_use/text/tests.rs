// SPDX-License-Identifier: Apache-2.0

use proptest::prelude::*;

use super::*;

const HEX: &str = "1111111111111111111111111111111111111111111111111111111111111111";

fn found(text: &str) -> Vec<&str> {
    references_in(text, false).collect()
}

#[test]
fn what_reads_as_an_image_in_any_text() {
    let app = "eu.corp/team/app:1.2";
    let cases = [
        "eu.corp/team/app:1.2",
        "  eu.corp/team/app:1.2\n",
        "--executor-image=eu.corp/team/app:1.2",
        "--image eu.corp/team/app:1.2 --other",
        "RELATED_IMAGE_X=eu.corp/team/app:1.2",
        "image:eu.corp/team/app:1.2",
        "image: 'eu.corp/team/app:1.2'",
        "- image: \"eu.corp/team/app:1.2\" # that",
        r#"{"containers":[{"image":"eu.corp/team/app:1.2","name":"a"}]}"#,
        r#"{\"containers\":[{\"image\":\"eu.corp/team/app:1.2\"}]}"#,
        r"images:\neu.corp/team/app:1.2\nnext",
        r"a=b\u0026eu.corp/team/app:1.2",
        "docker://eu.corp/team/app:1.2",
        "oci://eu.corp/team/app:1.2",
        "x:1,eu.corp/team/app:1.2;y:2",
        "[eu.corp/team/app:1.2]",
        "(eu.corp/team/app:1.2)",
        "<eu.corp/team/app:1.2>",
        "`eu.corp/team/app:1.2`",
        "docker run --rm eu.corp/team/app:1.2 sh -c 'true'",
        "it runs eu.corp/team/app:1.2.",
        "proxy:eu.corp/team/app:1.2",
        "ä eu.corp/team/app:1.2 ö",
        "eu.corp/team/app:1.2|true",
    ];
    for text in cases {
        assert!(found(text).contains(&app), "{text}: {:?}", found(text));
    }
}

#[test]
fn what_is_found_in_words_of_all_kinds() {
    let digest = format!("sha256:{HEX}");
    let by_digest = format!("eu.corp/app@{digest}");
    let cases: [(&str, &[&str]); 22] = [
        ("", &[]),
        ("web", &[]),
        ("a sentence without any", &[]),
        ("nginx:1.2", &["nginx:1.2"]),
        ("library/nginx", &["library/nginx"]),
        ("name=nginx:1.2,sidecar=envoy:3", &["nginx:1.2", "envoy:3"]),
        ("image:nginx:1.2", &["nginx:1.2"]),
        ("localhost:5000/app:1", &["localhost:5000/app:1"]),
        ("x=eu.corp:5000/app:1", &["eu.corp:5000/app:1"]),
        ("key:eu.corp:5000/app:1", &["eu.corp:5000/app:1"]),
        ("[::1]:5000/app:1", &["5000/app:1"]),
        ("EU.corp/app:1", &["EU.corp/app:1"]),
        ("eu.corp/App:1", &[]),
        ("$(REGISTRY)/team/app:1", &["team/app:1"]),
        ("${REGISTRY}/team/app:${TAG}", &["team/app:"]),
        ("eu.corp/app:$(TAG)", &["eu.corp/app:"]),
        ("eu.corp/app@$(DIGEST)", &["eu.corp/app@"]),
        (&digest, &[&digest]),
        (HEX, &[HEX]),
        (&by_digest, &[&by_digest]),
        ("app:1.", &["app:1.", "app:1"]),
        ("::::", &[]),
    ];
    for (text, expected) in cases {
        assert_eq!(found(text), expected, "{text}");
    }
    let unknown = format!("Foo/Bar@{digest}");
    assert_eq!(found(&unknown), [digest.as_str()]);
    let long = format!("{}{digest}/{digest}", "a".repeat(2000));
    assert_eq!(found(&long), [&digest, &digest]);
}

#[test]
fn where_images_are_meant_a_name_is_enough() {
    let found: Vec<&str> = references_in("nginx redis", true).collect();
    assert_eq!(found, ["nginx", "redis"]);
}

proptest! {
    #[test]
    fn any_reference_is_found_between_any_signs(
        host in proptest::option::of("[a-z]{1,8}\\.[a-z]{2,4}(:[1-9][0-9]{0,3})?/"),
        path in "([a-z0-9]{1,6}/){0,3}[a-z0-9]{1,8}",
        tag in "[A-Za-z0-9_][A-Za-z0-9._-]{0,10}",
        has_digest in any::<bool>(),
        before in "[a-z:./-]{0,12}[ ,;='\"|(){}\\[\\]<>#*!\n\t]",
        behind in "([ ,;='\"|){}\\]>#*!\n\t][a-z:./-]{0,12})?",
    ) {
        let digest = if has_digest { format!("@sha256:{HEX}") } else { String::new() };
        let reference = format!("{}{path}:{tag}{digest}", host.unwrap_or_default());
        let text = format!("{before}{reference}{behind}");
        // A tag may begin with what is cut off, but then it is no start of a word.
        prop_assert!(found(&text).contains(&reference.as_str()), "{}: {:?}", text, found(&text));
    }

    #[test]
    fn in_json_inside_of_a_string_inside_of_json_it_is_found(
        path in "[a-z]{1,6}(/[a-z]{1,6}){1,3}", tag in "[a-z0-9]{1,6}", depth in 0usize..4,
    ) {
        let reference = format!("eu.corp/{path}:{tag}");
        let mut text = format!("first\n{reference}\n<{reference}>");
        for _ in 0..depth {
            text = serde_json::json!({ "text": text }).to_string();
        }
        prop_assert!(found(&text).contains(&reference.as_str()), "{}", text);
    }

    #[test]
    fn whatever_the_text_only_words_of_it_are_found(text in "\\PC{0,200}", about in any::<bool>()) {
        for reference in references_in(&text, about) {
            prop_assert!(text.contains(reference));
            prop_assert!(!reference.is_empty());
        }
    }

    #[test]
    fn no_word_is_found_more_often_than_twice_in_each_reading(text in "[a/:@.\\\\n-]{0,200}") {
        prop_assert!(references_in(&text, true).count() <= 4 * words(&text).count());
    }
}
