//! `farcall completions` and `farcall man`: what shells and manuals want to know of the command
//! line. Both are made from the definition that reads it, without what is not built.

use crate::{
    DONE, FAILED,
    args::{Cli, Completions, Man},
    output,
};
use clap::CommandFactory;
use std::{fs, io, path::Path};

/// Runs `completions`.
pub(crate) fn completions(args: Completions) -> u8 {
    let mut script = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "farcall", &mut script);
    output::data(&script);
    DONE
}

/// Runs `man`.
pub(crate) fn man(args: Man) -> u8 {
    let done = match &args.folder {
        None => page(Cli::command()).map(|page| output::data(&page)),
        Some(folder) => write(folder),
    };
    match done {
        Ok(()) => DONE,
        Err(error) => {
            output::error(&format!("cannot write the manual: {error}"));
            FAILED
        }
    }
}

/// A page for the program and one for each command, as `man` finds them: `farcall-call.1`.
fn write(folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    clap_mangen::generate_to(Cli::command().disable_help_subcommand(true), folder)
}

fn page(command: clap::Command) -> io::Result<Vec<u8>> {
    let mut page = Vec::new();
    clap_mangen::Man::new(command).render(&mut page)?;
    Ok(page)
}
