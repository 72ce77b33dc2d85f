//! Prints the description of the public API, as `docs/openapi.json` holds it.

use std::io::{self, Write as _};

fn main() -> io::Result<()> {
    io::stdout().write_all(description()?.as_bytes())
}

fn description() -> io::Result<String> {
    let document = gateway::documentation::aggregate(orders::openapi(), payments::openapi());
    Ok(serde_json::to_string_pretty(&document)? + "\n")
}

#[cfg(test)]
mod tests {
    #[test]
    fn the_description_in_docs_is_that_of_the_code() {
        let stored = gateway::documentation::DOCUMENT;
        assert!(
            super::description().unwrap() == stored,
            "docs/openapi.json is out of date: `make openapi` generates it"
        );
    }
}
