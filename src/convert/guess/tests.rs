// SPDX-License-Identifier: Apache-2.0

use super::*;

#[test]
fn what_is_of_no_tool_is_not_taken_for_one() {
    let texts = [
        "",
        "hello",
        "- nginx:1.27\n- redis",
        "replicaCount: 1\nimage: {repository: nginx, tag: '1.27'}",
        "apiVersion: apps/v1\nkind: Deployment\nspec: {}",
        "apiVersion: transship.dev/v1alpha1\nkind: ImageMirror\nspec: {}",
        "apiVersion: v1\nkind: Config\ncontexts: []",
        "metadata: {name: m}\nspec: {source: {registry: docker.io}}",
        "services:\n  web: {image: nginx}",
        "a: [*]",
    ];
    for text in texts {
        assert_eq!(guess(text), None, "{text}");
    }
}
