// SPDX-License-Identifier: Apache-2.0

//! Images, and names of images, that are refused.

use super::Change;

pub(super) const CHANGES: [Change; 26] = [
    (
        "no images",
        "  images:\n    - repository: library/alpine\n      tags: [\"3.20\", \"3.21*\"]\n    - repository: library/nginx\n      policyRefs: [{name: stable}]\n",
        "  images: []\n",
        "spec.images: is empty, 1 to 256 items are needed",
    ),
    (
        "a repository twice",
        "library/nginx",
        "library/alpine",
        "spec.images[1].repository: \"library/alpine\" is already in spec.images[0].repository",
    ),
    (
        "a repository twice, in short",
        "library/nginx",
        "alpine",
        "spec.images[1].repository: \"library/alpine\" is already in spec.images[0].repository",
    ),
    (
        "a repository with a tag",
        "library/alpine",
        "library/alpine:3.20",
        "spec.images[0].repository: repository \"library/alpine:3.20\" contains a tag: write \"library/alpine\", and \"3.20\" in tags",
    ),
    (
        "a repository with its registry",
        "library/alpine",
        "docker.io/library/alpine",
        "spec.images[0].repository: \"docker.io/library/alpine\" repeats the registry: write \"library/alpine\"",
    ),
    (
        "a repository with another name of its registry",
        "library/alpine",
        "index.docker.io/library/alpine",
        "spec.images[0].repository: \"index.docker.io/library/alpine\" repeats the registry: write \"library/alpine\"",
    ),
    (
        "a repository with another registry",
        "library/alpine",
        "localhost/a/b",
        "spec.images[0].repository: \"localhost/a/b\" begins with the registry \"localhost\", and the images are those of docker.io: write \"a/b\", and \"localhost\" as the registry of the source",
    ),
    (
        "a glob with another registry",
        "library/alpine",
        "quay.io/a/*",
        "spec.images[0].repository: \"quay.io/a/*\" begins with the registry \"quay.io\", and the images are those of docker.io: write \"a/*\", and \"quay.io\" as the registry of the source",
    ),
    (
        "a repository with a digest",
        "library/alpine",
        "library/alpine@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef",
        "spec.images[0].repository: repository \"library/alpine@sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef\" contains a digest: write \"library/alpine\", which has all digests of its tags",
    ),
    (
        "a repository with another registry and its port",
        "library/alpine",
        "host:5000/a/b",
        "spec.images[0].repository: repository \"host:5000/a/b\" contains the registry \"host:5000\": write \"a/b\", the registry belongs in its own field",
    ),
    (
        "a glob with a registry",
        "library/alpine",
        "host:5000/a/*",
        "spec.images[0].repository: repository \"host:5000/a/*\" contains the registry \"host:5000\": write \"a/*\", the registry belongs in its own field",
    ),
    (
        "a repository as a URL",
        "library/alpine",
        "https://quay.io/team/app",
        "spec.images[0].repository: repository \"https://quay.io/team/app\" is a URL: write \"team/app\", the registry belongs in its own field",
    ),
    (
        "a repository in upper case",
        "library/alpine",
        "Library/alpine",
        "spec.images[0].repository: repository \"Library/alpine\" contains 'L': repository names are lower case, write \"library/alpine\"",
    ),
    (
        "an empty repository",
        "library/alpine",
        "\"\"",
        "spec.images[0].repository: the repository is empty",
    ),
    (
        "a repository glob of tags",
        "library/alpine",
        "library/[ab]*",
        "spec.images[0].repository: glob \"library/[ab]*\" contains '[', which no repository name has: use lower-case letters, digits, '.', '_', '-', '/', * and **",
    ),
    (
        "a repository glob with a double slash",
        "library/alpine",
        "library//*",
        "spec.images[0].repository: glob \"library//*\" has an empty component: write single slashes, and none at the beginning or end",
    ),
    (
        "an entry that selects nothing",
        "policyRefs: [{name: stable}]",
        "tags: []",
        "spec.images[1]: has neither tags nor select nor a policy with select: write tags: [\"*\"] to copy every tag",
    ),
    (
        "optional tags where there are only globs",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.21*\"]\n      absent: Skip",
        "spec.images[0].absent: Skip is only for tags and digests that are written in full: globs and rules take what there is in any case",
    ),
    (
        "a name that is none",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\"]\n      as: \"{name}/\"",
        "spec.images[0].as: template \"{name}/\" gives \"a/\": repository \"a/\" has the component \"\": a component is lower-case letters and digits, separated by '.', '_', '__' or dashes",
    ),
    (
        "a name with an unknown placeholder",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\"]\n      as: \"{tag}\"",
        "spec.images[0].as: template \"{tag}\" has the unknown placeholder {tag}: expected repository, registry, namespace or name",
    ),
    (
        "a name that nothing is left of",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\"]\n      replace: [{from: library/alpine}]",
        "spec.images[0].replace: template \"{repository}\" gives \"\": the repository is empty",
    ),
    (
        "replacements of nothing, and of no part of a repository",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\"]\n      replace: [{from: \"\", to: A}]",
        "spec.images[0].replace[0].from: is empty: write what is replaced | spec.images[0].replace[0].to: \"A\" is no part of a repository: write at most 255 lower-case letters, digits, '/', '.', '_' and '-'",
    ),
    (
        "other names of tags that are not written, and that are no tags",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\", \"3.21*\"]\n      retag: {\"3.21\": stable, \"3.20\": a/b}",
        "spec.images[0].retag.3.20: tag \"a/b\" contains '/' at position 2: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'",
    ),
    (
        "another name of a tag that only may be selected",
        "tags: [\"3.20\", \"3.21*\"]",
        "tags: [\"3.20\", \"3.21*\"]\n      retag: {\"3.21\": stable}",
        "spec.images[0].retag.3.21: 3.21 is not written in full in tags: add it there",
    ),
    (
        "digests that are none, and one twice",
        "tags: [\"3.20\", \"3.21*\"]",
        "digests: [sha256:abc, latest, latest]",
        "spec.images[0].digests[2]: \"latest\" is already in spec.images[0].digests[1] | spec.images[0].digests[0]: digest \"sha256:abc\" has 3 characters after sha256:, expected 64 | spec.images[0].digests[1]: digest \"latest\" has no algorithm: write it as sha256:<64 hex digits> | spec.images[0].digests[2]: digest \"latest\" has no algorithm: write it as sha256:<64 hex digits>",
    ),
    (
        "a digest of several repositories",
        "repository: library/alpine\n      tags: [\"3.20\", \"3.21*\"]",
        "repository: library/*\n      digests: [\"sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855\"]",
        "spec.images[0].digests[0]: is pinned to a digest, and library/* may be several repositories: write the repository in full",
    ),
];
