//! Lines on the terminal: one's own, and those of the parts behind their names.

use std::env;
use std::io::{self, IsTerminal, Write};
use std::sync::OnceLock;

/// The width of the column of names.
const NAME_WIDTH: usize = 16;

/// Colours by part, in the terminal's palette, chosen to be readable on dark and light.
const COLOURS: [&str; 6] = ["36", "33", "35", "32", "34", "31"];

/// Something worth knowing.
pub(crate) fn info(text: &str) {
    write("1", "local-stack", text);
}

/// Something that went wrong.
pub(crate) fn error(text: &str) {
    write("1;31", "local-stack", text);
}

/// A part's own output.
pub(crate) fn part(name: &str, line: &str) {
    // The same colour for a part in every run.
    let sum: usize = name.bytes().map(usize::from).sum();
    write(COLOURS.get(sum % COLOURS.len()).unwrap_or(&"36"), name, line);
}

fn write(colour: &str, name: &str, text: &str) {
    let mut out = io::stdout().lock();
    for line in text.lines() {
        // A closed terminal is no reason to fall over.
        let _ = if coloured() {
            writeln!(out, "\x1b[{colour}m{name:<NAME_WIDTH$} |\x1b[0m {line}")
        } else {
            writeln!(out, "{name:<NAME_WIDTH$} | {line}")
        };
    }
}

fn coloured() -> bool {
    static COLOURED: OnceLock<bool> = OnceLock::new();
    *COLOURED.get_or_init(|| io::stdout().is_terminal() && env::var_os("NO_COLOR").is_none())
}
