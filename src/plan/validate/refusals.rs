//! Everything that is refused of a mirror and its policies, with the words.

use super::tests::{refusals, spec, with};

/// One part of the documents is changed: the name of the case, the part, what stands there instead, and
/// all messages.
const CHANGES: [(&str, &str, &str, &str); 86] = [
    (
        "a URL for a registry",
        "docker.io",
        "https://docker.io",
        "spec.source.registry: registry \"https://docker.io\" starts with \"https://\": write the host without it",
    ),
    (
        "a path in a registry",
        "docker.io",
        "docker.io/library",
        "spec.source.registry: registry \"docker.io/library\" contains a path: name only the host and port, the rest belongs to the repository",
    ),
    (
        "a port that is none",
        "docker.io",
        "r.example.com:99999",
        "spec.source.registry: registry \"r.example.com:99999\" has the port \"99999\": expected a number from 1 to 65535",
    ),
    (
        "a host that is none",
        "docker.io",
        "my_registry",
        "spec.source.registry: registry \"my_registry\" is not a host name, an IPv4 address or an IPv6 address in brackets",
    ),
    (
        "an empty registry",
        "docker.io",
        "\"\"",
        "spec.source.registry: the registry is empty",
    ),
    (
        "a URL for a destination",
        "r.example.com",
        "http://r.example.com/",
        "spec.destinations[0].registry: registry \"http://r.example.com/\" starts with \"http://\": write the host without it",
    ),
    (
        "no images",
        "  images:\n    - repository: library/alpine\n      tags: [\"3.20\", \"3.21*\"]\n    - repository: library/nginx\n      policyRefs: [{name: stable}]\n",
        "  images: []\n",
        "spec.images: is empty, 1 to 256 items are needed",
    ),
    (
        "no destinations",
        "  destinations:\n    - {name: eu, registry: r.example.com, repository: \"mirror/{repository}\"}",
        "  destinations: []",
        "spec.destinations: is empty, 1 to 8 items are needed",
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
        "a template with a registry",
        "mirror/{repository}",
        "host:5000/{repository}",
        "spec.destinations[0].repository: repository \"host:5000/{repository}\" contains the registry \"host:5000\": write \"{repository}\", the registry belongs in its own field",
    ),
    (
        "plain HTTP at the port of HTTPS",
        "registry: r.example.com,",
        "registry: \"r.example.com:443\", insecure: true,",
        "spec.destinations[0].insecure: \"r.example.com:443\" names the port of HTTPS, and insecure means plain HTTP: leave out one of the two",
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
        "a pinned glob",
        "\"3.20\"",
        "\"3.2*@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[0]: \"3.2*@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\" pins a glob: only a tag that is written in full has a digest",
    ),
    (
        "a tag twice, once pinned",
        "\"3.21*\"",
        "\"3.20@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[1]: \"3.20\" is already in spec.images[0].tags[0]",
    ),
    (
        "a pinned tag of several repositories",
        "library/alpine\n      tags: [\"3.20\"",
        "library/*\n      tags: [\"3.20@sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\"",
        "spec.images[0].tags[0]: is pinned to a digest, and library/* may be several repositories: write the repository in full",
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
    (
        "rules of an entry that are none",
        "policyRefs: [{name: stable}]",
        "select: {extract: {pattern: '(?P<ts>.*)', value: $tz}, semver: {range: latest}, newest: {count: 0}}",
        "spec.images[1].select.extract.value: value \"$tz\" names the group \"tz\", and the pattern has 1, ts | spec.images[1].select.semver.range: range \"latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand | spec.images[1].select.newest.count: is 0, expected 1 to 10000",
    ),
    (
        "a part of tags that cannot be extracted",
        "semver: {range: \">=1.20 <2\"}",
        "extract: {pattern: '(', value: $1}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.extract.pattern: pattern \"(\" is not a regular expression: unclosed group",
    ),
    (
        "a tag with a colon",
        "\"3.20\"",
        "\"alpine:3.20\"",
        "spec.images[0].tags[0]: tag \"alpine:3.20\" contains ':' at position 7: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'",
    ),
    (
        "an empty tag",
        "\"3.20\"",
        "\"\"",
        "spec.images[0].tags[0]: the tag is empty",
    ),
    (
        "a tag twice",
        "\"3.21*\"",
        "\"3.20\"",
        "spec.images[0].tags[1]: \"3.20\" is already in spec.images[0].tags[0]",
    ),
    (
        "a tag glob that is not closed",
        "3.21*",
        "3.2[01",
        "spec.images[0].tags[1]: glob \"3.2[01\" has a '[' without its ']'",
    ),
    (
        "a tag glob with a slash",
        "3.21*",
        "v/*",
        "spec.images[0].tags[1]: glob \"v/*\" contains '/', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
    (
        "a policy that does not exist",
        "name: stable}]",
        "name: stabel}]",
        "spec.images[1].policyRefs[0].name: there is no ImagePolicy \"stabel\" in the namespace, did you mean \"stable\"?",
    ),
    (
        "a policy of another namespace",
        "name: stable, namespace: platform",
        "name: stable, namespace: other",
        "spec.images[1].policyRefs[0].name: there is no ImagePolicy \"stable\" in the namespace",
    ),
    (
        "a policy that is suspended",
        "  select:",
        "  suspend: true\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is suspended",
    ),
    (
        "a policy named twice",
        "[{name: stable}]",
        "[{name: stable}, {name: stable}]",
        "spec.images[1].policyRefs[1].name: \"stable\" is already in spec.images[1].policyRefs[0].name",
    ),
    (
        "an include that is no expression",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['[']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: pattern \"[\" is not a regular expression: unclosed character class",
    ),
    (
        "an exclude that looks around",
        "semver: {range: \">=1.20 <2\"}",
        "exclude: ['(?!rc)']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.exclude[0]: pattern \"(?!rc)\" is not a regular expression: look-around, including look-ahead and look-behind, is not supported",
    ),
    (
        "an empty pattern",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: the pattern is empty: write .* for any tag",
    ),
    (
        "a pattern that explodes",
        "semver: {range: \">=1.20 <2\"}",
        "include: ['((a{1000}){1000}){1000}']",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.include[0]: pattern \"((a{1000}){1000}){1000}\" is too complex: use smaller repetitions",
    ),
    (
        "a range that is none",
        ">=1.20 <2",
        ">=latest",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \">=latest\" has \"latest\" where a version such as 1.20, 1.20.3 or 1.x must stand",
    ),
    (
        "a range with an unknown operator",
        ">=1.20 <2",
        "<>1.20",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \"<>1.20\" has the operator \"<>\": use =, !=, >, >=, <, <=, ~ or ^",
    ),
    (
        "an empty range",
        ">=1.20 <2",
        "",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.semver.range: range \"\" has an empty part: write * for any version",
    ),
    (
        "newest of nothing",
        "semver: {range: \">=1.20 <2\"}",
        "newest: {count: 0}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.newest.count: is 0, expected 1 to 10000",
    ),
    (
        "a negative limit",
        "semver: {range: \">=1.20 <2\"}",
        "limit: -1",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select.limit: is -1, expected 1 to 100000",
    ),
    (
        "a select without rules",
        "\n    semver: {range: \">=1.20 <2\"}",
        " {}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.select: has no rule: write include: [\".*\"] to select every tag",
    ),
    (
        "a policy without anything",
        "\n  select:\n    semver: {range: \">=1.20 <2\"}",
        " {}",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec: says nothing: write select, minAge, verify, require or retain",
    ),
    (
        "an authority: no key",
        "  select:",
        "  verify: [{name: a, type: Key}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].key: is needed with type: Key, and only there",
    ),
    (
        "an authority: an identity with a key",
        "  select:",
        "  verify: [{name: a, type: Keyless, key: {secretRef: {name: a, key: b}}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].key: is needed with type: Key, and only there",
    ),
    (
        "an authority: a key with an identity",
        "  select:",
        "  verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}, keyless: {issuer: i, subject: s}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless: is needed with type: Keyless, and only there",
    ),
    (
        "an authority: no issuer",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: '', subject: s}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.issuer: must have 1 to 512 characters, such as https://accounts.google.com",
    ),
    (
        "an authority: no subject",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: i, subject: ''}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.subject: must have 1 to 512 characters, such as https://github.com/acme/*",
    ),
    (
        "an authority: every subject",
        "  select:",
        "  verify: [{name: a, type: Keyless, keyless: {issuer: i, subject: '**'}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[0].keyless.subject: stands for everyone whom the issuer knows: write who must have signed, such as https://github.com/acme/*",
    ),
    (
        "authorities: a name twice",
        "  select:",
        "  verify: [{name: a, type: Key, key: {secretRef: {name: a, key: b}}}, {name: a, type: Key, key: {secretRef: {name: c, key: d}}}]\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.verify[1].name: \"a\" is already in spec.verify[0].name",
    ),
    (
        "scans that nobody signs",
        "  select:",
        "  require: {vulnerabilities: {maxSeverity: High}}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require.vulnerabilities: needs spec.verify, which says whose scans are believed: add the authority that signs them",
    ),
    (
        "a require without rules",
        "  select:",
        "  require: {}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require: has no rule: write user, maxSize, maxAge, platforms, labels, denyTags or vulnerabilities",
    ),
    (
        "a require of what cannot be",
        "  select:",
        "  require: {maxSize: 5MB, platforms: [linux], denyTags: ['a b']}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.require.maxSize: size \"5MB\" is not understood: write bytes, or a number with k, Ki, M, Mi, G, Gi, T or Ti, such as 500Mi; spec.require.platforms[0]: platform \"linux\" must be os/architecture or os/architecture/variant, such as linux/arm64; spec.require.denyTags[0]: glob \"a b\" contains ' ', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
    (
        "retain with a bad glob",
        "  select:",
        "  retain: {keepNewest: -1, keepTags: ['a b']}\n  select:",
        "spec.images[1].policyRefs[0].name: ImagePolicy \"stable\" is invalid: spec.retain.keepNewest: is -1, expected 0 to 10000; spec.retain.keepTags[0]: glob \"a b\" contains ' ', which no tag has: use letters, digits, '_', '.', '-', *, ? and [...]",
    ),
    (
        "a destination name",
        "name: eu",
        "name: EU",
        "spec.destinations[0].name: name \"EU\" must be lower-case letters, digits and '-', begin and end with a letter or digit, and have at most 63 characters",
    ),
    (
        "a misspelt placeholder",
        "{repository}",
        "{repositry}",
        "spec.destinations[0].repository: template \"mirror/{repositry}\" has the unknown placeholder {repositry}, did you mean \"repository\"?",
    ),
    (
        "a placeholder of tags in a repository",
        "{repository}",
        "{digest12}",
        "spec.destinations[0].repository: template \"mirror/{digest12}\" has the unknown placeholder {digest12}: expected repository, registry, namespace or name",
    ),
    (
        "a brace that is not closed",
        "mirror/{repository}",
        "mirror/{repository",
        "spec.destinations[0].repository: template \"mirror/{repository\" has a brace without its counterpart",
    ),
    (
        "a brace that is not opened",
        "mirror/{repository}",
        "mirror/repository}",
        "spec.destinations[0].repository: template \"mirror/repository}\" has a brace without its counterpart",
    ),
    (
        "a template in upper case",
        "mirror/{repository}",
        "Mirror/{repository}",
        "spec.destinations[0].repository: template \"Mirror/{repository}\" gives \"Mirror/a/b\": repository \"Mirror/a/b\" contains 'M': repository names are lower case, write \"mirror/a/b\"",
    ),
    (
        "a template with a double slash",
        "mirror/{repository}",
        "mirror//{repository}",
        "spec.destinations[0].repository: template \"mirror//{repository}\" gives \"mirror//a/b\": repository \"mirror//a/b\" has the component \"\": a component is lower-case letters and digits, separated by '.', '_', '__' or dashes",
    ),
    (
        "an empty template",
        "mirror/{repository}",
        "",
        "spec.destinations[0].repository: the template is empty",
    ),
    (
        "a template of a tag that is none",
        "registry: r.example.com",
        "registry: r.example.com, tags: ['{tag}:x']",
        "spec.destinations[0].tags[0]: template \"{tag}:x\" gives \"1:x\": tag \"1:x\" contains ':' at position 2: a tag is letters, digits, '_', '.' and '-', and starts with a letter, digit or '_'",
    ),
    (
        "no tag template",
        "registry: r.example.com",
        "registry: r.example.com, tags: []",
        "spec.destinations[0].tags: is empty, 1 to 4 items are needed",
    ),
    (
        "a tag template twice",
        "registry: r.example.com",
        "registry: r.example.com, tags: ['{tag}', '{tag}']",
        "spec.destinations[0].tags[1]: \"{tag}\" is already in spec.destinations[0].tags[0]",
    ),
    (
        "the digest in a previous tag",
        "registry: r.example.com",
        "registry: r.example.com, previousTag: '{tag}-{digest12}'",
        "spec.destinations[0].previousTag: template \"{tag}-{digest12}\" has the unknown placeholder {digest12}: expected tag",
    ),
    (
        "two destinations of one name",
        "  destinations:",
        "  destinations:\n    - {name: eu, registry: us.example.com}",
        "spec.destinations[1].name: \"eu\" is already in spec.destinations[0].name",
    ),
    (
        "two destinations that write the same",
        "  destinations:",
        "  destinations:\n    - {name: us, registry: r.example.com, repository: \"mirror/{repository}\"}",
        "spec.destinations[1]: writes the same tags as destination \"us\"",
    ),
    (
        "a previous tag that is the tag",
        "registry: r.example.com",
        "registry: r.example.com, previousTag: '{tag}'",
        "spec.destinations[0].previousTag: template \"{tag}\" gives the tag itself: write something like {tag}-previous",
    ),
];

/// More is written in the spec: the name of the case, what is added, and all messages.
const ADDITIONS: [(&str, &str, &str); 18] = [
    (
        "types of referrers that are not copied",
        "referrers: {mode: Skip, artifactTypes: [application/spdx+json]}",
        "spec.referrers.artifactTypes: is only used with mode: Copy",
    ),
    (
        "types of referrers that are none",
        "referrers: {artifactTypes: [spdx, 'application/a;b=c', /a, a/b]}",
        "spec.referrers.artifactTypes[0]: \"spdx\" is not an artifact type: write one such as application/spdx+json | spec.referrers.artifactTypes[1]: \"application/a;b=c\" is not an artifact type: write one such as application/spdx+json | spec.referrers.artifactTypes[2]: \"/a\" is not an artifact type: write one such as application/spdx+json",
    ),
    (
        "a type of referrers twice",
        "referrers: {artifactTypes: [a/b, a/b]}",
        "spec.referrers.artifactTypes[1]: \"a/b\" is already in spec.referrers.artifactTypes[0]",
    ),
    (
        "looks at referrers all the time",
        "referrers: {recheck: 59s}",
        "spec.referrers.recheck: is 59s, the shortest is 1m",
    ),
    (
        "pruning beyond its bounds",
        "prune: {mode: Plan, maxPercent: 101, maxDeletes: -1}",
        "spec.prune.maxDeletes: is -1, expected 0 to 100000 | spec.prune.maxPercent: is 101, expected 0 to 100",
    ),
    (
        "an interval that is too short",
        "interval: 29s",
        "spec.interval: interval 29s is too short: the shortest is 30s",
    ),
    (
        "an interval and a schedule",
        "interval: 1h\n  schedule: {cron: '0 3 * * *'}",
        "spec.schedule: cannot be combined with interval: remove one of them",
    ),
    (
        "a cron expression with too few fields",
        "schedule: {cron: '0 3 * *'}",
        "spec.schedule: cron expression \"0 3 * *\" is not understood (it has 4 fields): write minute, hour, day of month, month and day of week, such as 0 3 * * *",
    ),
    (
        "a cron expression out of range",
        "schedule: {cron: '0 25 * * *'}",
        "spec.schedule: cron expression \"0 25 * * *\" is not understood (Number out of bounds): write minute, hour, day of month, month and day of week, such as 0 3 * * *",
    ),
    (
        "a time zone that does not exist",
        "schedule: {cron: '0 3 * * *', timeZone: Mars/Olympus}",
        "spec.schedule: time zone \"Mars/Olympus\" does not exist: use a name of the IANA database, such as Europe/Berlin",
    ),
    (
        "a timeout of nothing",
        "timeout: 0s",
        "spec.timeout: is 0s, the shortest is 1s",
    ),
    (
        "a list of platforms without the mode",
        "platforms: {list: [linux/amd64]}",
        "spec.platforms.list: is only used with mode: List",
    ),
    (
        "the mode without a list",
        "platforms: {mode: List}",
        "spec.platforms.list: is empty, 1 to 32 items are needed",
    ),
    (
        "a platform that is none",
        "platforms: {mode: List, list: [amd64]}",
        "spec.platforms.list[0]: platform \"amd64\" must be os/architecture or os/architecture/variant, such as linux/arm64",
    ),
    (
        "a platform with a space",
        "platforms: {mode: List, list: [linux/amd 64]}",
        "spec.platforms.list[0]: platform \"linux/amd 64\" contains ' ': only letters, digits, '_', '.' and '-' are allowed",
    ),
    (
        "a platform twice",
        "platforms: {mode: List, list: [linux/amd64, linux/amd64]}",
        "spec.platforms.list[1]: \"linux/amd64\" is already in spec.platforms.list[0]",
    ),
    (
        "an unknown policy for all",
        "policyRefs: [{name: signed}]",
        "spec.policyRefs[0].name: there is no ImagePolicy \"signed\" in the namespace",
    ),
    (
        "too many policies",
        "policyRefs: [{name: a}, {name: b}, {name: c}, {name: d}, {name: e}, {name: f}, {name: g}, {name: h}, {name: i}]",
        "spec.policyRefs: has 9 items, at most 8 are allowed | spec.policyRefs[0].name: there is no ImagePolicy \"a\" in the namespace | spec.policyRefs[1].name: there is no ImagePolicy \"b\" in the namespace | spec.policyRefs[2].name: there is no ImagePolicy \"c\" in the namespace | spec.policyRefs[3].name: there is no ImagePolicy \"d\" in the namespace | spec.policyRefs[4].name: there is no ImagePolicy \"e\" in the namespace | spec.policyRefs[5].name: there is no ImagePolicy \"f\" in the namespace | spec.policyRefs[6].name: there is no ImagePolicy \"g\" in the namespace | spec.policyRefs[7].name: there is no ImagePolicy \"h\" in the namespace | spec.policyRefs[8].name: there is no ImagePolicy \"i\" in the namespace",
    ),
];

#[test]
fn mirrors_and_policies_that_are_refused() {
    for (name, part, replacement, expected) in CHANGES {
        assert_eq!(refusals(&with(part, replacement)), expected, "{name}");
    }
    for (name, more, expected) in ADDITIONS {
        assert_eq!(refusals(&spec(more)), expected, "{name}");
    }
}
