//! What Linux tells of itself and of processes.

/// The value of a line `name: value` of a file under `/proc`; none if there is no such file, as
/// on other systems, or no such line.
pub fn field(file: &str, name: &str) -> Option<String> {
    let text = std::fs::read_to_string(file).ok()?;
    let (_, value) =
        text.lines().find_map(|line| line.strip_prefix(name)?.trim_start().split_once(':'))?;
    Some(value.trim().to_owned())
}
