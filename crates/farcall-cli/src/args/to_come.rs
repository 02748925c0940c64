//! Flags and commands that are promised and not built: tables, so that each is refused by name
//! instead of as unknown.

use super::Cli;
use clap::{Arg, ArgAction, ArgMatches, CommandFactory};

/// Commands that are promised and not built, and what they will do.
const COMMANDS_TO_COME: [(&str, &str); 6] = [
    ("watch", "Follows a registry"),
    ("node", "Changes a node's weight, group or state"),
    ("tap", "A relay that prints every frame"),
    ("console", "The web console"),
    ("gen", "Rust from .proto and .thrift"),
    ("new", "A small project that builds and runs"),
];

/// Flags that are promised and not built, by command; `=` ends those that take a value.
const FLAGS_TO_COME: [(&str, &[&str]); 2] =
    [("serve", &["registry=", "group=", "weight=", "meta="]), ("call", &["proto=", "thrift="])];

/// The whole command line.
pub(crate) fn command() -> clap::Command {
    let mut command = Cli::command();
    for (name, about) in COMMANDS_TO_COME {
        let rest = Arg::new("rest").num_args(0..).allow_hyphen_values(true).trailing_var_arg(true);
        let about = format!("{about} (not built yet)");
        command = command.subcommand(clap::Command::new(name).about(about).hide(true).arg(rest));
    }
    for (name, flags) in FLAGS_TO_COME {
        command = command.mut_subcommand(name, |mut command| {
            for flag in flags {
                let name = flag.trim_end_matches('=');
                let arg = Arg::new(name).long(name).hide(true);
                command = command.arg(match flag.ends_with('=') {
                    true => arg.num_args(1).action(ArgAction::Append),
                    false => arg.action(ArgAction::SetTrue),
                });
            }
            command
        });
    }
    command
}

/// What was typed that is promised and not built: its name, as typed.
pub(super) fn not_built(matches: &ArgMatches) -> Option<String> {
    let (command, matches) = matches.subcommand()?;
    if COMMANDS_TO_COME.iter().any(|(name, _)| *name == command) {
        return Some(format!("`farcall {command}`"));
    }
    let (_, flags) = FLAGS_TO_COME.iter().find(|(name, _)| *name == command)?;
    let mut flags = flags.iter().map(|flag| flag.trim_end_matches('='));
    let typed =
        |flag: &str| matches.value_source(flag) == Some(clap::parser::ValueSource::CommandLine);
    flags.find(|flag| typed(flag)).map(|flag| format!("`--{flag}`"))
}
