//! The command line.

use std::{
    io::{Read, Write},
    path::PathBuf,
    process::ExitCode,
};

use clap::{Parser, Subcommand, ValueEnum};
use manifest_check::{
    Manifest, Problem,
    checks::{links, policy, relay, schema},
    set::Set,
    sidecars,
};

/// Checks rendered Kubernetes manifests without a cluster.
///
/// Prints each problem as `FILE: Kind/name: path: problem`. Exits with 0 if
/// there is none, 1 if there are some, and 2 if it could not look.
#[derive(Debug, Parser)]
#[command(version)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Check fields, Relays, links between objects, and how containers run.
    Check {
        /// Files of manifests that are installed together; `-` is standard input.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// A file with the CRD of the Relay, if the manifests do not have it.
        #[arg(long)]
        crd: Option<PathBuf>,
        /// What to check.
        #[arg(long, value_enum, value_delimiter = ',', default_value = "schema,links,policy")]
        only: Vec<Part>,
        /// An object that exists beside these, `Kind/name`; the name may end in `*`.
        #[arg(long = "external", value_name = "KIND/NAME")]
        external: Vec<String>,
        /// An exception from the policy, `RULE:Kind/name` or `RULE:Kind/name/CONTAINER`.
        #[arg(long = "allow", value_name = "EXCEPTION")]
        exceptions: Vec<policy::Exception>,
    },
    /// Compare the sidecars of the same workloads in two files.
    CompareSidecars {
        /// One file.
        this: PathBuf,
        /// The other.
        that: PathBuf,
    },
    /// Print one object of a file, as JSON.
    Pick {
        /// Which: `Kind/name`.
        object: String,
        /// The file; `-` is standard input.
        file: PathBuf,
    },
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Part {
    /// Fields, types, names; Relays.
    Schema,
    /// Selectors, ports, references; doubles.
    Links,
    /// Pod Security and rules of this project.
    Policy,
}

fn main() -> ExitCode {
    let outcome = match Arguments::parse().command {
        Command::Check { files, crd, only, external, exceptions } => {
            check(&files, crd, &only, &external, &exceptions)
        }
        Command::CompareSidecars { this, that } => compare(&this, &that),
        Command::Pick { object, file } => return finish(pick(&object, &file)),
    };
    let problems = match outcome {
        Ok(problems) => problems,
        Err(err) => return finish(Err(err)),
    };
    if problems.is_empty() {
        return ExitCode::SUCCESS;
    }
    let lines: String = problems.iter().map(|problem| format!("{problem}\n")).collect();
    // Nothing is left to do when even the problems cannot be printed.
    let _ = std::io::stdout().write_all(lines.as_bytes());
    ExitCode::from(1)
}

fn finish(outcome: Result<(), Box<dyn std::error::Error>>) -> ExitCode {
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(err) => {
            let _ = writeln!(std::io::stderr(), "error: {err}");
            ExitCode::from(2)
        }
    }
}

type Outcome = Result<Vec<Problem>, Box<dyn std::error::Error>>;

fn check(
    files: &[PathBuf],
    crd: Option<PathBuf>,
    parts: &[Part],
    external: &[String],
    exceptions: &[policy::Exception],
) -> Outcome {
    let mut manifests = Vec::new();
    for file in files {
        manifests.extend(read(file)?);
    }
    let crds = crd.map(|file| read(&file)).transpose()?.unwrap_or_default();
    let set = Set::new(&manifests, external)?;
    let mut problems = Vec::new();
    if parts.contains(&Part::Schema) {
        let relays = relay::Schemas::from_manifests(manifests.iter().chain(&crds))?;
        for manifest in &manifests {
            problems.extend(schema::check(manifest));
            problems.extend(relays.check(manifest));
        }
    }
    if parts.contains(&Part::Links) {
        problems.extend(links::check(&set));
    }
    if parts.contains(&Part::Policy) {
        problems.extend(policy::check(&set, exceptions));
    }
    Ok(problems)
}

fn compare(this: &PathBuf, that: &PathBuf) -> Outcome {
    Ok(sidecars::compare(&read(this)?, &read(that)?))
}

fn pick(object: &str, file: &PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let manifests = read(file)?;
    let found = manifests.iter().find(|manifest| manifest.id() == object);
    let found = found.ok_or_else(|| format!("{}: there is no {object}", file.display()))?;
    writeln!(std::io::stdout(), "{:#}", found.value)?;
    Ok(())
}

fn read(file: &PathBuf) -> Result<Vec<Manifest>, Box<dyn std::error::Error>> {
    if file.as_os_str() == "-" {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text)?;
        return Ok(Manifest::read_all("-", &text)?);
    }
    let text = std::fs::read_to_string(file)
        .map_err(|err| format!("{} cannot be read: {err}", file.display()))?;
    Ok(Manifest::read_all(&file.display().to_string(), &text)?)
}
