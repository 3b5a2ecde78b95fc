// SPDX-License-Identifier: Apache-2.0

//! Completions, by the shells themselves.

use std::path::Path;

use super::Files;
use crate::support::program::{Finished, Program};

/// Sets what bash gives a function that completes, and calls the one of the program.
const BASH: &str = r#"
source completions
complete_line() {
  COMP_WORDS=("$@") COMP_CWORD=$(($# - 1)) COMP_LINE=$* COMP_POINT=${#COMP_LINE} COMPREPLY=()
  _transship transship "${!#}" "${COMP_WORDS[COMP_CWORD - 1]}"
  echo "${COMPREPLY[@]}"
}
complete_line transship ver
complete_line transship sync --chang
complete_line transship sync --output j
"#;
const FISH: &str = "
source completions
complete -C 'transship ver'
complete -C 'transship sync --chang'
complete -C 'transship sync --output j'
";
/// zsh completes at a terminal only.
const ZSH: &str = r#"
zmodload zsh/zpty
zpty shell zsh -f -i
zpty -w shell 'PROMPT= ; fpath=($PWD $fpath); autoload -U compinit; compinit -u -D; print IS''READY'
zpty -r -m shell out '*ISREADY*'
for line expected in 'transship ver' '*verify*' 'transship sync --chang' '*--changes-only*' \
  'transship sync --output j' '*json*'; do
  zpty -w -n shell "$line"$'\t'
  zpty -r -m shell out "$expected"
  print -r -- "$out"
  zpty -w -n shell $'\x15'
done
"#;

async fn run(shell: &str, script: &str, files: &Files) -> Finished {
    let bin = Path::new(env!("CARGO_BIN_EXE_transship")).parent().unwrap();
    let path = std::env::var_os("PATH").unwrap();
    let path = format!("{}:{}", bin.display(), path.to_string_lossy());
    let program = Program::at(Path::new("/usr/bin/env"), &[shell, "-c", script]);
    let program = program
        .environment("PATH", path)
        .environment("TERM", "dumb");
    program
        .environment("HOME", files.path(""))
        .directory(&files.path(""))
        .run()
        .await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_shell_completes_commands_flags_and_values() {
    for (shell, file, script) in [
        ("bash", "completions", BASH),
        ("fish", "completions", FISH),
        ("zsh", "_transship", ZSH),
    ] {
        let files = Files::new(&[]);
        let written = files.run(&["completions", shell]).await;
        written.assert_success();
        std::fs::write(files.path(file), &written.stdout).unwrap();
        let finished = run(shell, script, &files).await;
        finished.assert_success();
        for expected in ["verify", "--changes-only", "json"] {
            assert!(
                finished.stdout.contains(expected),
                "{shell}: {expected} in {:?}\n{}",
                finished.stdout,
                finished.stderr
            );
        }
    }
}
